"""HAR on the day's range: volatility of the next bars from that of the last day, week and month."""

from __future__ import annotations

import numpy as np

from lstm_stock.baselines.task import Task, student_t_around
from lstm_stock.dataset.har import OWN, HarModel, Regressors
from lstm_stock.distributions import Distribution
from lstm_stock.distributions.parametric import COMMON_DRIFT
from lstm_stock.errors import BaselineError, ShortHistoryError


def har_range_t(task: Task) -> Distribution:
    """A Student-t with the volatility that a `lstm_stock.dataset.har.HarModel` forecasts for each step.

    Scale and degrees of freedom of the Student-t are fitted to the in-sample returns divided by their forecast
    volatility; its location is the common drift.

    Raises:
        BaselineError: There are too few in-sample bars.
    """
    return _har_t(task, OWN)


def lhar_t(task: Task) -> Distribution:
    """HAR-range-t with persistent leverage: trends of signed returns as further regressors.

    Raises:
        BaselineError: There are too few in-sample bars.
    """
    return _har_t(task, Regressors(leverage=True))


def har_market_t(task: Task) -> Distribution:
    """HAR-range-t with the market as a further regressor: how wide the day was for all tickers, `Bars.market`.

    Raises:
        BaselineError: There are too few in-sample bars.
    """
    return _har_t(task, Regressors(market=True))


def _har_t(task: Task, regressors: Regressors) -> Distribution:
    bars = task.bars
    scale = np.full((len(bars.close), task.horizon), np.nan)
    try:
        for step in task.steps:
            variance = HarModel.fit(bars, task.n_insample, step, regressors).variance(bars)
            scale[:, step - 1] = np.sqrt(variance * step)
    except ShortHistoryError as error:
        raise BaselineError(error.message) from error
    return student_t_around(task, np.zeros_like(scale), scale, COMMON_DRIFT)
