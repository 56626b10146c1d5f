"""Heads: the parameters that a network outputs per step, the loss that trains them, the distribution they define.

To add a head, write a `Head` and one entry in `lstm_stock.config.heads.HEADS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from lstm_stock.config.heads import HEADS
from lstm_stock.config.registry import resolve
from lstm_stock.dataset.pooled import MIN_DF, drift_t, drifts
from lstm_stock.distributions import Distribution, Mixture, Normal, PointForecast, QuantileFan, StudentT
from lstm_stock.distributions.binned import REFERENCE_SCALE, reference_quantile
from lstm_stock.distributions.parametric import REFERENCE_DF
from lstm_stock.network.architecture import Architecture

QUANTILES = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995])
"""Probabilities of the quantile head: the median, both ends of every reported interval, and the tails."""


@dataclass(frozen=True)
class Head:
    """The output of a network for each step, and the loss that trains it.

    Attributes:
        start: Maps the architecture to the biases of the outputs before training, one number per parameter. With
            them the forecast has the width of the EWMA baseline.
        location: Index of the location parameter, whose start is 0; None if there is none.
        loss: Maps `y_true` `(batch, horizon, 1)` and `params` `(batch, horizon, n_params)` to the loss of each
            step, `(batch, horizon)`.
        distribution: Maps `params` `(n_windows, horizon, n_params)` to the forecast of the targets.
        mix: Maps the forecasts of several members to one: by default their mixture.
        averages_params: Whether the forecast of several members is that of their mean parameters instead: it stays
            as narrow as they are, while a mixture is wider (Schulz, Koehler & Lerch 2022, arXiv 2204.02291).
    """

    start: Callable[[Architecture], tuple[float, ...]]
    location: int | None
    loss: Callable[[Any, Any], Any]
    distribution: Callable[[NDArray[np.float64]], Distribution]
    mix: Callable[[Sequence[Distribution]], Distribution] = Mixture
    averages_params: bool = False


def head_of(name: str) -> Head:
    """Return the head that `HEADS` has under a name."""
    head: Head = resolve(HEADS[name].head)
    return head


def window_losses(head: str, horizon: int) -> Callable[[Any, Any], Any]:
    """Return the loss of each window, `(batch,)`: the mean over steps, with step k weighted by 1/k.

    N cutoffs hold N one-bar returns but only about N/k k-bar returns that do not overlap, so the losses of step k
    carry about 1/k of the information. The weights are 1 on average, so a horizon of one gives the plain loss.
    """
    weights = 1 / np.arange(1.0, horizon + 1)
    weights = (weights / weights.mean()).astype(np.float32)

    def losses(y_true: Any, params: Any) -> Any:
        return ops.mean(head_of(head).loss(y_true, params) * weights, axis=-1)

    return losses


def training_loss(head: str, horizon: int) -> Callable[[Any, Any], Any]:
    """Return the loss a network is trained with: the mean of `window_losses`."""
    losses = window_losses(head, horizon)
    return lambda y_true, params: ops.mean(losses(y_true, params))


def point_loss(y_true: Any, params: Any) -> Any:
    """Squared error: the head outputs one number and no distribution."""
    return ops.square(y_true[..., 0] - params[..., 0])


def point_distribution(params: NDArray[np.float64]) -> Distribution:
    """Return `PointForecast(a)`."""
    return PointForecast(params[..., 0])


def gaussian_loss(y_true: Any, params: Any) -> Any:
    """Negative log likelihood of `Normal(a, exp(b))`, parameters `a, b`."""
    z = (y_true[..., 0] - params[..., 0]) * ops.exp(-params[..., 1])
    return params[..., 1] + 0.5 * ops.square(z) + 0.5 * math.log(2 * math.pi)


def gaussian_distribution(params: NDArray[np.float64]) -> Distribution:
    """Return `Normal(a, exp(b))`."""
    return Normal(params[..., 0], np.exp(params[..., 1]))


def student_t_loss(y_true: Any, params: Any) -> Any:
    """Negative log likelihood of `StudentT(a, exp(b), 2.05 + softplus(c))`, parameters `a, b, c`."""
    df = MIN_DF + ops.softplus(params[..., 2])
    z = (y_true[..., 0] - params[..., 0]) * ops.exp(-params[..., 1])
    return params[..., 1] + log_t_density(z, df)


def log_t_density(z: Any, df: Any) -> Any:
    """Return the negative log density of a standard Student-t with `df` degrees of freedom at z."""
    return 0.5 * ops.log(df * math.pi) - log_gamma_step(df / 2) + (df + 1) / 2 * ops.log1p(ops.square(z) / df)


def student_t_distribution(params: NDArray[np.float64]) -> Distribution:
    """Return `StudentT(a, exp(b), 2.05 + softplus(c))`."""
    df = MIN_DF + np.logaddexp(0, params[..., 2])
    return StudentT(params[..., 0], np.exp(params[..., 1]), df)


def drift_t_loss(y_true: Any, params: Any) -> Any:
    """Negative log likelihood of `lstm_stock.dataset.pooled.drift_t`, parameters `a, b`."""
    drift = ops.convert_to_tensor(drifts(params.shape[-2]), dtype=params.dtype)
    z = y_true[..., 0] * ops.exp(-params[..., 0]) - drift
    return params[..., 0] + log_t_density(z, MIN_DF + ops.softplus(params[..., 1]))


def log_gamma_step(x: Any) -> Any:
    """Return `log gamma(x + 1/2) - log gamma(x)` for x of at least 1, accurate to 1e-6 in float32.

    Keras has no log-gamma, and the difference of two large log-gammas would cancel in float32. Computed by the
    asymptotic series (Tricomi & Erdelyi 1951, Pacific J. Math. 1, p. 133) at `x + 4`, reduced to x with
    `gamma(x + 1) = x gamma(x)`.
    """
    correction = 0.0
    for i in range(4):
        correction = correction + ops.log1p(0.5 / (x + i))
    z = 1 / (x + 4)
    series = -z / 8 + z**3 / 192 - z**5 / 640
    return 0.5 * ops.log(x + 4) + series - correction


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


def quantile_loss(y_true: Any, params: Any) -> Any:
    """Pinball loss, the mean over `QUANTILES` (Koenker & Bassett 1978, Econometrica 46, p. 38)."""
    error = y_true - quantiles_of(params, ops.softplus, ops)
    probabilities = ops.convert_to_tensor(QUANTILES, dtype=error.dtype)
    return ops.mean(ops.maximum(probabilities * error, (probabilities - 1) * error), axis=-1)


def quantile_distribution(params: NDArray[np.float64]) -> Distribution:
    """Return the distribution with these quantiles, its CDF linear between them."""
    return QuantileFan(QUANTILES, quantiles_of(params, lambda gaps: np.logaddexp(0, gaps), np))


def _quantile_start() -> tuple[float, ...]:
    """Return raw parameters whose quantiles are those of a Student-t with `REFERENCE_DF` and variance 1."""
    half = reference_quantile(QUANTILES[: len(QUANTILES) // 2 + 1])
    raw = np.log(np.expm1(np.diff(half)))
    return (*raw, 0.0, *raw[::-1])


def _always(*values: float) -> Callable[[Architecture], tuple[float, ...]]:
    return lambda _: values


POINT = Head(_always(0.0), 0, point_loss, point_distribution)
GAUSSIAN = Head(_always(0.0, 0.0), 0, gaussian_loss, gaussian_distribution)
STUDENT_T = Head(
    _always(0.0, math.log(REFERENCE_SCALE), math.log(math.expm1(REFERENCE_DF - MIN_DF))),
    0,
    student_t_loss,
    student_t_distribution,
)
DRIFT_T = Head(
    _always(math.log(REFERENCE_SCALE), math.log(math.expm1(REFERENCE_DF - MIN_DF))),
    None,
    drift_t_loss,
    drift_t,
    averages_params=True,
)
QUANTILE = Head(_always(*_quantile_start()), len(QUANTILES) // 2, quantile_loss, quantile_distribution)
