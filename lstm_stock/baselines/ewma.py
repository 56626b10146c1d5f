"""RiskMetrics: volatility from an exponentially weighted mean of squared returns, with a fixed decay."""

from __future__ import annotations

import numpy as np

from lstm_stock.baselines.task import Task, student_t_around
from lstm_stock.distributions import Distribution
from lstm_stock.distributions.parametric import COMMON_DRIFT


def ewma(task: Task) -> Distribution:
    """A Student-t with the EWMA volatility (decay 0.94) times sqrt(k), around the common drift.

    Scale and degrees of freedom of each step are fitted to the in-sample returns divided by that volatility.
    J.P. Morgan/Reuters, RiskMetrics Technical Document, 1996, which has no drift.
    """
    return _ewma(task, 0.0, COMMON_DRIFT)


def ewma_drift(task: Task) -> Distribution:
    """`ewma` around the ticker's own mean in-sample return: it shows what a fitted drift adds."""
    return _ewma(task, float(np.mean(task.insample_returns(1))), 0.0)


def _ewma(task: Task, mean: float, drift: float) -> Distribution:
    steps = np.array(task.steps)
    scale = task.bars.volatility[:, None] * np.sqrt(steps)
    return student_t_around(task, np.broadcast_to(mean * steps, scale.shape), scale, drift)
