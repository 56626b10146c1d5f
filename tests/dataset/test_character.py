"""Features of what kind of ticker it is, computed again with weights written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lstm_stock.dataset.features import Bars, feature_table
from tests.helpers import random_bars

RANDOM = np.random.default_rng(7)
BARS = replace(
    random_bars(700, seed=2), market=RANDOM.normal(size=700), market_trend_2=RANDOM.normal(size=700)
)
SCALED = np.log(BARS.close[1:] / BARS.close[:-1]) / BARS.volatility[:-1]
"""Returns of the bars 1, 2, ... in units of the trailing volatility before them, NaN during its warm-up."""


def column(name: str, bars: Bars = BARS) -> np.ndarray:
    return feature_table(bars, [name], bars.range_volatility)[:, 0]


def weighted(values: np.ndarray) -> float:
    """The mean of the values that are there, of which the newest but 250 counts half."""
    there = values[np.isfinite(values)]
    return float(np.average(there, weights=0.5 ** (np.arange(len(there))[::-1] / 250)))


def test_tail_weight_is_that_of_returns_beyond_two_volatilities_and_up_to_five():
    excess = np.clip(np.abs(SCALED) - 2, 0, 3) ** 2
    assert column("tail_weight")[690] == pytest.approx(np.log(weighted(excess[:690]) + 0.03), rel=1e-9)
    quiet = np.isfinite(SCALED).cumsum() < 60
    np.testing.assert_allclose(column("tail_weight")[1:][quiet], np.log(0.13))
    assert (column("tail_weight")[1:][~quiet] != np.log(0.13)).all()


def test_vol_of_vol_and_the_market_betas_follow_the_variance_surprise_and_the_return():
    wide = BARS.variance_surprise
    assert column("vol_of_vol")[690] == pytest.approx(np.log(weighted(wide[:691] ** 2)), rel=1e-9)
    beta = weighted(np.nan_to_num(wide[:691]) * BARS.market[:691]) / weighted(BARS.market[:691] ** 2)
    assert column("market_vol_beta")[690] == pytest.approx(beta, rel=1e-9)
    products = np.nan_to_num(np.r_[0, SCALED[:690]]) * BARS.market_trend_2[:691]
    assert column("market_trend_beta")[690] == pytest.approx(weighted(products), rel=1e-9)


def test_a_ticker_that_moves_twice_as_much_as_the_market_has_twice_the_beta():
    follows, reversed_ = (
        replace(BARS, market=factor * np.nan_to_num(BARS.variance_surprise)) for factor in (0.5, -1)
    )
    np.testing.assert_allclose(column("market_vol_beta", follows)[100:], 2, rtol=1e-9)
    np.testing.assert_allclose(column("market_vol_beta", reversed_)[100:], -1, rtol=1e-9)


def test_short_histories_and_markets_without_movement_have_the_values_of_a_usual_share():
    usual = {"tail_weight": np.log(0.13), "vol_of_vol": np.log(1.2)}
    usual |= {"market_vol_beta": 1.0, "market_trend_beta": 0.3}
    for name, value in usual.items():
        np.testing.assert_allclose(column(name)[:59], value, rtol=1e-12)
    assert (column("market_vol_beta", replace(BARS, market=np.zeros(700))) == 1).all()
