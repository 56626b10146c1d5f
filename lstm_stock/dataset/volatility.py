"""Volatility known at each bar, from closes or from daily ranges; nothing is fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

EWMA_DECAY = 0.94
"""RiskMetrics' daily decay (J.P. Morgan/Reuters, RiskMetrics Technical Document, 1996, section 5.3)."""

RANGE_DECAY = 0.8
"""Daily decay of the range volatility: fewer days suffice, as a range measures variance as well as several
closes."""

MIN_VARIANCE = 1e-8
"""Least variance of a day, that of one basis point, so that the log of a day without movement exists."""

MONTH = 22
"""Bars in a month."""

VOLATILITY_WARM_UP = 20
"""Returns before the first value of a trailing volatility; about one month."""

MIN_VOLATILITY = 1e-5
"""Floor of a volatility: a halted ticker does not move, and returns are divided by it."""


def trailing_volatility(close: Array) -> Array:
    """Return `sigma_t = sqrt(sum_i 0.94^i r_{t-i}^2 / sum_i 0.94^i)`, known at the close of bar t.

    This is the EWMA volatility of RiskMetrics. The weights are normalised over the past bars, so that no start
    value is needed.

    Args:
        close: Adjusted closes, shape `(n_bars,)`.

    Returns:
        One-bar volatility as a log return, shape `(n_bars,)`; NaN for the first `VOLATILITY_WARM_UP` bars.
    """
    return volatility_of_moves(log_returns(close))


def volatility_of_moves(moves: Array) -> Array:
    """Return the `trailing_volatility` of a series with these moves, `(n_bars,)`; that of the first bar is NaN."""
    return _root_of_ewma(moves**2, EWMA_DECAY)


def next_volatility(volatility: Array, log_return: Array, n_returns: NDArray[np.int64]) -> Array:
    """Return the `trailing_volatility` one bar later: `sigma_{t+1}^2 = sigma_t^2 + (r_{t+1}^2 - sigma_t^2) / w`.

    Here `w = 1 + 0.94 + ... + 0.94^n` is the sum of the weights of the n returns so far and the new one.

    Args:
        volatility: Known at bar t, shape `(n,)`.
        log_return: Of bar t + 1, not scaled, shape `(n,)`.
        n_returns: How many returns `volatility` averages, shape `(n,)`.
    """
    weights = (1 - EWMA_DECAY ** (n_returns + 1.0)) / (1 - EWMA_DECAY)
    variance = volatility**2 + (log_return**2 - volatility**2) / weights
    return np.asarray(np.maximum(np.sqrt(variance), MIN_VOLATILITY), np.float64)


def range_volatility(variance: Array) -> Array:
    """Return `rho_t = sqrt(sum_i 0.8^i v_{t-i} / sum_i 0.8^i)`, v the `day_variance`, known at bar t.

    High and low of one day measure its variance as well as about five closes do (Parkinson 1980), so that
    fewer days need averaging and a change shows sooner.

    Args:
        variance: `day_variance`, shape `(n_bars,)`.

    Returns:
        One-bar volatility as a log return, shape `(n_bars,)`; NaN for the first `VOLATILITY_WARM_UP` bars.
    """
    return _root_of_ewma(variance, RANGE_DECAY)


def _root_of_ewma(variance: Array, decay: float) -> Array:
    mean = pd.Series(variance).ewm(alpha=1 - decay, adjust=True, min_periods=VOLATILITY_WARM_UP).mean()
    return np.asarray(np.maximum(np.sqrt(mean.to_numpy(np.float64)), MIN_VOLATILITY), np.float64)


def day_variance(open_: Array, high: Array, low: Array, close: Array) -> Array:
    """Return `log(open_t / close_{t-1})^2 + log(high_t / low_t)^2 / (4 log 2)`; NaN at the first bar.

    The squared gap from the last close plus the variance estimated from the day's range (Parkinson 1980,
    Journal of Business 53). For a bar without an open (0) it is the squared return from close to close. All
    arrays have shape `(n_bars,)`.
    """
    span = np.log(high[1:] / low[1:])
    with np.errstate(divide="ignore"):
        by_range = np.log(open_[1:] / close[:-1]) ** 2 + span**2 / (4 * np.log(2))
    day = np.where(open_[1:] > 0, by_range, log_returns(close)[1:] ** 2)
    return np.concatenate([[np.nan], np.maximum(day, MIN_VARIANCE)])


def variance_surprise(variance: Array) -> Array:
    """Return `log v_t` less its mean over the 22 bars before t, v the `day_variance`, shape `(n_bars,)`.

    It is NaN on days without movement, and where fewer than 11 of the 22 bars before moved.
    """
    logs = pd.Series(np.where(variance > MIN_VARIANCE, np.log(variance), np.nan))
    mean = logs.shift(1).rolling(MONTH, min_periods=MONTH // 2).mean()
    return (logs - mean).to_numpy(np.float64)


def log_returns(close: Array) -> Array:
    """Return `r_t = log(close_t / close_{t-1})`, shape `(n_bars,)`; NaN at the first bar."""
    return np.diff(np.log(close), prepend=np.nan)
