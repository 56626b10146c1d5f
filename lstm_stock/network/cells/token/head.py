"""The head of the token cell: the probability of each token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from lstm_stock.distributions import Binned, Distribution
from lstm_stock.distributions.binned import PEAK, REFERENCE_SCALE, bin_edges
from lstm_stock.distributions.parametric import REFERENCE_DF
from lstm_stock.network.heads import Head


def vocabulary_loss(y_true: Any, params: Any) -> Any:
    """Negative log likelihood of `Binned(softmax(params))`, the logits of n tokens.

    The cross entropy of the observed token, and terms that do not depend on the network but make it a density, so
    that it compares with the losses of other heads: `-log p_k - log n - log t(y)`, t the reference density.

    Args:
        y_true: Shape `(batch, horizon, 1)`.
        params: Shape `(batch, n_steps, n_tokens)`; the loss uses the first `n_steps` of `y_true`.

    Returns:
        Shape `(batch, n_steps)`.
    """
    n_steps, n_tokens = params.shape[1:]
    y = y_true[:, :n_steps, 0]
    token = ops.one_hot(ops.digitize(y, bin_edges(n_tokens).tolist()), n_tokens, dtype=params.dtype)
    cross_entropy = ops.logsumexp(params, axis=-1) - ops.sum(token * params, axis=-1)
    tail = (REFERENCE_DF + 1) / 2 * ops.log1p(ops.square(y / REFERENCE_SCALE) / REFERENCE_DF)
    return cross_entropy - math.log(n_tokens) - math.log(PEAK) + tail


def vocabulary_distribution(params: NDArray[np.float64]) -> Binned:
    """Return `Binned(softmax(params))`, `params` of shape `(n_windows, horizon, n_tokens)`."""
    return Binned(np.exp(log_softmax(params)))


def mix_binned(members: Sequence[Distribution]) -> Distribution:
    """Average the bin probabilities of forecasts that all have the same bins: their mixture."""
    return Binned(np.mean([member.probability for member in members if isinstance(member, Binned)], axis=0))


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log probabilities of `logits` along the last axis."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True)), np.float64)


VOCABULARY = Head(
    start=lambda spec: (0.0,) * spec.vocabulary,
    location=None,
    loss=vocabulary_loss,
    distribution=vocabulary_distribution,
    mix=mix_binned,
)
