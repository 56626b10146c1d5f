from __future__ import annotations

import typing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock import config
from lstm_stock.errors import ConfigError
from lstm_stock.features import FEATURES, VOLATILITY_WARM_UP, Bars, feature_table, trailing_volatility
from tests.helpers import random_bars, random_prices

NAMES = tuple(FEATURES)


def test_config_and_registry_name_the_same_features():
    assert set(typing.get_args(config.FeatureName)) == set(FEATURES)


def test_every_feature_has_its_formula_in_the_first_line_of_its_docstring():
    for name, feature in FEATURES.items():
        first_line = (feature.compute.__doc__ or "").splitlines()[0]
        assert first_line.startswith("`"), name


def test_features_of_three_bars_worked_out_by_hand():
    bars = Bars(
        open=np.array([10.0, 11.0, 12.0]),
        high=np.array([12.0, 13.0, 15.0]),
        low=np.array([9.0, 10.0, 11.0]),
        close=np.array([10.0, 12.0, 11.0]),
        volume=np.array([99.0, 299.0, 399.0]),
        volatility=np.array([np.nan, 0.02, 0.03]),
    )
    table = feature_table(bars, NAMES, in_volatility=False)
    expected = {
        "log_return": np.log(11 / 12),
        "open_gap": 0.0,
        "high_gap": np.log(15 / 12),
        "low_gap": np.log(11 / 12),
        "log_range": np.log(np.log(15 / 11) + 0.0001),
        "log_volume_ratio": np.log(400 / 200),
        "log_trailing_vol": np.log(0.03),
        "open": 12.0,
        "high": 15.0,
        "low": 11.0,
        "close": 11.0,
        "volume": 399.0,
    }
    np.testing.assert_allclose(table[2], [expected[name] for name in NAMES], rtol=1e-12)


def test_in_volatility_divides_returns_and_shifts_the_log_range_by_yesterdays_volatility():
    bars = random_bars(80)
    plain = feature_table(bars, ["log_return", "log_range", "log_volume_ratio", "close"], in_volatility=False)
    scaled = feature_table(bars, ["log_return", "log_range", "log_volume_ratio", "close"], in_volatility=True)
    before = bars.volatility[69]
    np.testing.assert_allclose(scaled[70, 0], plain[70, 0] / before)
    np.testing.assert_allclose(scaled[70, 1], plain[70, 1] - np.log(before))
    np.testing.assert_array_equal(scaled[70, 2:], plain[70, 2:])


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


@settings(max_examples=30, deadline=None)
@given(cutoff=st.integers(30, 98), factor=st.floats(0.2, 5), in_volatility=st.booleans())
def test_no_feature_looks_ahead(cutoff: int, factor: float, in_volatility: bool):
    prices = random_prices(100)
    changed = prices.copy()
    changed.iloc[cutoff + 1 :] = changed.iloc[cutoff + 1 :] * factor + 1.0
    before = feature_table(Bars.of(prices), NAMES, in_volatility)
    after = feature_table(Bars.of(changed), NAMES, in_volatility)
    np.testing.assert_array_equal(before[: cutoff + 1], after[: cutoff + 1])
    assert not np.array_equal(before[cutoff + 1 :], after[cutoff + 1 :], equal_nan=True)


def test_an_unknown_feature_is_named():
    with pytest.raises(ConfigError, match="unknown features: rsi"):
        feature_table(random_bars(30), ["log_return", "rsi"], in_volatility=False)
