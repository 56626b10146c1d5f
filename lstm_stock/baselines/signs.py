"""Forecasts of direction and of nothing else: rules that need no model."""

from __future__ import annotations

import numpy as np

from lstm_stock.baselines.task import Task
from lstm_stock.distributions import Direction, Distribution
from lstm_stock.errors import BaselineError

REVERSAL = 10
"""Bars whose return is expected to turn: two weeks, between the week and the month of the literature."""


def always_up(task: Task) -> Distribution:
    """Up, always: its share of right signs is the share of up days."""
    return Direction(np.ones((len(task.cutoffs), task.horizon)))


def reversal_10(task: Task) -> Distribution:
    """The sign opposite to the last 10-day return (short-term reversal: Jegadeesh 1990, Journal of Finance 45).

    Raises:
        BaselineError: The first cutoff has no ten bars before it.
    """
    if task.cutoffs.min() < REVERSAL:
        raise BaselineError(f"the first cutoff has {task.cutoffs.min()} bars before it, it needs {REVERSAL}")
    close = task.bars.close
    sign = -np.sign(close[task.cutoffs] / close[task.cutoffs - REVERSAL] - 1)
    return Direction(np.repeat(sign[:, None], task.horizon, axis=1))
