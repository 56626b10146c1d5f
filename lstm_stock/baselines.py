"""The forecasters to beat: simple models of the same returns, scored at the same cutoffs.

Each one is fitted on the in-sample bars (train and val: all a forecaster could know when the test period
starts) and then forecasts from every cutoff with what is known there. To add one, write a function and an entry
in `BASELINES`. Nothing here knows the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_stock.distributions import Distribution, Empirical, StudentT
from lstm_stock.features import Array, Bars


@dataclass(frozen=True)
class Task:
    """What a baseline is asked: forecast `horizon` steps from each cutoff.

    Attributes:
        bars: The adjusted bars of one ticker, with those after a cutoff, which a baseline must not use.
        n_insample: The first so many bars may be fitted on.
        cutoffs: Row of the last bar known to each forecast, shape `(n_windows,)`.
        horizon: Steps to forecast.
    """

    bars: Bars
    n_insample: int
    cutoffs: NDArray[np.int64]
    horizon: int

    def insample_returns(self, step: int) -> Array:
        """Every k-bar log return inside the in-sample bars, overlapping, shape `(n_insample - step,)`."""
        log_close = np.log(self.bars.close[: self.n_insample])
        return log_close[step:] - log_close[:-step]

    @property
    def steps(self) -> range:
        """1 to `horizon`."""
        return range(1, self.horizon + 1)


Baseline = Callable[[Task], Distribution]
"""Forecasts the k-bar log returns: a distribution of shape `(n_windows, horizon)`."""


def naive(task: Task) -> Distribution:
    """Tomorrow = today: the last close, spread by the in-sample k-bar returns less their median."""
    return Empirical(_centred_returns(task), len(task.cutoffs))


def drift(task: Task) -> Distribution:
    """A random walk with drift: the last close grows by the mean in-sample return, spread as `naive`."""
    mean = np.mean(task.insample_returns(1))
    return Empirical(_centred_returns(task) + mean * np.array(task.steps), len(task.cutoffs))


def _centred_returns(task: Task) -> Array:
    """The in-sample k-bar returns less their median, shape `(n_samples, horizon)`."""
    # Step k has k - 1 returns fewer than step 1: all are cut to the shortest, keeping the newest.
    n_samples = task.n_insample - task.horizon
    samples = np.column_stack([task.insample_returns(step)[-n_samples:] for step in task.steps])
    return samples - np.median(samples, axis=0)


def constant_t(task: Task) -> Distribution:
    """One Student-t for each step, fitted to the in-sample k-bar returns by maximum likelihood."""
    from scipy import stats

    df, loc, scale = np.transpose([stats.t.fit(task.insample_returns(step)) for step in task.steps])
    every = np.ones((len(task.cutoffs), 1))
    return StudentT(loc * every, scale * every, _usable_df(df) * every)


def ewma(task: Task) -> Distribution:
    """RiskMetrics: no mean, volatility from the EWMA (0.94) of squared returns, times sqrt(k), Student-t.

    Scale and degrees of freedom of each step are fitted to the in-sample returns in units of that volatility.
    J.P. Morgan/Reuters, RiskMetrics Technical Document, 1996.
    """
    from scipy import stats

    df, scale = [], []
    for step in task.steps:
        unit = task.bars.volatility[: task.n_insample - step] * np.sqrt(step)
        standardised = task.insample_returns(step) / unit
        fitted = stats.t.fit(standardised[np.isfinite(standardised)], floc=0.0)
        df.append(fitted[0])
        scale.append(fitted[2])
    unit = task.bars.volatility[task.cutoffs][:, None] * np.sqrt(np.array(task.steps))
    return StudentT(
        np.zeros_like(unit), np.array(scale) * unit, _usable_df(np.array(df)) * np.ones_like(unit)
    )


def _usable_df(df: Array) -> Array:
    """Keep degrees of freedom where the mean exists and where a Student-t still differs from a normal."""
    return np.clip(df, 1.05, 1e4)


BASELINES: dict[str, Baseline] = {"naive": naive, "drift": drift, "constant_t": constant_t, "ewma": ewma}
