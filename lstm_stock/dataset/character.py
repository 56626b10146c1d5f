"""Features of what kind of ticker it is: how heavy its tails are, how much it follows the market.

Each is an EWMA with a half-life of a year, so that a network of many tickers can treat an electric utility unlike
a maker of chips. During the first `MIN_BARS` bars the value is that of a usual share, and a short history loses
nothing. Nothing here is fitted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_stock.dataset.features import Bars, of_market
from lstm_stock.dataset.volatility import Array, log_returns

HALF_LIFE = 250
"""Bars after which a day counts half: about a year."""

MIN_BARS = 60
"""Least values of a mean."""

OUTLIER, MOST_EXCESS = 2.0, 3.0
"""A return counts as far as it is beyond two volatilities, up to three more."""

LEAST_TAIL = 0.03
"""Added to a mean excess before its log, which is then finite for a ticker without outliers."""

USUAL_TAIL, USUAL_VOL_OF_VOL = 0.1, 1.2
"""Mean squared excess and mean squared variance surprise of a large US share."""

USUAL_VOL_BETA, USUAL_TREND_BETA = 1.0, 0.3
"""The same for the two features of the market."""


def tail_weight(bars: Bars) -> Array:
    """`log(E min(max(|z| - 2, 0), 3)^2 + 0.03)`, z the return in units of the trailing volatility before it."""
    excess = np.clip(np.abs(_scaled_returns(bars)) - OUTLIER, 0, MOST_EXCESS)
    return np.log(_slow_mean(excess**2, USUAL_TAIL) + LEAST_TAIL)


def vol_of_vol(bars: Bars) -> Array:
    """`log(E w^2)`, w the variance surprise: how irregular the widths of the days are."""
    return np.log(np.maximum(_slow_mean(bars.variance_surprise**2, USUAL_VOL_OF_VOL), LEAST_TAIL))


def market_vol_beta(bars: Bars) -> Array:
    """`E(w m) / E(m^2)`, w the variance surprise and m the market's: how much the width follows the market's."""
    market = of_market(bars.market)
    own = np.nan_to_num(bars.variance_surprise)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = _slow_mean(own * market, np.nan) / _slow_mean(market**2, np.nan)
    return np.where(np.isfinite(slope), slope, USUAL_VOL_BETA)


def market_trend_beta(bars: Bars) -> Array:
    """`E(z e)`, z the return in units of the trailing volatility and e the market's trend of two days."""
    products = np.nan_to_num(_scaled_returns(bars)) * of_market(bars.market_trend_2)
    return _slow_mean(products, USUAL_TREND_BETA)


def _scaled_returns(bars: Bars) -> Array:
    return log_returns(bars.close) / np.concatenate(([np.nan], bars.volatility[:-1]))


def _slow_mean(values: Array, usual: float) -> Array:
    """Return the EWMA of the values that are there, `usual` where there are too few, shape `(n_bars,)`."""
    mean = pd.Series(values).ewm(halflife=HALF_LIFE, min_periods=MIN_BARS, ignore_na=True).mean()
    return mean.fillna(usual).to_numpy(np.float64)
