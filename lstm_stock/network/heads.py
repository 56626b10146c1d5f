"""Heads: the parameters that a network outputs per step, and the distribution they define.

To add a head, write a `Head`, its loss in `lstm_stock.network.losses`, and one entry in
`lstm_stock.config.heads.HEADS`. Nothing here imports Keras: a forecast without it needs the distributions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_stock.config.heads import HEADS
from lstm_stock.config.registry import Target, resolve
from lstm_stock.dataset.pooled import MIN_DF, drift_t
from lstm_stock.distributions import Distribution, Mixture, Normal, PointForecast, QuantileFan, StudentT
from lstm_stock.distributions.binned import REFERENCE_SCALE, reference_quantile
from lstm_stock.distributions.parametric import REFERENCE_DF
from lstm_stock.network.architecture import Architecture

QUANTILES = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995])
"""Probabilities of the quantile head: the median, both ends of every reported interval, and the tails."""


@dataclass(frozen=True)
class Head:
    """The output of a network for each step, and the name of the loss that trains it.

    Attributes:
        start: Maps the architecture to the biases of the outputs before training, one number per parameter. With
            them the forecast has the width of the EWMA baseline.
        location: Index of the location parameter, whose start is 0; None if there is none.
        loss: Target of a function from `y_true` `(batch, horizon, 1)` and `params` `(batch, horizon, n_params)` to
            the loss of each step, `(batch, horizon)`.
        distribution: Maps `params` `(n_windows, horizon, n_params)` to the forecast of the targets.
        mix: Maps the forecasts of several members to one: by default their mixture.
        averages_params: Whether the forecast of several members is that of their mean parameters instead: it stays
            as narrow as they are, while a mixture is wider (Schulz, Koehler & Lerch 2022, arXiv 2204.02291).
    """

    start: Callable[[Architecture], tuple[float, ...]]
    location: int | None
    loss: Target
    distribution: Callable[[NDArray[np.float64]], Distribution]
    mix: Callable[[Sequence[Distribution]], Distribution] = Mixture
    averages_params: bool = False


def head_of(name: str) -> Head:
    """Return the head that `HEADS` has under a name."""
    head: Head = resolve(HEADS[name].head)
    return head


def point_distribution(params: NDArray[np.float64]) -> Distribution:
    """Return `PointForecast(a)`."""
    return PointForecast(params[..., 0])


def gaussian_distribution(params: NDArray[np.float64]) -> Distribution:
    """Return `Normal(a, exp(b))`."""
    return Normal(params[..., 0], np.exp(params[..., 1]))


def student_t_distribution(params: NDArray[np.float64]) -> Distribution:
    """Return `StudentT(a, exp(b), 2.05 + softplus(c))`."""
    df = MIN_DF + np.logaddexp(0, params[..., 2])
    return StudentT(params[..., 0], np.exp(params[..., 1]), df)


def quantiles_of(params: Any, softplus: Callable[[Any], Any], xp: Any) -> Any:
    """Return quantiles that cannot cross: a median, and positive gaps outward from it.

    Args:
        params: The median in the middle, raw gaps on both sides, shape `(..., n_quantiles)`.
        softplus: The function of the library of `params`.
        xp: `keras.ops` or `numpy`.

    Returns:
        Shape `(..., n_quantiles)`, ascending.
    """
    middle = len(QUANTILES) // 2
    median = params[..., middle : middle + 1]
    below = xp.cumsum(softplus(xp.flip(params[..., :middle], axis=-1)), axis=-1)
    above = xp.cumsum(softplus(params[..., middle + 1 :]), axis=-1)
    return xp.concatenate([median - xp.flip(below, axis=-1), median, median + above], axis=-1)


def quantile_distribution(params: NDArray[np.float64]) -> Distribution:
    """Return the distribution with these quantiles, its CDF linear between them."""
    return QuantileFan(QUANTILES, quantiles_of(params, lambda gaps: np.logaddexp(0, gaps), np))


def _quantile_start(_: Architecture) -> tuple[float, ...]:
    """Return raw parameters whose quantiles are those of a Student-t with `REFERENCE_DF` and variance 1.

    Only a network to be trained needs them, and they load `scipy.special`.
    """
    half = reference_quantile(QUANTILES[: len(QUANTILES) // 2 + 1])
    raw = np.log(np.expm1(np.diff(half)))
    return (*raw, 0.0, *raw[::-1])


def _always(*values: float) -> Callable[[Architecture], tuple[float, ...]]:
    return lambda _: values


_LOSSES = "lstm_stock.network.losses"

POINT = Head(_always(0.0), 0, f"{_LOSSES}:point_loss", point_distribution)
GAUSSIAN = Head(_always(0.0, 0.0), 0, f"{_LOSSES}:gaussian_loss", gaussian_distribution)
STUDENT_T = Head(
    _always(0.0, math.log(REFERENCE_SCALE), math.log(math.expm1(REFERENCE_DF - MIN_DF))),
    0,
    f"{_LOSSES}:student_t_loss",
    student_t_distribution,
)
DRIFT_T = Head(
    _always(math.log(REFERENCE_SCALE), math.log(math.expm1(REFERENCE_DF - MIN_DF))),
    None,
    f"{_LOSSES}:drift_t_loss",
    drift_t,
    averages_params=True,
)
QUANTILE = Head(_quantile_start, len(QUANTILES) // 2, f"{_LOSSES}:quantile_loss", quantile_distribution)
