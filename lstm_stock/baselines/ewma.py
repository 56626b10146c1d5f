"""RiskMetrics: volatility as an exponentially weighted mean of squared returns, with no parameter to fit."""

from __future__ import annotations

import numpy as np

from lstm_stock.baselines.task import Task, spread_by_t
from lstm_stock.distributions import Distribution


def ewma(task: Task) -> Distribution:
    """RiskMetrics: no mean, volatility from the EWMA (0.94) of squared returns, times sqrt(k), Student-t.

    Scale and degrees of freedom of each step are fitted to the in-sample returns in units of that volatility.
    J.P. Morgan/Reuters, RiskMetrics Technical Document, 1996.
    """
    return _ewma(task, 0.0)


def ewma_drift(task: Task) -> Distribution:
    """`ewma` around the mean in-sample return: what a constant drift adds to a forecast of the spread."""
    return _ewma(task, float(np.mean(task.insample_returns(1))))


def _ewma(task: Task, mean: float) -> Distribution:
    steps = np.array(task.steps)
    scale = task.bars.volatility[:, None] * np.sqrt(steps)
    return spread_by_t(task, np.broadcast_to(mean * steps, scale.shape), scale, loc=0.0)
