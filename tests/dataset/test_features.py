from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.config.features import FEATURES
from lstm_stock.config.registry import resolve
from lstm_stock.dataset.features import Bars, feature_table
from lstm_stock.dataset.market import Market
from lstm_stock.dataset.scale import scale_class
from lstm_stock.dataset.sessions import with_session_columns
from lstm_stock.dataset.volatility import VOLATILITY_WARM_UP, day_variance, trailing_volatility
from lstm_stock.errors import ConfigError
from tests.helpers import random_bars, random_prices

NAMES = tuple(
    name
    for name, feature in FEATURES.items()
    if not (feature.arguments or feature.needs_market or feature.of_values)
)
"""The features of the ticker's own last bars."""

OF_PRICES = tuple(name for name, feature in FEATURES.items() if not feature.of_values)


def test_every_feature_has_its_formula_in_the_first_line_of_its_docstring():
    for name, feature in FEATURES.items():
        first_line = (resolve(feature.compute).__doc__ or "").splitlines()[0]
        assert first_line.startswith("`"), name


def test_features_of_three_bars_by_hand():
    bars = Bars(
        open=np.array([10.0, 11.0, 12.0]),
        high=np.array([12.0, 13.0, 15.0]),
        low=np.array([9.0, 10.0, 11.0]),
        close=np.array([10.0, 12.0, 11.0]),
        volume=np.array([99.0, 299.0, 399.0]),
        volatility=np.array([np.nan, 0.02, 0.03]),
        range_volatility=np.array([np.nan, 0.04, 0.05]),
        days=np.array(["2024-01-02T15:30", "2024-01-03T09:30", "2024-01-04T06:00"], "datetime64[s]"),
    )
    table = feature_table(bars, NAMES, None)
    expected = {
        "log_return": np.log(11 / 12),
        "open_gap": 0.0,
        "overnight_gap": 0.0,  # of the first bar of a day that opens at the last close
        "time_of_day": 0.25,
        "high_gap": np.log(15 / 12),
        "low_gap": np.log(11 / 12),
        "log_range": np.log(np.log(15 / 11) + 0.0001),
        "log_volume_ratio": np.log(400 / 200),
        "log_trailing_vol": np.log(0.03),
        "log_range_vol": np.log(0.05),
        "vol_trailing": np.log(0.03),
        "vol_range": np.log(0.05),
        "fall": np.log(11 / 12),
        "tail_weight": np.log(0.1 + 0.03),  # those of a usual share, as there are too few bars
        "vol_of_vol": np.log(1.2),
        "open": 12.0,
        "high": 15.0,
        "low": 11.0,
        "close": 11.0,
        "volume": 399.0,
    }
    np.testing.assert_allclose(table[2], [expected[name] for name in NAMES], rtol=1e-12)


@pytest.mark.parametrize("target_scale", ["trailing_vol", "trailing_range"])
def test_returns_and_ranges_are_divided_by_the_volatility_of_the_bar_before(target_scale):
    bars, names = random_bars(80), ["log_return", "log_range", "log_volume_ratio", "close"]
    volatility = scale_class(target_scale).fit(bars, 50).volatility(bars)
    plain, scaled = feature_table(bars, names, None), feature_table(bars, names, volatility)
    before = volatility[69]
    np.testing.assert_allclose(scaled[70, 0], plain[70, 0] / before)
    np.testing.assert_allclose(scaled[70, 1], plain[70, 1] - np.log(before))
    np.testing.assert_array_equal(scaled[70, 2:], plain[70, 2:])


@pytest.mark.parametrize("target_scale", ["trailing_range", "lhar", "none"])
def test_volatilities_are_relative_to_the_target_scale_of_the_same_bar(target_scale):
    bars = random_bars(330)
    volatility = scale_class(target_scale).fit(bars, 300).volatility(bars)
    means = {"vol_day": 1, "vol_week": 5, "vol_month": 22, "vol_year": 250}
    names = [*means, "vol_trailing", "vol_range"]
    table = pd.DataFrame(feature_table(bars, names, volatility), columns=names)
    half_logs = np.log(day_variance(bars.open, bars.high, bars.low, bars.close)) / 2
    for row in (60, 260, 329):
        log_scale = 0 if volatility is None else np.log(volatility[row])
        expected = [half_logs[max(row - n + 1, 1) : row + 1].mean() for n in means.values()]
        expected += [np.log(bars.volatility[row]), np.log(bars.range_volatility[row])]
        np.testing.assert_allclose(table.loc[row] + log_scale, expected, rtol=1e-9)
    if volatility is None:
        first = table.notna().idxmax()
        assert first[list(means)].tolist() == [1, 5, 22, 22]  # the first bar has no variance


def test_a_fall_is_a_negative_return_in_units_of_the_volatility_of_the_bar_before():
    bars = random_bars(80)
    volatility = bars.range_volatility
    fall = feature_table(bars, ["fall"], volatility)[30:, 0]
    returns = np.log(bars.close[30:] / bars.close[29:-1])
    np.testing.assert_allclose(fall, np.where(returns < 0, returns, 0) / volatility[29:-1], rtol=1e-9)
    assert (fall == 0).any() and (fall < 0).any()


@pytest.mark.parametrize("half_life", [2, 10])
def test_a_trend_is_the_normalised_ewma_of_returns_in_units_of_the_volatility_before(half_life):
    bars = random_bars(80)
    name, first = f"trend_{half_life}", VOLATILITY_WARM_UP + 1
    trend = feature_table(bars, [name], bars.range_volatility)[:, 0]  # whatever the target scale
    scaled = np.log(bars.close[first:] / bars.close[first - 1 : -1]) / bars.volatility[first - 1 : -1]
    for n in (1, 2, 59):
        weights = 0.5 ** (np.arange(n)[::-1] / half_life)
        assert trend[first + n - 1] == pytest.approx(weights @ scaled[:n] / weights.sum(), rel=1e-9)
    assert np.isnan(trend[:first]).all()


def test_range_volatility_is_the_normalised_ewma_of_the_days_variances():
    prices = random_prices(60)
    open_, high, low, close = (prices[name].to_numpy() for name in ("open", "high", "low", "close"))
    gap, span = np.log(open_[1:] / close[:-1]), np.log(high[1:] / low[1:])
    weights = 0.8 ** np.arange(59)[::-1]
    by_hand = np.sqrt(np.sum(weights * (gap**2 + span**2 / (4 * np.log(2)))) / np.sum(weights))
    volatility = Bars.of(prices).range_volatility
    np.testing.assert_allclose(volatility[-1], by_hand, rtol=1e-12)
    assert np.isnan(volatility[:VOLATILITY_WARM_UP]).all()
    assert np.isfinite(volatility[VOLATILITY_WARM_UP:]).all()


def test_range_volatility_is_that_of_the_closes_for_a_random_walk():
    """Parkinson 1980: the variance of a walk without drift from its range, here of 390 steps a day."""
    random = np.random.default_rng(0)
    walk = np.cumsum(random.normal(0, 0.01 / np.sqrt(390), (4000, 390)).ravel()).reshape(4000, 390)
    previous = np.concatenate(([0.0], walk[:-1, -1]))[:, None]
    day = np.exp(np.concatenate([previous, walk], axis=1))
    variance = day_variance(day[:, 0], day.max(axis=1), day.min(axis=1), day[:, -1])
    # The range of 390 steps is less than that of a continuous walk: 6 % less variance.
    assert np.sqrt(np.nanmean(variance)) == pytest.approx(0.01, rel=0.05)


def test_a_bar_without_an_open_has_the_variance_of_its_closes():
    open_, high, low, close = (
        np.array(values) for values in ([9.0, 0.0], [11.0, 12.0], [8.0, 9.0], [10.0, 11.0])
    )
    assert day_variance(open_, high, low, close)[1] == pytest.approx(np.log(1.1) ** 2)


def test_trailing_volatility_is_the_normalised_ewma():
    close = random_prices(60)["close"].to_numpy()
    returns = np.diff(np.log(close))
    weights = 0.94 ** np.arange(len(returns))[::-1]
    by_hand = np.sqrt(np.sum(weights * returns**2) / np.sum(weights))
    volatility = trailing_volatility(close)
    np.testing.assert_allclose(volatility[-1], by_hand, rtol=1e-12)
    assert np.isnan(volatility[:VOLATILITY_WARM_UP]).all()
    assert np.isfinite(volatility[VOLATILITY_WARM_UP:]).all()


def test_trailing_volatility_of_a_halted_ticker_stays_above_zero():
    volatility = trailing_volatility(np.full(300, 7.0))
    assert (volatility[VOLATILITY_WARM_UP:] > 0).all()


def bars_with_all_columns(table: pd.DataFrame) -> Bars:
    other = random_prices(len(table), seed=99)
    return Bars.of(with_session_columns(Market.of([table, other]).with_market_columns(table), None, 1))


@settings(max_examples=30, deadline=None)
@given(
    cutoff=st.integers(30, 98),
    factor=st.floats(0.2, 5),
    scale=st.sampled_from(["trailing_vol", "trailing_range", "none"]),
)
def test_no_feature_depends_on_later_bars(cutoff: int, factor: float, scale: str):
    """Nor the market of two tickers, of which one changes."""
    prices = random_prices(100)
    changed = prices.copy()
    changed.iloc[cutoff + 1 :] = changed.iloc[cutoff + 1 :] * factor + 1.0
    before, after = (
        feature_table(bars, OF_PRICES, scale_class(scale).fit(bars, 50).volatility(bars))
        for bars in map(bars_with_all_columns, (prices, changed))
    )
    np.testing.assert_array_equal(before[: cutoff + 1], after[: cutoff + 1])
    assert not np.array_equal(before[cutoff + 1 :], after[cutoff + 1 :], equal_nan=True)


def test_an_unknown_feature_is_named():
    with pytest.raises(ConfigError, match="unknown features: rsi"):
        feature_table(random_bars(30), ["log_return", "rsi"], None)
