"""HAR on the day's range: volatility of the next bars from its own day, week and month, in one regression."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_stock.baselines.task import Task, spread_by_t
from lstm_stock.distributions import Distribution
from lstm_stock.errors import BaselineError
from lstm_stock.features import Array, Bars, log_returns

WEEK, MONTH = 5, 22
"""Bars that the past is averaged over, besides the last one (Corsi 2009)."""

MIN_VARIANCE = 1e-8
"""Least variance of a day, that of one basis point: the log of a day without any movement must exist."""

MIN_ROWS = 100
"""Bars below which a regression on six columns is not fitted."""


def har_range_t(task: Task) -> Distribution:
    """HAR-range-t: log variance of the next k bars by least squares on the ranges before, then a Student-t.

    The day's variance is measured from its prices: the squared gap from the last close, and the range's
    `log(high / low)^2 / (4 log 2)` (Parkinson 1980, Journal of Business 53). For every step its log, averaged
    over the step's bars, is regressed on the last day's, its means over 5 and 22 days, the log of the EWMA of
    squared returns, and the last return where it is a fall (Corsi 2009, Journal of Financial Econometrics 7;
    the fall as in Corsi & Reno 2012, Journal of Business & Economic Statistics 30). Location, scale and
    degrees of freedom of the Student-t are fitted to the in-sample returns in units of the volatility so
    forecast.

    Raises:
        BaselineError: There are too few in-sample bars.
    """
    bars, n = task.bars, task.n_insample
    day = day_variance(bars)
    inputs = _inputs(bars, day, float(np.nanmean(day[:n])))
    known = np.asarray(np.isfinite(inputs).all(axis=1))
    scale = np.full((len(day), task.horizon), np.nan)
    for step in task.steps:
        ahead = np.log(_mean_ahead(day, step))
        rows = np.flatnonzero(known[: n - step])
        if len(rows) < MIN_ROWS:
            raise BaselineError(
                f"{len(rows)} in-sample bars are too few for its regression, it needs {MIN_ROWS}"
            )
        weights = np.linalg.lstsq(inputs[rows], ahead[rows], rcond=None)[0]
        # Beyond anything seen in sample a straight line is no guide (Swanson & White 1997, Int. J. of
        # Forecasting 13).
        logs = np.clip(inputs[known] @ weights, ahead[rows].min(), ahead[rows].max())
        scale[known, step - 1] = np.exp(logs / 2) * np.sqrt(step)
    return spread_by_t(task, np.zeros_like(scale), scale)


def day_variance(bars: Bars) -> Array:
    """Return `log(open_t / close_{t-1})^2 + log(high_t / low_t)^2 / (4 log 2)`; NaN at the first bar."""
    gap = np.log(bars.open[1:] / bars.close[:-1])
    span = np.log(bars.high[1:] / bars.low[1:])
    return np.concatenate([[np.nan], np.maximum(gap**2 + span**2 / (4 * np.log(2)), MIN_VARIANCE)])


def _inputs(bars: Bars, day: Array, usual: float) -> Array:
    """Return the regressors as known at each bar, shape `(n_bars, 6)`; NaN while they warm up."""
    logs = pd.Series(np.log(day))
    week, month = (logs.rolling(n).mean().to_numpy(np.float64) for n in (WEEK, MONTH))
    fall = np.minimum(log_returns(bars.close), 0) / np.sqrt(usual)
    ewma = 2 * np.log(bars.volatility)
    return np.column_stack([np.ones(len(day)), logs, week, month, ewma, fall])


def _mean_ahead(day: Array, step: int) -> Array:
    """Return the mean of the `step` values after each bar, shape `(n_bars - step,)`."""
    return np.asarray(np.mean([day[i : len(day) - step + i] for i in range(1, step + 1)], axis=0))
