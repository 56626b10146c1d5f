"""Heads: what the network outputs for each step, the loss that trains it, and the distribution it means.

To add a head, write a loss and a distribution, and one entry in `lstm_stock.config.heads.HEADS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy.special import stdtrit

from lstm_stock.config.heads import HEADS
from lstm_stock.config.registry import resolve
from lstm_stock.distributions import Distribution, Normal, PointForecast, QuantileFan, StudentT
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.token import vocabulary_distribution, vocabulary_loss

START_DF = 5.0
"""Degrees of freedom the Student-t starts from: daily stock returns fit best around 3 to 6."""

MIN_DF = 2.05
"""Least degrees of freedom: the variance, and so a forecast of volatility, exists above 2."""

LEVELS = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995])
"""Probabilities the quantile head forecasts: the median, both ends of every reported interval, and the tails."""


@dataclass(frozen=True)
class Head:
    """What the network outputs for each step, and the loss that trains it.

    Attributes:
        start: Biases of the outputs before training, one number per parameter: with them the forecast has the
            spread of the EWMA baseline, and training moves on from there.
        location: Which parameter is the location, whose start is 0; None if none is.
        loss: Maps `y_true` `(batch, horizon, 1)` and `params` `(batch, horizon, n_params)` to the loss of each
            step, `(batch, horizon)`.
        distribution: Maps `params` `(n_windows, horizon, n_params)` to the forecast of the targets.
    """

    start: tuple[float, ...]
    location: int | None
    loss: Callable[[Any, Any], Any]
    distribution: Callable[[NDArray[np.float64]], Distribution]


def point_loss(y_true: Any, params: Any) -> Any:
    """Squared error: the head outputs one number and claims no distribution."""
    return ops.square(y_true[..., 0] - params[..., 0])


def point_distribution(params: NDArray[np.float64]) -> Distribution:
    """A point without spread."""
    return PointForecast(params[..., 0])


def gaussian_loss(y_true: Any, params: Any) -> Any:
    """Negative log likelihood of `Normal(a, exp(b))`, parameters `a, b`."""
    z = (y_true[..., 0] - params[..., 0]) * ops.exp(-params[..., 1])
    return params[..., 1] + 0.5 * ops.square(z) + 0.5 * math.log(2 * math.pi)


def gaussian_distribution(params: NDArray[np.float64]) -> Distribution:
    """`Normal(a, exp(b))`."""
    return Normal(params[..., 0], np.exp(params[..., 1]))


def student_t_loss(y_true: Any, params: Any) -> Any:
    """Negative log likelihood of `StudentT(a, exp(b), 2.05 + softplus(c))`, parameters `a, b, c`."""
    df = MIN_DF + ops.softplus(params[..., 2])
    z = (y_true[..., 0] - params[..., 0]) * ops.exp(-params[..., 1])
    tail = (df + 1) / 2 * ops.log1p(ops.square(z) / df)
    return params[..., 1] + 0.5 * ops.log(df * math.pi) - log_gamma_step(df / 2) + tail


def student_t_distribution(params: NDArray[np.float64]) -> Distribution:
    """`StudentT(a, exp(b), 2.05 + softplus(c))`."""
    df = MIN_DF + np.logaddexp(0, params[..., 2])
    return StudentT(params[..., 0], np.exp(params[..., 1]), df)


def log_gamma_step(x: Any) -> Any:
    """Return `log gamma(x + 1/2) - log gamma(x)` for x of at least 1, accurate to 1e-6 in float32.

    Keras has no log-gamma. The difference is what a Student-t needs, and it does not cancel in float32 as two
    large log-gammas would: its asymptotic series (Tricomi & Erdelyi 1951, Pacific J. Math. 1, p. 133) at
    `x + 4`, brought back with `gamma(x + 1) = x gamma(x)`.
    """
    correction = 0.0
    for i in range(4):
        correction = correction + ops.log1p(0.5 / (x + i))
    z = 1 / (x + 4)
    series = -z / 8 + z**3 / 192 - z**5 / 640
    return 0.5 * ops.log(x + 4) + series - correction


def quantiles_of(params: Any, softplus: Callable[[Any], Any], xp: Any) -> Any:
    """Build quantiles that cannot cross: a median, and gaps outward from it that are positive.

    Args:
        params: The median in the middle, raw gaps on both sides, shape `(..., n_levels)`.
        softplus: Of the same library as `params`.
        xp: `keras.ops` or `numpy`.
    """
    middle = len(LEVELS) // 2
    median = params[..., middle : middle + 1]
    below = xp.cumsum(softplus(xp.flip(params[..., :middle], axis=-1)), axis=-1)
    above = xp.cumsum(softplus(params[..., middle + 1 :]), axis=-1)
    return xp.concatenate([median - xp.flip(below, axis=-1), median, median + above], axis=-1)


def quantile_loss(y_true: Any, params: Any) -> Any:
    """Pinball loss, the mean over `LEVELS` (Koenker & Bassett 1978, Econometrica 46, p. 38)."""
    error = y_true - quantiles_of(params, ops.softplus, ops)
    levels = ops.convert_to_tensor(LEVELS, dtype=error.dtype)
    return ops.mean(ops.maximum(levels * error, (levels - 1) * error), axis=-1)


def quantile_distribution(params: NDArray[np.float64]) -> Distribution:
    """The fan of `LEVELS`, straight lines between them."""
    return QuantileFan(LEVELS, quantiles_of(params, lambda gaps: np.logaddexp(0, gaps), np))


def _quantile_start() -> tuple[float, ...]:
    """Raw parameters at which the fan is a unit-variance Student-t with 5 degrees of freedom."""
    half = np.sqrt((START_DF - 2) / START_DF) * stdtrit(START_DF, LEVELS)[: len(LEVELS) // 2 + 1]
    raw = np.log(np.expm1(np.diff(half)))
    return (*raw, 0.0, *raw[::-1])


POINT = Head((0.0,), 0, point_loss, point_distribution)
GAUSSIAN = Head((0.0, 0.0), 0, gaussian_loss, gaussian_distribution)
STUDENT_T = Head(
    (0.0, math.log(math.sqrt((START_DF - 2) / START_DF)), math.log(math.expm1(START_DF - MIN_DF))),
    0,
    student_t_loss,
    student_t_distribution,
)
QUANTILE = Head(_quantile_start(), len(LEVELS) // 2, quantile_loss, quantile_distribution)
VOCABULARY = Head((0.0,) * Architecture.vocabulary, None, vocabulary_loss, vocabulary_distribution)


def head_of(name: str) -> Head:
    """Return the head that `lstm_stock.config.heads.HEADS` has under a name."""
    head: Head = resolve(HEADS[name].head)
    return head


def start_of(shape: Architecture) -> tuple[float, ...]:
    """Return the head's `start`; of the vocabulary as many as the network has tokens, all equally likely."""
    return (0.0,) * shape.vocabulary if shape.head == "vocabulary" else head_of(shape.head).start


def training_loss(head: str, horizon: int) -> Callable[[Any, Any], Any]:
    """Return the loss a network is trained with: the head's, step k weighted by 1/k.

    N cutoffs hold N one-bar returns but only about N/k k-bar returns that do not overlap, so the loss of step k
    says k times the same. The weights are 1 on average, so that a horizon of one is the plain loss.
    """
    weights = 1 / np.arange(1.0, horizon + 1)
    weights = (weights / weights.mean()).astype(np.float32)

    def loss(y_true: Any, params: Any) -> Any:
        return ops.mean(head_of(head).loss(y_true, params) * weights)

    return loss
