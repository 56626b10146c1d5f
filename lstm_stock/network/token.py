"""The token cell: a language model of returns, whose words are bins of a Student-t.

A return in units of the volatility known the day before, `y_t = r_t / sigma_{t-1}`, becomes a *token*: the number
of the bin it falls into, of n bins that a Student-t with 5 degrees of freedom and unit variance fills equally (see
`lstm_stock.distributions.Binned`). The edges are fixed: nothing is fitted, and nothing can leak. As in a text
generator, each token is embedded (Bengio et al. 2003, Journal of Machine Learning Research 3), recurrent layers
read the sentence, and a softmax says what comes next (Graves 2013, arXiv:1308.0850, section 2). Before training
all tokens are about equally likely, which is the reference itself: the forecast starts near that of EWMA.

How such a network goes on from its own words is told in `lstm_stock.network.sampling`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from lstm_stock.config.cells import WORD_WIDTH
from lstm_stock.distributions import Binned
from lstm_stock.distributions.binned import PEAK, REFERENCE_DF, REFERENCE_SCALE, bin_edges, bin_means
from lstm_stock.network.architecture import Architecture


def token(x: Any, shape: Architecture) -> Any:
    """Turn each value into a token, embed it, and stack LSTM layers as `cells.lstm` does.

    Every feature has to be in units of its trailing volatility; the embedding is one for all of them. The layers
    return their states as well: from there `paths` goes on. The embedding adds `16 n_tokens` parameters.
    """
    x = layers.Discretization(bin_boundaries=bin_edges(shape.vocabulary).tolist(), name="token")(x)
    embedding = layers.Embedding(
        shape.vocabulary, WORD_WIDTH, embeddings_initializer=BinMeans(), name="embedding"
    )
    x = layers.Reshape((shape.look_back, shape.n_features * WORD_WIDTH), name="sentence")(embedding(x))
    for i, units in enumerate(shape.units):
        is_last = i == len(shape.units) - 1
        lstm = layers.LSTM(units, return_sequences=not is_last, return_state=True, name=f"lstm_{i + 1}")
        x = layers.Dropout(shape.dropout, name=f"dropout_{i + 1}")(lstm(x)[0])
    return x


@keras.saving.register_keras_serializable(package="lstm_stock", name="Meaning")
class BinMeans(keras.initializers.Initializer):  # type: ignore[misc]
    """Start the embedding of tokens from what they mean: the mean of the bin and its absolute value, then noise.

    A text has no order of its words; here a network with a few thousand windows would have to find out first that
    neighbouring tokens are alike.
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return a tensor `(n_tokens, width)`, width at least 2."""
        n_tokens, width = shape
        mean = bin_means(n_tokens)
        noise = keras.random.uniform((n_tokens, width - 2), -0.05, 0.05, dtype=dtype)
        return ops.concatenate([ops.cast(np.stack([mean, np.abs(mean)], axis=1), noise.dtype), noise], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor: none."""
        return {}


def vocabulary_loss(y_true: Any, params: Any) -> Any:
    """Negative log likelihood of `Binned(softmax(params))`, the logits of n tokens.

    The cross entropy of the token that came, plus what does not depend on the network and makes it a density, so
    that it compares with the losses of other heads: `-log p_k - log n - log t(y)`, t the reference's density.

    Args:
        y_true: Shape `(batch, horizon, 1)`.
        params: Shape `(batch, n_steps, n_tokens)`: all steps, or only the first.

    Returns:
        Shape `(batch, n_steps)`.
    """
    n_steps, n_tokens = params.shape[1:]
    y = y_true[:, :n_steps, 0]
    which = ops.one_hot(ops.digitize(y, bin_edges(n_tokens).tolist()), n_tokens, dtype=params.dtype)
    cross_entropy = ops.logsumexp(params, axis=-1) - ops.sum(which * params, axis=-1)
    tail = (REFERENCE_DF + 1) / 2 * ops.log1p(ops.square(y / REFERENCE_SCALE) / REFERENCE_DF)
    return cross_entropy - math.log(n_tokens) - math.log(PEAK) + tail


def vocabulary_distribution(params: NDArray[np.float64]) -> Binned:
    """`Binned(softmax(params))`."""
    return Binned(np.exp(log_softmax(params)))


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log probabilities that `logits` mean, along the last axis."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True)), np.float64)
