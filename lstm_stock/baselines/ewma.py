"""RiskMetrics: volatility from an exponentially weighted mean of squared returns, with a fixed decay."""

from __future__ import annotations

import numpy as np

from lstm_stock.baselines.task import Task, student_t_around
from lstm_stock.distributions import Distribution


def ewma(task: Task) -> Distribution:
    """A Student-t around 0 with the EWMA volatility (decay 0.94) times sqrt(k).

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
