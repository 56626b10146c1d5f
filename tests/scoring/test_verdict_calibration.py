"""The trained distribution is tested whatever intervals are shown; the intervals shown are described."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.distributions import Distribution, PointForecast
from lstm_stock.distributions.intervals import LEVELS, Calibrator
from lstm_stock.scoring.forecast_table import price_intervals
from lstm_stock.scoring.significance import (
    christoffersen,
    kupiec,
    kupiec_by_offset,
    martingale_test,
    uniformity,
    volatility_products,
)
from lstm_stock.scoring.verdict import Subject, judge, short_verdict
from lstm_stock.scoring.verdict.calibration import describe_intervals, judge_trained
from tests.scoring.forecasts import (
    REALISED,
    VOLATILITY,
    N,
    baselines,
    rows,
    t_forecast,
    volatile_returns,
)

ALPHA = 0.05


def adaptive_rows(returns: Distribution, realised: np.ndarray, ticker: str = "AAA") -> pd.DataFrame:
    """The network's rows with adaptive intervals."""
    table = rows("lstm", returns, realised, ticker)
    start = np.ones((1, len(LEVELS)))
    intervals = Calibrator("adaptive", LEVELS, start).apply(
        returns, realised[:, None], np.ones((len(realised), 1))
    )
    prices = price_intervals(intervals, table["last_close"].to_numpy()[:, None])
    return table.assign(**{name: values.ravel() for name, values in prices.items()})


def of_trained(returns: Distribution, realised: np.ndarray = REALISED) -> dict:
    return judge_trained(rows("lstm", returns, realised), 1, ALPHA)["calibration"]


def test_of_adaptive_intervals_the_trained_distribution_is_tested():
    network = t_forecast(0.4 * VOLATILITY)
    table = adaptive_rows(network, REALISED)
    verdict = judge(pd.concat([table, *baselines(REALISED)]), Subject("lstm", "adaptive"))
    found, shown = verdict["calibration"], verdict["intervals"]
    assert found == of_trained(network)
    inside = (table["lo_90"] <= table["y_true"]) & (table["y_true"] <= table["hi_90"])
    assert shown["coverage"]["90"] == pytest.approx(inside.mean())
    assert shown["coverage"]["90"] > found["coverage"]["90"] + 0.1
    assert "no evidence about the network" in shown["sentence"]
    assert f"the 90 % interval contains {100 * inside.mean():.1f} % of the outcomes" in shown["sentence"]


def test_every_test_is_that_of_its_docstring():
    network = t_forecast(0.8 * VOLATILITY)
    table = rows("lstm", network, REALISED)
    tests = of_trained(network)["tests"]
    hits = {level: ((table["pit"] - 0.5).abs() <= level / 200).astype(float) for level in LEVELS}
    for level in LEVELS:
        assert tests[f"coverage_{level}"]["p"] == pytest.approx(kupiec(1 - hits[level], 1 - level / 100).p)
    n_inside = sum(hits.values()) / 4
    products = volatility_products(n_inside, table["trailing_vol"], 0.7875)
    assert tests["volatility"]["p"] == pytest.approx(martingale_test(products).p)
    assert tests["independence"]["p"] == pytest.approx(christoffersen(1 - hits[90]).p)
    assert tests["pit"]["p"] == pytest.approx(uniformity(table["pit"]).p)
    assert {one["n"] for one in tests.values()} == {N}


def test_the_inside_of_the_trained_interval_is_that_of_the_table():
    network = t_forecast(0.8 * VOLATILITY)
    table = rows("lstm", network, REALISED)
    for level in LEVELS:
        inside = (table[f"lo_{level}"] <= table["y_true"]) & (table["y_true"] <= table[f"hi_{level}"])
        assert of_trained(network)["coverage"][str(level)] == pytest.approx(inside.mean())


def test_a_narrow_scale_is_a_fault_at_every_level():
    found = of_trained(t_forecast(0.6 * VOLATILITY))
    assert [f"coverage_{level}" in found["faults"] for level in LEVELS] == [True] * 4
    assert "pit" in found["faults"]
    assert "volatility" not in found["faults"]
    assert ": too few at 50 % (p < 0.001), too few at 80 %" in found["sentence"]
    assert "The shape is wrong (PIT, p < 0.001)" in found["sentence"]


def test_a_constant_width_covers_too_much_on_quiet_days_and_too_little_on_wild_ones():
    found = of_trained(t_forecast(0.013))
    quiet, _, wild = found["thirds"]
    assert quiet > 0.93
    assert wild < 0.87
    assert "volatility" in found["faults"]
    assert "depends on volatility (p < 0.001): the width does not follow it as it should" in found["sentence"]
    assert short_verdict({"calibration": found}) == "no evidence, miscalibrated"


def test_the_true_distribution_has_no_fault():
    faulty = [
        of_trained(t_forecast(volatility), realised)["faults"]
        for realised, volatility in map(volatile_returns, range(12))
    ]
    assert sum(map(bool, faulty)) <= 2
    sentence = of_trained(t_forecast(VOLATILITY))["sentence"]
    assert sentence.startswith(
        "Calibration: do the intervals as trained contain as many outcomes as they state? "
        "No fault found. The 50, 80, 90 and"
    )
    assert "No evidence that misses follow each other" in sentence


def test_misses_that_come_together_are_a_fault():
    in_runs = (np.arange(N) // 6) % 10 == 0
    table = rows("lstm", t_forecast(VOLATILITY), REALISED)
    clustered = table.assign(pit=np.where(in_runs, 0.99, 0.1 + 0.8 * np.linspace(0, 1, N)))
    found = judge_trained(clustered, 1, ALPHA)["calibration"]
    assert "independence" in found["faults"]
    assert ". Misses follow each other (p < 0.001)" in found["sentence"]
    every_tenth = np.arange(N) % 10 == 0
    apart = table.assign(pit=np.where(every_tenth, 0.99, 0.1 + 0.8 * np.linspace(0, 1, N)))
    assert "Misses avoid each other (p < 0.001)" in judge_trained(apart, 1, ALPHA)["calibration"]["sentence"]


def test_several_tickers_are_tested_by_date():
    tables = []
    for i, ticker in enumerate("AB"):
        realised, volatility = volatile_returns(i)
        tables += [
            adaptive_rows(t_forecast(0.4 * volatility), realised, ticker),
            *baselines(realised, ticker),
        ]
    found = judge(pd.concat(tables), Subject("lstm", "adaptive"))["calibration"]
    names = {name: one["test"] for name, one in found["tests"].items()}
    assert {names[name] for name in names if name not in ("pit", "volatility")} == {"by date"}
    assert names["pit"] == "Cramér-von Mises by ticker, Holm"
    assert "coverage_90" in found["faults"]


def test_overlapping_steps_are_tested_with_their_dependence():
    table = rows("lstm", t_forecast(VOLATILITY), REALISED).assign(step=5)
    tests = judge_trained(table, 5, ALPHA)["calibration"]["tests"]
    assert "independence" not in tests
    misses = ((table["pit"] - 0.5).abs() > 0.45).astype(float)
    assert tests["coverage_90"]["p"] == pytest.approx(kupiec_by_offset(misses, 0.1, 5).p)


def test_without_trailing_volatility_the_rest_is_tested():
    table = rows("lstm", t_forecast(VOLATILITY), REALISED).assign(trailing_vol=np.nan)
    found = judge_trained(table, 1, ALPHA)["calibration"]
    assert found["thirds"] is None
    assert found["tests"]["volatility"]["p"] is None
    assert "quiet" not in found["sentence"]
    assert "nan" not in found["sentence"]


def test_a_point_forecast_has_no_distribution_to_test_and_its_intervals_are_described():
    point = rows("lstm", PointForecast(np.zeros((N, 1))), REALISED)
    half = np.exp(2.0 * VOLATILITY)
    table = point.assign(lo_90=point["last_close"] / half, hi_90=point["last_close"] * half)
    assert judge_trained(table, 1, ALPHA)["calibration"]["verdict"] == "not tested"
    shown = describe_intervals(table, "conformal")
    assert shown["coverage"]["90"] == pytest.approx((np.abs(REALISED) <= 2.0 * VOLATILITY).mean())
    assert shown["coverage"]["50"] is None
    assert "scaled to the coverage of the val period" in shown["sentence"]


def test_a_small_p_that_is_no_fault_is_explained():
    for seed in range(60):
        realised, volatility = volatile_returns(seed)
        found = of_trained(t_forecast(volatility), realised)
        least = min(one["p"] for one in found["tests"].values())
        if least < ALPHA and not found["faults"]:
            break
    assert "not significant after correction for the number of tests" in found["sentence"]
