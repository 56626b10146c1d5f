from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.scoring.strategy import (
    TARGET_VOLATILITY,
    EquityCurve,
    bars_per_year,
    buy_and_hold,
    follow,
    long_flat,
    strategy_table,
    summary,
    vol_target,
)


def table(
    close: list[float],
    y_pred: list[float],
    half_width: float = 0.02,
    ticker: str = "AAA",
    model: str = "lstm",
) -> pd.DataFrame:
    """Step-1 forecasts from every close but the last."""
    now, ahead = np.array(close[:-1]), np.array(close[1:])
    dates = pd.bdate_range("2021-01-04", periods=len(close), unit="s")
    return pd.DataFrame(
        {
            "ticker": ticker,
            "model": model,
            "step": 1,
            "cutoff": dates[:-1],
            "date": dates[1:],
            "last_close": now,
            "y_true": ahead,
            "y_pred": y_pred,
            "lo_90": now * np.exp(-half_width),
            "hi_90": now * np.exp(half_width),
        }
    )


def test_a_hand_calculation():
    rows = table([100.0, 110.0, 99.0, 99.0], [101.0, 105.0, 100.0])
    position = long_flat(rows)
    assert position.tolist() == [1.0, 0.0, 1.0]
    path = follow(rows, position, cost_bp=100)
    # Up 10 % less 1 % for the purchase; out, for 1 %; in again, for 1 %, and nothing moves.
    np.testing.assert_allclose(path.returns, [0.09, -0.01, -0.01])
    np.testing.assert_allclose(path.traded, [1, 1, 1])


def test_the_summary_is_lo_s_and_the_drawdown_starts_at_what_was_paid_in():
    path = EquityCurve(np.array([-0.5, 0.5, 0.2]), np.array([1.0, 0.0, 0.0]))
    sums = summary(path, per_year=3.0)
    mean, deviation = np.mean(path.returns), np.std(path.returns, ddof=1)
    assert sums["return"] == pytest.approx(0.5 * 1.5 * 1.2 - 1)
    assert sums["drawdown"] == pytest.approx(0.5)
    assert sums["sharpe"] == pytest.approx(np.sqrt(3) * mean / deviation)
    assert sums["sharpe_se"] == pytest.approx(np.sqrt(1 + (mean / deviation) ** 2 / 2))
    assert sums["turnover"] == pytest.approx(1.0)


def test_the_standard_error_of_sharpe_is_what_simulation_gives():
    random = np.random.default_rng(1)
    paths = [summary(EquityCurve(random.normal(0.001, 0.01, 500), np.zeros(500)), 252.0) for _ in range(2000)]
    ratios, errors = (np.array([path[name] for path in paths]) for name in ("sharpe", "sharpe_se"))
    assert np.std(ratios) == pytest.approx(np.mean(errors), rel=0.05)


def test_never_held_has_no_sharpe():
    sums = summary(EquityCurve(np.zeros(10), np.zeros(10)), 252.0)
    assert np.isnan(sums["sharpe"])
    assert (sums["return"], sums["volatility"], sums["drawdown"], sums["turnover"]) == (0, 0, 0, 0)


def test_vol_target_halves_when_the_interval_doubles_and_is_never_leveraged():
    wide, wider = (vol_target(table([100.0] * 4, [1.0] * 3, width), 252.0) for width in (0.05, 0.1))
    np.testing.assert_allclose(wide, 2 * wider)
    np.testing.assert_allclose(wide * (0.05 / 1.6448536) * np.sqrt(252), TARGET_VOLATILITY)
    assert (vol_target(table([100.0] * 4, [1.0] * 3, 0.001), 252.0) == 1).all()


def test_a_year_has_as_many_bars_as_the_dates_say():
    assert bars_per_year(pd.Series(pd.bdate_range("2020-01-01", "2023-12-29"))) == pytest.approx(261, abs=1)
    assert bars_per_year(pd.Series(pd.date_range("2020-01-01", "2023-12-31"))) == pytest.approx(365.25)


def test_tickers_are_held_in_equal_parts():
    one = table([100.0, 110.0, 121.0], [200.0, 200.0])
    two = table([100.0, 90.0, 81.0], [200.0, 200.0], ticker="BBB")
    both = pd.concat([one, two], ignore_index=True)
    np.testing.assert_allclose(follow(both, long_flat(both), 0).returns, [0.0, 0.0], atol=1e-12)


def test_a_ticker_without_a_bar_keeps_its_part_of_the_capital():
    one = table([100.0, 110.0, 121.0, 121.0], [200.0] * 3)
    two = table([100.0, 120.0, 120.0, 120.0], [200.0] * 3, ticker="BBB")
    both = pd.concat([one, two.iloc[[0, 2]]], ignore_index=True)  # BBB has no bar on the second day
    path = follow(both, long_flat(both), 100)
    np.testing.assert_allclose(path.traded, [1.0, 0.0, 0.0])
    np.testing.assert_allclose(path.returns, [0.15 - 0.01, 0.05, 0.0])


def test_what_is_bought_and_held_is_not_traded_again():
    one = table([100.0, 200.0, 400.0], [0.0, 0.0])
    two = table([100.0, 50.0, 25.0], [0.0, 0.0], ticker="BBB")
    path = buy_and_hold(pd.concat([one, two], ignore_index=True), cost_bp=0)
    np.testing.assert_allclose(np.cumprod(1 + path.returns), [(2 + 0.5) / 2, (4 + 0.25) / 2])
    np.testing.assert_allclose(path.traded, [1.0, 0.0])
    late = pd.concat([one, two.iloc[1:]], ignore_index=True)  # BBB is bought a day later
    np.testing.assert_allclose(buy_and_hold(late, 0).traded, [0.5, 0.5])
    np.testing.assert_allclose(np.cumprod(1 + buy_and_hold(late, 0).returns), [1.5, (4 + 0.5) / 2])


def test_the_table_has_a_baseline_and_leaves_out_what_a_point_cannot_do():
    rows = table([100.0, 101.0, 103.0, 102.0], [101.0, 100.0, 104.0])
    ewma = rows.assign(model="ewma")
    both = pd.concat([rows, ewma], ignore_index=True)
    names = strategy_table(both, "lstm")["strategy"].tolist()
    assert names == ["buy_and_hold", "long_flat (lstm)", "vol_target (lstm)", "vol_target (ewma)"]
    point = pd.concat([rows.assign(lo_90=np.nan, hi_90=np.nan), ewma], ignore_index=True)
    assert "vol_target (lstm)" not in strategy_table(point, "lstm")["strategy"].tolist()


def test_costs_only_ever_cost():
    random = np.random.default_rng(2)
    close = (100 * np.exp(np.cumsum(random.normal(0, 0.01, 200)))).tolist()
    rows = table(close, (np.array(close[:-1]) * np.exp(random.normal(0, 0.001, 199))).tolist())
    both = pd.concat([rows, rows.assign(model="ewma")], ignore_index=True)
    free, dear = (strategy_table(both, "lstm", cost)["return"] for cost in (0.0, 20.0))
    assert (dear < free).all()
