"""Features of a covariate, computed on its own bars and in its own calendar.

A feature's value at bar t depends only on bars up to t. Nothing here is fitted. To add a feature, write one
function and one entry in `lstm_stock.config.covariates.COVARIATE_FEATURES`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.volatility import MONTH, VOLATILITY_WARM_UP, Array, log_returns


def log_close(bars: Bars) -> Array:
    """`log(close_t)`, for levels that return to a mean, such as a volatility index."""
    return np.asarray(np.log(bars.close), np.float64)


def log_close_change(bars: Bars) -> Array:
    """`log(close_t)` less its mean over the last 22 bars."""
    logs = pd.Series(np.log(bars.close))
    return (logs - logs.rolling(MONTH).mean()).to_numpy(np.float64)


def log_return(bars: Bars) -> Array:
    """`log(close_t / close_{t-1}) / sigma_{t-1}`, where sigma is the trailing volatility."""
    return np.concatenate(([np.nan], log_returns(bars.close)[1:] / bars.volatility[:-1]))


def trend_2(bars: Bars) -> Array:
    """EWMA of `log_return` with a half-life of 2 bars, see `trend_10`."""
    return _ewma(log_return(bars), 2)


def trend_10(bars: Bars) -> Array:
    """EWMA of `log_return` with a half-life of 10 bars.

    Past returns forecast volatility at several horizons: a fall that lasted days raises it for longer than a fall
    of one day (Corsi & Reno 2012, Journal of Business & Economic Statistics 30; Guyon & Lekeufack 2023,
    Quantitative Finance 23).
    """
    return _ewma(log_return(bars), 10)


def log_trailing_vol(bars: Bars) -> Array:
    """`log(sigma_t)`, where sigma is the trailing volatility."""
    return np.asarray(np.log(bars.volatility), np.float64)


def _ewma(values: Array, half_life: int) -> Array:
    mean = pd.Series(values).ewm(halflife=half_life, adjust=True, min_periods=VOLATILITY_WARM_UP).mean()
    return mean.to_numpy(np.float64)
