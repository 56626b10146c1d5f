"""The losses of the heads, which train a network. They compute with Keras; `heads` has their distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from lstm_stock.config.registry import resolve
from lstm_stock.dataset.pooled import MIN_DF, drifts
from lstm_stock.network.heads import QUANTILES, head_of, quantiles_of


def loss_of(head: str) -> Callable[[Any, Any], Any]:
    """Return the loss of each step of a head: see `lstm_stock.network.heads.Head`."""
    loss: Callable[[Any, Any], Any] = resolve(head_of(head).loss)
    return loss


def window_losses(head: str, horizon: int) -> Callable[[Any, Any], Any]:
    """Return the loss of each window, `(batch,)`: the mean over steps, with step k weighted by 1/k.

    N cutoffs hold N one-bar returns but only about N/k k-bar returns that do not overlap, so the losses of step k
    carry about 1/k of the information. The weights are 1 on average, so a horizon of one gives the plain loss.
    """
    weights = 1 / np.arange(1.0, horizon + 1)
    weights = (weights / weights.mean()).astype(np.float32)

    loss = loss_of(head)

    def losses(y_true: Any, params: Any) -> Any:
        return ops.mean(loss(y_true, params) * weights, axis=-1)

    return losses


def training_loss(head: str, horizon: int) -> Callable[[Any, Any], Any]:
    """Return the loss a network is trained with: the mean of `window_losses`."""
    losses = window_losses(head, horizon)
    return lambda y_true, params: ops.mean(losses(y_true, params))


def point_loss(y_true: Any, params: Any) -> Any:
    """Squared error: the head outputs one number and no distribution."""
    return ops.square(y_true[..., 0] - params[..., 0])


def gaussian_loss(y_true: Any, params: Any) -> Any:
    """Negative log likelihood of `Normal(a, exp(b))`, parameters `a, b`."""
    z = (y_true[..., 0] - params[..., 0]) * ops.exp(-params[..., 1])
    return params[..., 1] + 0.5 * ops.square(z) + 0.5 * math.log(2 * math.pi)


def student_t_loss(y_true: Any, params: Any) -> Any:
    """Negative log likelihood of `StudentT(a, exp(b), 2.05 + softplus(c))`, parameters `a, b, c`."""
    df = MIN_DF + ops.softplus(params[..., 2])
    z = (y_true[..., 0] - params[..., 0]) * ops.exp(-params[..., 1])
    return params[..., 1] + log_t_density(z, df)


def log_t_density(z: Any, df: Any) -> Any:
    """Return the negative log density of a standard Student-t with `df` degrees of freedom at z."""
    return 0.5 * ops.log(df * math.pi) - log_gamma_step(df / 2) + (df + 1) / 2 * ops.log1p(ops.square(z) / df)


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


def quantile_loss(y_true: Any, params: Any) -> Any:
    """Pinball loss, the mean over `QUANTILES` (Koenker & Bassett 1978, Econometrica 46, p. 38)."""
    error = y_true - quantiles_of(params, ops.softplus, ops)
    probabilities = ops.convert_to_tensor(QUANTILES, dtype=error.dtype)
    return ops.mean(ops.maximum(probabilities * error, (probabilities - 1) * error), axis=-1)
