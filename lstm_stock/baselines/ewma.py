"""RiskMetrics: volatility as an exponentially weighted mean of squared returns, with no parameter to fit."""

from __future__ import annotations

import numpy as np

from lstm_stock.baselines.task import Task, student_t_around
from lstm_stock.distributions import Distribution


def ewma(task: Task) -> Distribution:
    """RiskMetrics: no mean, volatility from the EWMA (0.94) of squared returns, times sqrt(k), Student-t.

    Scale and degrees of freedom of each step are fitted to the in-sample returns divided by that volatility.
    J.P. Morgan/Reuters, RiskMetrics Technical Document, 1996.
    """
    return _ewma(task, 0.0)


def ewma_drift(task: Task) -> Distribution:
    """`ewma` around the mean in-sample return: it shows what a constant drift adds."""
    return _ewma(task, float(np.mean(task.insample_returns(1))))


def _ewma(task: Task, mean: float) -> Distribution:
    steps = np.array(task.steps)
    scale = task.bars.volatility[:, None] * np.sqrt(steps)
    return student_t_around(task, np.broadcast_to(mean * steps, scale.shape), scale, loc=0.0)
