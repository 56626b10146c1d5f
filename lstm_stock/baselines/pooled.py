"""The regressions over many tickers, which read what the network reads of the last bar."""

from __future__ import annotations

from lstm_stock.baselines.task import Task
from lstm_stock.distributions import Distribution
from lstm_stock.errors import BaselineError


def pooled_t(task: Task) -> Distribution:
    """A Student-t whose scale and degrees of freedom are linear in the network's features of the last bar.

    See `lstm_stock.dataset.pooled.PooledT`: one fit for all tickers of a run.

    Raises:
        BaselineError: The task has no such forecast.
    """
    return _regression(task, "pooled_t")


def universal(task: Task) -> Distribution:
    """The regression `pooled_t` as the package's universal networks have it, which were trained on other tickers.

    Raises:
        BaselineError: The task has no such forecast.
    """
    return _regression(task, "universal")


def pretrained(task: Task) -> Distribution:
    """The regression `pooled_t` of a folder of `lstm-stock pretrain`.

    Raises:
        BaselineError: The task has no such forecast.
    """
    return _regression(task, "pretrained")


def _regression(task: Task, name: str) -> Distribution:
    if name not in task.regressions:
        raise BaselineError(f"the run has no regression {name}")
    return task.regressions[name]
