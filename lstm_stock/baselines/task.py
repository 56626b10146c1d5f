"""What a baseline is asked, and the Student-t that most of them spread their forecast by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.volatility import Array
from lstm_stock.distributions import Distribution, StudentT
from lstm_stock.errors import BaselineError

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
"""Forecasts the k-bar log returns: a distribution of shape `(n_windows, horizon)`.

Raises `BaselineError` where it cannot be fitted.
"""


def fit_t(sample: Array, loc: float | None = None) -> tuple[float, float, float]:
    """Fit degrees of freedom, location and scale of a Student-t by maximum likelihood.

    Where many returns are equal, as of a ticker that hardly trades, the likelihood grows without bound as the
    scale goes to zero; degrees of freedom and scale are kept from following.

    Args:
        sample: Shape `(n,)`.
        loc: The location, if it is known.

    Raises:
        BaselineError: The sample is empty or never varies.
    """
    from scipy import optimize, special

    unit = float(np.std(sample)) if len(sample) else 0.0
    if unit == 0 or not np.isfinite(unit):
        raise BaselineError(f"{len(sample)} in-sample returns that do not vary have no distribution to fit")
    centre = float(np.median(sample)) if loc is None else loc
    x = (sample - centre) / unit

    def loss(params: Array) -> tuple[float, Array]:
        """Mean negative log likelihood, and its gradient, in log df, location and log scale."""
        df, scale = np.exp(params[0]), np.exp(params[2])
        z = (x - params[1]) / scale
        square = z * z
        log_term, weight = np.log1p(square / df), (df + 1) / (df + square)
        value = special.betaln(0.5, df / 2) + np.log(df) / 2 + params[2] + (df + 1) / 2 * log_term.mean()
        peak = special.digamma((df + 1) / 2) - special.digamma(df / 2) - 1 / df
        by_df = -(peak - log_term.mean() + (weight * square).mean() / df) / 2
        by_loc = -(weight * z).mean() / scale
        return float(value), np.array([by_df * df, by_loc, 1 - (weight * square).mean()])

    bounds = [
        (np.log(MIN_DF), np.log(MAX_DF)),
        (-1.0, 1.0) if loc is None else (0.0, 0.0),
        (np.log(MIN_SCALE), np.log(3.0)),
    ]
    start = np.array([np.log(6.0), 0.0, np.log(0.8)])
    found = optimize.minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500},
    ).x
    return float(np.exp(found[0])), centre + unit * float(found[1]), unit * float(np.exp(found[2]))


def spread_by_t(task: Task, mean: Array, scale: Array, loc: float | None = None) -> Distribution:
    """Return `mean + scale * t`, the Student-t of each step fitted to `(r - mean) / scale` in sample.

    Args:
        task: What is asked.
        mean: The forecast as known at each bar, shape `(n_bars, horizon)`; NaN where a baseline warms up.
        scale: The unit of its error, likewise, greater than 0.
        loc: Location of the Student-t, if it is known.

    Raises:
        BaselineError: Mean or scale is not known at every cutoff, or there is no in-sample error to fit.
    """
    if not (np.isfinite(mean[task.cutoffs]).all() and np.isfinite(scale[task.cutoffs]).all()):
        raise BaselineError(f"{task.cutoffs.min() + 1} bars up to the first cutoff are too few to warm up")
    every, columns = np.ones(len(task.cutoffs)), []
    for step in task.steps:
        known = slice(0, task.n_insample - step)
        unit = scale[known, step - 1]
        standardised = (task.insample_returns(step) - mean[known, step - 1]) / unit
        df, fitted_loc, factor = fit_t(standardised[np.isfinite(standardised)], loc)
        unit, centre = scale[task.cutoffs, step - 1], mean[task.cutoffs, step - 1]
        columns.append((centre + fitted_loc * unit, factor * unit, df * every))
    location, spread, df_table = (np.column_stack(part) for part in zip(*columns, strict=True))
    return StudentT(location, spread, df_table)
