"""The scores of a journal, against numbers from scipy and by hand."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lstm_stock.distributions import Distribution, Normal, PointForecast, StudentT
from lstm_stock.distributions.intervals import LEVELS, Intervals
from lstm_stock.errors import DataError, JournalError
from lstm_stock.prices.calendars import next_sessions, session_end
from lstm_stock.prices.table import PriceHistory, PriceProvenance, price_table, table_hash
from lstm_stock.runs.journal import Record, append
from lstm_stock.runs.journal_line import About
from lstm_stock.workflow.journal import model_values
from lstm_stock.workflow.journal_scores import ALL, score_journal

NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)
DAYS = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"]


def history(days, close, adj_close=None, ticker="TST", partial=None, **columns) -> PriceHistory:
    close = np.asarray(close, np.float64)
    zeros = np.zeros(len(close))
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    prices |= {
        "adj_close": close if adj_close is None else adj_close,
        "volume": zeros + 1,
        "dividends": zeros,
    }
    table = price_table(np.array(days, "datetime64[D]"), prices | {"splits": zeros} | columns)
    origin = PriceProvenance(
        "csv", "2024-01-01T00:00:00+00:00", None, None, "USD", "XNYS", table_hash(table), partial
    )
    return PriceHistory(ticker, table, origin)


class Prices(dict):
    def read(self, ticker: str) -> PriceHistory:
        if ticker not in self:
            raise DataError(f"{ticker} is not in the price store")
        return self[ticker]


def record(
    cutoff: str, models: Mapping[str, Distribution], last_close: float, ticker="TST", **about
) -> Record:
    """A forecast as `predict --journal` writes it; the first of the models is the network."""
    horizon = next(iter(models.values())).shape[1]
    dates = next_sessions("XNYS", pd.Timestamp(cutoff), horizon)
    network = {"name": "run", "model": next(iter(models)), "calibration": "none", "sha256": {}}
    forecast = {
        "format": 1,
        "exchange": "XNYS",
        "last_close": last_close,
        "insample_mae": 1.0,
        "trailing_vol": 0.02,
        "network": network,
        "rows": [{"step": i + 1, "date": f"{date:%F}"} for i, date in enumerate(dates)],
        "models": [model_values(name, one, Intervals.of(one, LEVELS)) for name, one in models.items()],
    }
    named = {"network": "run", "fingerprint": "ab"} | about
    return Record(About(ticker, cutoff, **named), forecast, NEVER)


def after_close(cutoff: str, minutes: float = 30):
    end = session_end("XNYS", dt.date.fromisoformat(cutoff))
    assert end is not None
    return lambda: end + dt.timedelta(minutes=minutes)


def score(folder, *histories: PriceHistory):
    return score_journal(folder, Prices({one.ticker: one for one in histories}), lambda done, of: None)


def of_step(found, step: int, model: str = "lstm", ticker: str = "TST") -> dict:
    scores = found.networks[0].scores
    rows = scores[(scores["step"] == step) & (scores["model"] == model) & (scores["ticker"] == ticker)]
    return rows.iloc[0].to_dict()


def student_t(loc, scale) -> StudentT:
    """With 5 degrees of freedom, whose scores the grid of a journal keeps to rounding."""
    return StudentT(loc, scale, np.full(np.shape(loc), 5.0))


def crps_of_t(z: float, scale: float) -> float:
    """The integral of `(F - 1{z <= x})^2`, by the trapezoidal rule on both sides of z."""
    sides = np.linspace(-60, z, 100_001), np.linspace(z, 60, 100_001)
    return scale * float(sum(np.trapezoid((stats.t.cdf(x, 5) - i) ** 2, x) for i, x in enumerate(sides)))


def test_the_outcome_is_the_total_return_through_a_split_and_a_dividend(tmp_path):
    """Forecast at 200, before a 4:1 split on the 4th and a dividend of 0.50 on the 5th."""
    mu, sigma = np.array([[0.0, 0.01, 0.0]]), np.array([[0.02, 0.03, 0.04]])
    models = {"lstm": student_t(mu, sigma), "naive": student_t(0 * mu, 2 * sigma)}
    append(tmp_path, [record("2024-01-02", models, last_close=200.0)], after_close("2024-01-02"))
    # Quoted 200, 206, then 51, 50: the store has all of them after the split, and adjusted for the dividend.
    close, factor = np.array([50.0, 51.5, 51.0, 50.0, 60.0]), 1 - 0.5 / 51.0
    now = history(
        DAYS,
        close,
        close * np.array([factor, factor, factor, 1, 1]),
        splits=[0.0, 0, 4, 0, 0],
        dividends=[0.0, 0, 0, 0.5, 0],
    )
    found = score(tmp_path, now)
    assert found.notes == ()
    returns = [math.log(206 / 200), math.log(51 / 50), math.log(50 / (50 * factor))]
    for step, (y, m, s) in enumerate(zip(returns, mu[0], sigma[0], strict=True), 1):
        row, z = of_step(found, step), (y - m) / s
        assert row["crps"] == pytest.approx(100 * crps_of_t(z, s), rel=1e-5)
        assert row["nll"] == pytest.approx(-stats.t.logpdf(100 * y, 5, 100 * m, 100 * s), abs=1e-4)
        for level in LEVELS:
            half = stats.t.ppf(0.5 + level / 200, 5)
            assert row[f"coverage_{level}"] == row[f"coverage_trained_{level}"] == (abs(z) <= half)
        # The price forecast and that of the outcome are those of the day, before the split.
        assert row["rmse_percent"] == pytest.approx(100 * abs(math.exp(y) - math.exp(m)))
    of_naive = of_step(found, 1, "naive")
    assert of_naive["crps"] == pytest.approx(100 * crps_of_t(returns[0] / 0.04, 0.04), rel=1e-5)
    assert len(found.pending) == 0


def test_outcomes_to_come_and_a_bar_that_is_not_final_are_pending(tmp_path):
    models = {"lstm": StudentT([[0.0] * 3], [[0.02] * 3], [[4.0] * 3])}
    for day in DAYS[:3]:
        append(tmp_path, [record(day, models, 100.0)], after_close(day))
    found = score(tmp_path, history(DAYS[:4], [100.0] * 4, partial="2024-01-05"))
    assert [of_step(found, step)["n"] for step in (1, 2)] == [2, 1]
    names = ["network", "ticker", "cutoff", "n_pending", "next", "last"]
    assert found.pending[names].to_numpy().tolist() == [
        ["run", "TST", "2024-01-02", 1, "2024-01-05", "2024-01-05"],
        ["run", "TST", "2024-01-03", 2, "2024-01-05", "2024-01-08"],
        ["run", "TST", "2024-01-04", 3, "2024-01-05", "2024-01-09"],
    ]
    assert (found.networks[0].n_forecasts, found.networks[0].n_days, found.networks[0].verdict) == (
        3,
        2,
        None,
    )


ONE = {"lstm": Normal([[0.0]], [[0.02]])}


@pytest.mark.parametrize(
    ("minutes", "is_scored"),
    [
        (-1, False),  # before the last bar was known: a clock set back
        (0, True),
        (17 * 60 + 29, True),  # 14:29 UTC of the next day
        (17 * 60 + 30, False),  # the first session has started
        (3 * 24 * 60, False),
    ],
)
def test_a_forecast_after_the_fact_is_never_scored(tmp_path, minutes, is_scored):
    append(tmp_path, [record("2024-01-02", ONE, 100.0)], after_close("2024-01-02", minutes))
    found = score(tmp_path, history(DAYS, [100.0] * 5))
    assert len(found.networks[0].scores) == is_scored
    assert found.networks[0].n_forecasts == is_scored
    assert any("1 forecast not scored: after the fact" in text for text in found.notes) != is_scored


def test_a_restated_close_is_reported_and_a_split_is_not(tmp_path):
    for day in DAYS[:2]:
        append(tmp_path, [record(day, ONE, 100.0)], after_close(day))
    found = score(tmp_path, history(DAYS, [50.0, 50.5, 51, 52, 53], splits=[0.0, 0, 2, 0, 0]))
    (note,) = found.notes
    assert "TST on 2024-01-03 (+1 %). Outcomes start from the close as it is now" in note
    assert of_step(found, 1)["n"] == 2


def test_what_the_store_lacks_is_told(tmp_path):
    append(tmp_path, [record("2024-01-02", ONE, 100.0, "GONE")], after_close("2024-01-02"))
    append(tmp_path, [record("2024-01-03", ONE, 100.0)], after_close("2024-01-03"))
    append(tmp_path, [record("2024-01-04", ONE, 100.0)], after_close("2024-01-04"))
    without_cutoff = history([DAYS[0], DAYS[2], DAYS[4]], [100.0, 100, 100])
    found = score(tmp_path, without_cutoff)
    assert "GONE is not scored: GONE is not in the price store" in found.notes
    assert "1 forecast not scored: the store has no bar of the cutoff" in found.notes
    assert any("1 step not scored: the store has no bar on the date forecast" in text for text in found.notes)


def test_a_point_forecast_has_no_distribution_to_score(tmp_path):
    append(
        tmp_path, [record("2024-01-02", {"lstm": PointForecast([[0.01]])}, 100.0)], after_close("2024-01-02")
    )
    row = of_step(score(tmp_path, history(DAYS, [100.0, 101, 100, 100, 100])), 1)
    assert math.isnan(row["crps"]) and math.isnan(row["nll"]) and math.isnan(row["coverage_90"])
    assert row["rmse_percent"] == pytest.approx(100 * (math.exp(0.01) - 1.01))


def test_a_changed_line_is_not_scored_but_named(tmp_path):
    append(tmp_path, [record("2024-01-02", ONE, 100.0)], after_close("2024-01-02"))
    path = tmp_path / "2024-01.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"last_close":100.0', b'"last_close":101.0'))
    with pytest.raises(JournalError, match=r"is not scored: 2024-01.jsonl:1: it was changed"):
        score(tmp_path, history(DAYS, [100.0] * 5))


def many_days(n: int) -> tuple[list[str], np.ndarray]:
    days = [f"{day:%F}" for day in next_sessions("XNYS", pd.Timestamp("2022-12-31"), n)]
    random = np.random.default_rng(1)
    return days, 100 * np.exp(np.cumsum(0.01 * random.standard_normal(n)))


def write_many(folder, days, close, tickers=("TST",)):
    """Forecasts of each day but the last; those of a second ticker start two days later, at twice the price."""
    scales = {"lstm": 0.01, "naive": 0.02, "ewma": 0.01}
    models = {name: Normal([[0.0]], [[scale]]) for name, scale in scales.items()}
    for n, (day, price) in enumerate(zip(days[:-1], close, strict=False)):
        records = [
            record(day, models, (1 + i) * float(price), ticker)
            for i, ticker in enumerate(tickers)
            if n >= 2 * i
        ]
        append(folder, records, after_close(day))


def test_few_days_have_no_verdict_and_many_do(tmp_path):
    days, close = many_days(22)
    write_many(tmp_path, days[:20], close)
    few = score(tmp_path, history(days[:20], close[:20]))
    assert (few.networks[0].n_days, few.networks[0].verdict) == (19, None)
    write_many(tmp_path, days[19:], close[19:])
    enough = score(tmp_path, history(days, close)).networks[0]
    assert enough.n_days == 21
    assert enough.verdict is not None
    found = enough.verdict["distribution"]
    assert (found["n"], found["baseline"], found["statistic"]) == (21, "ewma", 0.0)


def test_scores_over_tickers_are_means_over_their_forecasts(tmp_path):
    days, close = many_days(6)
    write_many(tmp_path, days, close, ("ONE", "TWO"))
    found = score(tmp_path, history(days, close, ticker="ONE"), history(days, 2 * close, ticker="TWO"))
    one, two, both = (of_step(found, 1, ticker=ticker) for ticker in ("ONE", "TWO", ALL))
    assert (one["n"], two["n"], both["n"]) == (5, 3, 8)
    for name in ("crps", "nll", "coverage_50", "width_90"):
        assert both[name] == pytest.approx((5 * one[name] + 3 * two[name]) / 8)
    naive = of_step(found, 1, "naive", ALL)
    assert both["skill"] == pytest.approx(100 * (1 - both["rmse_percent"] / naive["rmse_percent"]))


def test_networks_are_scored_apart(tmp_path):
    for name, sigma in (("first", 0.01), ("second", 0.05)):
        one = {"lstm": student_t([[0.0]], [[sigma]])}
        append(tmp_path, [record("2024-01-02", one, 100.0, network=name)], after_close("2024-01-02"))
    found = score(tmp_path, history(DAYS, [100.0] * 5))
    assert [one.network for one in found.networks] == ["first", "second"]
    crps = [float(one.scores["crps"].iloc[0]) for one in found.networks]
    assert crps == pytest.approx([100 * crps_of_t(0, 0.01), 100 * crps_of_t(0, 0.05)], rel=1e-5)
