"""The regression over all tickers of a run, which reads what the network reads of the last bar."""

from __future__ import annotations

from lstm_stock.baselines.task import Task
from lstm_stock.distributions import Distribution
from lstm_stock.errors import BaselineError


def pooled_t(task: Task) -> Distribution:
    """A Student-t whose scale and degrees of freedom are linear in the network's features of the last bar.

    See `lstm_stock.dataset.pooled.PooledT`: one fit for all tickers, to which `Task.pooled` is due.

    Raises:
        BaselineError: The task has no such forecast.
    """
    if task.pooled is None:
        raise BaselineError("the run has no regression over all tickers")
    return task.pooled
