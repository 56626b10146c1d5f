"""The task of a baseline, and the Student-t forecast that most of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.volatility import Array
from lstm_stock.distributions import Distribution, StudentT
from lstm_stock.distributions.student_t_fit import fit_student_t
from lstm_stock.errors import BaselineError


@dataclass(frozen=True)
class Task:
    """Forecast `horizon` steps from each cutoff.

    Attributes:
        bars: All adjusted bars of one ticker, or its values; a forecast must not use those after its cutoff.
        n_insample: Number of bars, from the first on, that a baseline may be fitted on.
        cutoffs: Row of the last bar that each forecast may use, shape `(n_windows,)`.
        horizon: Steps to forecast.
        regressions: The forecast of each `lstm_stock.dataset.pooled.PooledT`, which is fitted to all tickers of a
            run or pretrained, by the name of the baseline, shape `(n_windows, horizon)`.
    """

    bars: Bars
    n_insample: int
    cutoffs: NDArray[np.int64]
    horizon: int
    regressions: Mapping[str, Distribution] = field(default_factory=dict)

    def insample_returns(self, step: int) -> Array:
        """Return all overlapping moves over `step` in-sample bars, log returns, shape `(n_insample - step,)`."""
        path = self.bars.path[: self.n_insample]
        return path[step:] - path[:-step]

    @property
    def steps(self) -> range:
        """1 to `horizon`."""
        return range(1, self.horizon + 1)


@dataclass(frozen=True)
class BaselineSpec:
    """Facts about a baseline.

    Attributes:
        forecast: Maps a task to the distribution of the k-bar moves, log returns, `(n_windows, horizon)`; raises
            `BaselineError` where it cannot be fitted.
        follows_volatility: Whether the width of its forecasts follows the volatility of the market. A verdict
            makes no claim about the others: their losses and the network's differ for as long as volatility
            stays high or low, and no test of mean losses holds its size then.
        needs_market: Whether it reads `Bars.market`; it then forecasts only where the bars have it.
        needs_regression: Whether it is one of `Task.regressions`; it then forecasts only where it is there.
        of_prices: Whether it forecasts prices.
        of_values: Whether it forecasts series of values that are no prices.
    """

    forecast: Callable[[Task], Distribution]
    follows_volatility: bool = False
    needs_market: bool = False
    needs_regression: bool = False
    of_prices: bool = True
    of_values: bool = False


def fit_t(sample: Array, drift: float | None = None) -> tuple[float, float, float]:
    """Return degrees of freedom, location and scale of `lstm_stock.distributions.student_t_fit.fit_student_t`.

    Args:
        sample: Shape `(n,)`, all finite.
        drift: The location in units of the scale, where it is not fitted.

    Raises:
        BaselineError: The sample is empty or does not vary.
    """
    try:
        return fit_student_t(sample, drift)
    except ValueError as error:
        raise BaselineError(str(error)) from error


def student_t_around(task: Task, mean: Array, scale: Array, drift: float | None = None) -> Distribution:
    """Return `mean + scale * t`, the Student-t of each step fitted to `(r - mean) / scale` in sample.

    Args:
        task: What to forecast.
        mean: Mean of the k-bar returns, forecast at each bar, shape `(n_bars, horizon)`; NaN during warm-up.
        scale: The divisor of its error, greater than 0, shape `(n_bars, horizon)`.
        drift: Location of the Student-t of one step in units of its scale, where it is not fitted; that of step k
            is sqrt(k) times as large, since k steps drift k times as far and are sqrt(k) times as wide.

    Raises:
        BaselineError: Mean or scale is NaN at a cutoff, or the in-sample errors do not vary.
    """
    if not (np.isfinite(mean[task.cutoffs]).all() and np.isfinite(scale[task.cutoffs]).all()):
        raise BaselineError(f"{task.cutoffs.min() + 1} bars up to the first cutoff are too few to warm up")
    ones, columns = np.ones(len(task.cutoffs)), []
    for step in task.steps:
        insample = slice(0, task.n_insample - step)
        errors = (task.insample_returns(step) - mean[insample, step - 1]) / scale[insample, step - 1]
        df, t_loc, t_scale = fit_t(errors[np.isfinite(errors)], None if drift is None else drift * step**0.5)
        step_mean, step_scale = mean[task.cutoffs, step - 1], scale[task.cutoffs, step - 1]
        columns.append((step_mean + t_loc * step_scale, t_scale * step_scale, df * ones))
    return StudentT(*(np.column_stack(parameter) for parameter in zip(*columns, strict=True)))
