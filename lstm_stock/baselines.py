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

MIN_DF, MAX_DF = 1.05, 1e4
"""Degrees of freedom kept: a mean exists above 1, and above 10,000 a Student-t is a normal."""

MIN_SCALE = 0.05
"""Least scale of a fitted Student-t, in standard deviations of its sample."""


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
    """Tomorrow = today: the last close, spread to both sides alike as the in-sample k-bar returns were."""
    return Empirical(_symmetric_returns(task), len(task.cutoffs))


def drift(task: Task) -> Distribution:
    """A random walk with drift: the last close grows by the mean in-sample return, spread as `naive`."""
    mean = np.mean(task.insample_returns(1))
    return Empirical(_symmetric_returns(task) + mean * np.array(task.steps), len(task.cutoffs))


def _symmetric_returns(task: Task) -> Array:
    """The in-sample k-bar returns less their median, each with both signs, shape `(2 n_samples, horizon)`.

    Both signs, so that median and mean are the last close: returns are skewed, and less their median alone they
    would forecast a fall.
    """
    # Step k has k - 1 returns fewer than step 1: all are cut to the shortest, keeping the newest.
    n_samples = task.n_insample - task.horizon
    samples = np.column_stack([task.insample_returns(step)[-n_samples:] for step in task.steps])
    centred = samples - np.median(samples, axis=0)
    return np.concatenate([centred, -centred])


def constant_t(task: Task) -> Distribution:
    """One Student-t for each step, fitted to the in-sample k-bar returns by maximum likelihood."""
    df, loc, scale = np.transpose([_fit_t(task.insample_returns(step)) for step in task.steps])
    every = np.ones((len(task.cutoffs), 1))
    return StudentT(loc * every, scale * every, df * every)


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
    df, scale = [], []
    for step in task.steps:
        unit = task.bars.volatility[: task.n_insample - step] * np.sqrt(step)
        standardised = (task.insample_returns(step) - mean * step) / unit
        fitted_df, _, fitted_scale = _fit_t(standardised[np.isfinite(standardised)], loc=0.0)
        df.append(fitted_df)
        scale.append(fitted_scale)
    steps = np.array(task.steps)
    unit = task.bars.volatility[task.cutoffs][:, None] * np.sqrt(steps)
    every = np.ones_like(unit)
    return StudentT(mean * steps * every, np.array(scale) * unit, np.array(df) * every)


def _fit_t(sample: Array, loc: float | None = None) -> tuple[float, float, float]:
    """Fit degrees of freedom, location and scale of a Student-t by maximum likelihood.

    Where many returns are equal, as of a ticker that hardly trades, the likelihood grows without bound as the
    scale goes to zero; degrees of freedom and scale are kept from following.

    Args:
        sample: Shape `(n,)`.
        loc: The location, if it is known.
    """
    from scipy import stats

    df, fitted_loc, scale = stats.t.fit(sample) if loc is None else stats.t.fit(sample, floc=loc)
    df = min(max(float(df), MIN_DF), MAX_DF)
    return df, float(fitted_loc), max(float(scale), MIN_SCALE * float(np.std(sample)))


BASELINES: dict[str, Baseline] = {
    "naive": naive,
    "drift": drift,
    "constant_t": constant_t,
    "ewma": ewma,
    "ewma_drift": ewma_drift,
}
