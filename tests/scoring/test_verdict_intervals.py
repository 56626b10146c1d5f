from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.distributions import Distribution, PointForecast
from lstm_stock.distributions.intervals import LEVELS, Calibrator
from lstm_stock.scoring.forecast_table import price_intervals
from lstm_stock.scoring.significance import christoffersen, kupiec
from lstm_stock.scoring.verdict import judge, short_verdict
from tests.scoring.forecasts import (
    REALISED,
    VOLATILITY,
    N,
    baselines,
    rows,
    t_forecast,
    volatile_returns,
)


def adaptive_rows(returns: Distribution, realised: np.ndarray, ticker: str = "AAA") -> pd.DataFrame:
    """The network's rows with adaptive intervals."""
    table = rows("lstm", returns, realised, ticker)
    start = np.ones((1, len(LEVELS)))
    intervals = Calibrator("adaptive", LEVELS, start).apply(
        returns, realised[:, None], np.ones((len(realised), 1))
    )
    prices = price_intervals(intervals, table["last_close"].to_numpy()[:, None])
    return table.assign(**{name: values.ravel() for name, values in prices.items()})


def test_of_adaptive_intervals_the_trained_ones_are_tested():
    network = t_forecast(0.4 * VOLATILITY)
    table = adaptive_rows(network, REALISED)
    trained = rows("lstm", network, REALISED)
    found = judge(pd.concat([table, *baselines(REALISED)]), "lstm", "adaptive")["calibration"]
    misses = ((trained["pit"] < 0.05) | (trained["pit"] > 0.95)).astype(float)
    outside = (trained["y_true"] < trained["lo_90"]) | (trained["y_true"] > trained["hi_90"])
    assert misses.tolist() == outside.astype(float).tolist()
    assert found["tests"]["coverage"]["p"] == pytest.approx(kupiec(misses, 0.1).p)
    assert found["tests"]["independence"]["p"] == pytest.approx(christoffersen(misses).p)
    assert (found["tested"], found["tested_score"]) == ("trained", pytest.approx(1 - misses.mean()))
    reported = (table["y_true"] < table["lo_90"]) | (table["y_true"] > table["hi_90"])
    assert found["score"] == pytest.approx(1 - reported.mean())
    assert found["score"] > found["tested_score"] + 0.1
    assert {"coverage", "pit"} <= set(found["faults"])
    assert "not tested: adaptive intervals reach their level by construction" in found["sentence"]
    assert (
        f"the trained interval covers {100 * found['tested_score']:.1f} %, which is too few (Kupiec p <"
        in found["sentence"]
    )
    assert "the shape of the trained distribution is wrong" in found["sentence"]


def test_misses_of_adaptive_intervals_that_avoid_each_other_are_no_fault():
    """An adaptive interval widens after a miss, so that its misses avoid each other whatever the forecast."""
    network = t_forecast(VOLATILITY)
    table = adaptive_rows(network, REALISED)
    every_tenth = np.arange(N) % 10 == 0
    last = table["last_close"]
    table = table.assign(lo_90=np.where(every_tenth, 2 * last, 0.01 * last), hi_90=100 * last)
    verdicts = {
        kind: judge(pd.concat([table, *baselines(REALISED)]), "lstm", kind) for kind in ("none", "adaptive")
    }
    assert verdicts["none"]["calibration"]["faults"] == ["independence"]
    assert verdicts["adaptive"]["calibration"]["faults"] == []
    assert "miscalibrated" not in short_verdict(verdicts["adaptive"])


def test_the_true_distribution_has_the_same_tests_with_adaptive_intervals():
    """The same three tests share one significance level, so it holds for both."""
    for seed in range(5):
        realised, volatility = volatile_returns(seed)
        network = t_forecast(volatility)
        plain, adaptive = (
            judge(pd.concat([table, *baselines(realised)]), "lstm", kind)["calibration"]
            for table, kind in (
                (rows("lstm", network, realised), "none"),
                (adaptive_rows(network, realised), "adaptive"),
            )
        )
        assert plain["tests"] == adaptive["tests"]
        assert plain["faults"] == adaptive["faults"]


def test_adaptive_intervals_of_several_tickers_are_tested_by_date():
    tables = []
    for i, ticker in enumerate("AB"):
        realised, volatility = volatile_returns(i)
        tables += [
            adaptive_rows(t_forecast(0.4 * volatility), realised, ticker),
            *baselines(realised, ticker),
        ]
    found = judge(pd.concat(tables), "lstm", "adaptive")["calibration"]
    assert found["tests"]["coverage"]["test"] == "by date"
    assert "coverage" in found["faults"]


def test_adaptive_intervals_around_a_point_are_described_and_not_tested():
    point = rows("lstm", PointForecast(np.zeros((N, 1))), REALISED)
    half = np.exp(2.0 * VOLATILITY)
    table = point.assign(lo_90=point["last_close"] / half, hi_90=point["last_close"] * half)
    found = judge(pd.concat([table, *baselines(REALISED)]), "lstm", "adaptive")["calibration"]
    assert found["verdict"] == "not tested"
    assert found["score"] > 0.8
    assert found["sentence"].endswith("(not tested: adaptive intervals reach their level by construction)")


def test_misses_that_avoid_each_other_are_not_called_clusters():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY), REALISED), *baselines(REALISED)])
    every_tenth = np.arange(len(table)) % 10 == 0
    wide, narrow = 100 * table["y_true"], 0.01 * table["y_true"]
    table = table.assign(lo_90=narrow, hi_90=np.where(every_tenth, narrow, wide))
    assert "misses avoid each other" in judge(table, "lstm")["calibration"]["sentence"]
    runs = (np.arange(len(table)) // 6) % 10 == 0
    table = table.assign(hi_90=np.where(runs, narrow, wide))
    assert "; misses cluster" in judge(table, "lstm")["calibration"]["sentence"]


def test_intervals_around_a_point_are_tested_though_it_has_no_pit():
    point = rows("lstm", PointForecast(np.zeros((N, 1))), REALISED)
    half = np.exp(2.0 * VOLATILITY)
    held = point.assign(lo_90=point["last_close"] / half, hi_90=point["last_close"] * half)
    found = judge(pd.concat([held, *baselines(REALISED)]), "lstm")["calibration"]
    assert found["tests"]["coverage"]["p"] == pytest.approx(
        kupiec(np.abs(REALISED) > 2.0 * VOLATILITY, 0.1).p, rel=1e-9
    )
    assert found["tests"]["pit"]["p"] is None
    assert "PIT" not in found["sentence"]
    assert "nan" not in found["sentence"]
