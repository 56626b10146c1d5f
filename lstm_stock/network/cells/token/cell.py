"""The layers of the token cell: discretisation, embedding, stacked LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from lstm_stock.config.cells import TOKEN_WIDTH
from lstm_stock.distributions.binned import bin_edges, bin_means
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.base import Cell
from lstm_stock.network.cells.stacking import dropout, lstm_layer
from lstm_stock.network.cells.token.sampling import forecast


def build(x: Any, spec: Architecture) -> Any:
    """Turn each value into a token, embed it, and stack LSTM layers.

    Every feature must be in units of its trailing volatility; all features share one embedding. The layers also
    return their states, from which `sampling` continues. The embedding has `16 n_tokens` parameters.
    """
    x = layers.Discretization(bin_boundaries=bin_edges(spec.vocabulary).tolist(), name="token")(x)
    embedding = layers.Embedding(
        spec.vocabulary, TOKEN_WIDTH, embeddings_initializer=BinMeans(), name="embedding"
    )
    x = layers.Reshape((spec.look_back, spec.n_features * TOKEN_WIDTH), name="sentence")(embedding(x))
    make = lstm_layer(spec)
    for i, units in enumerate(spec.units):
        is_last = i == len(spec.units) - 1
        lstm = make(units, return_sequences=not is_last, return_state=True, name=f"lstm_{i + 1}")
        x = dropout(spec, i + 1)(lstm(x)[0])
    return x


@keras.saving.register_keras_serializable(package="lstm_stock", name="Meaning")
class BinMeans(keras.initializers.Initializer):  # type: ignore[misc]
    """Initialise token embeddings with the mean of each bin and its absolute value; the other columns are noise.

    Neighbouring tokens are alike, and a few thousand windows are too few to learn that from a random start.
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return a tensor of shape `(n_tokens, width)`, width at least 2."""
        n_tokens, width = shape
        mean = bin_means(n_tokens)
        noise = keras.random.uniform((n_tokens, width - 2), -0.05, 0.05, dtype=dtype)
        return ops.concatenate([ops.cast(np.stack([mean, np.abs(mean)], axis=1), noise.dtype), noise], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor: none."""
        return {}


TOKEN = Cell(build, forecast)
