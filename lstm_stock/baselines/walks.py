"""Baselines of constant volatility: random walks, one Student-t, past returns, and rules for the sign alone."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lstm_stock.baselines.task import Task, fit_t
from lstm_stock.dataset.volatility import Array
from lstm_stock.distributions import Distribution, Empirical, QuantileFan, SignForecast, StudentT
from lstm_stock.errors import BaselineError

REVERSAL = 10
"""Bars whose return is expected to reverse: two weeks, between the week and the month of the literature."""


def always_up(task: Task) -> Distribution:
    """Forecast a rise at every step; its hit rate is the share of rises."""
    return SignForecast(np.ones((len(task.cutoffs), task.horizon)))


def reversal_10(task: Task) -> Distribution:
    """Forecast the opposite sign of the last 10-bar return (Jegadeesh 1990, Journal of Finance 45).

    Raises:
        BaselineError: The first cutoff has fewer than ten bars before it.
    """
    if task.cutoffs.min() < REVERSAL:
        raise BaselineError(f"the first cutoff has {task.cutoffs.min()} bars before it, it needs {REVERSAL}")
    close = task.bars.close
    sign = -np.sign(close[task.cutoffs] / close[task.cutoffs - REVERSAL] - 1)
    return SignForecast(np.repeat(sign[:, None], task.horizon, axis=1))


HISTORY = 250
"""Returns that `historical` uses: about one year, the least that bank supervisors require."""

MIN_HISTORY = 50
"""Fewer returns than this do not determine a 95 % interval."""


def naive(task: Task) -> Distribution:
    """Tomorrow = today: the last close or value, the in-sample k-bar moves and their mirror image around it."""
    return Empirical(_symmetric_returns(task), len(task.cutoffs))


def drift(task: Task) -> Distribution:
    """A random walk with drift: `naive` around the last close grown by the mean in-sample return."""
    mean = np.mean(task.insample_returns(1))
    return Empirical(_symmetric_returns(task) + mean * np.array(task.steps), len(task.cutoffs))


def _symmetric_returns(task: Task) -> Array:
    """Return the in-sample k-bar returns less their median, with both signs, shape `(2 n_samples, horizon)`.

    Both signs make mean and median 0: returns are skewed, and their mean differs from their median.
    """
    # Step k has k - 1 returns fewer than step 1: each step keeps the newest of the shortest length.
    n_samples = task.n_insample - task.horizon
    samples = np.column_stack([task.insample_returns(step)[-n_samples:] for step in task.steps])
    centred = samples - np.median(samples, axis=0)
    return np.concatenate([centred, -centred])


def constant_t(task: Task) -> Distribution:
    """One Student-t per step, fitted to the in-sample k-bar returns."""
    df, loc, scale = np.transpose([fit_t(task.insample_returns(step)) for step in task.steps])
    ones = np.ones((len(task.cutoffs), 1))
    return StudentT(loc * ones, scale * ones, df * ones)


def historical(task: Task) -> Distribution:
    """Historical simulation: the last 250 k-bar returns known at each cutoff, with linear interpolation.

    Sample i of n is the quantile `(i - 1/2) / n`. If the first cutoff has fewer past
    returns, every forecast uses that number.

    Raises:
        BaselineError: The first cutoff has fewer than 50 past returns.
    """
    n_samples = min(HISTORY, int(task.cutoffs.min()) + 1 - task.horizon)
    if n_samples < MIN_HISTORY:
        raise BaselineError(
            f"{max(n_samples, 0)} past returns at the first cutoff are too few, it needs {MIN_HISTORY}"
        )
    log_close = np.log(task.bars.close)
    values = []
    for step in task.steps:
        returns = log_close[step:] - log_close[:-step]
        # Return i ends at bar i + step: the newest at cutoff c is return c - step.
        samples = sliding_window_view(returns, n_samples)
        values.append(samples[task.cutoffs - step - n_samples + 1])
    probabilities = (np.arange(n_samples) + 0.5) / n_samples
    return QuantileFan(probabilities, np.stack(values, axis=1))
