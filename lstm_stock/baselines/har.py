"""HAR on the day's range: volatility of the next bars from its own day, week and month, in one regression."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_stock.baselines.task import Task, spread_by_t
from lstm_stock.distributions import Distribution
from lstm_stock.errors import BaselineError
from lstm_stock.features import Array, Bars, day_variance, log_returns

WEEK, MONTH = 5, 22
"""Bars that the past is averaged over, besides the last one (Corsi 2009)."""

MIN_ROWS = 100
"""Bars below which a regression on six columns is not fitted."""


def har_range_t(task: Task) -> Distribution:
    """HAR-range-t: log variance of the next k bars by least squares on the ranges before, then a Student-t.

    The day's variance is `lstm_stock.features.day_variance`. For every step its log, averaged
    over the step's bars, is regressed on the last day's, its means over 5 and 22 days, the log of the EWMA of
    squared returns, and the last return where it is a fall (Corsi 2009, Journal of Financial Econometrics 7;
    the fall as in Corsi & Reno 2012, Journal of Business & Economic Statistics 30). Location, scale and
    degrees of freedom of the Student-t are fitted to the in-sample returns in units of the volatility so
    forecast.

    Raises:
        BaselineError: There are too few in-sample bars.
    """
    bars, n = task.bars, task.n_insample
    day = day_variance(bars.open, bars.high, bars.low, bars.close)
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
