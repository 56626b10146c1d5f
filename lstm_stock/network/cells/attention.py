"""The LSTM with attention over its outputs, and the attention weights of a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from lstm_stock.errors import ConfigError
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.base import PREDICT_BATCH
from lstm_stock.network.cells.stacking import lstm_layer, recurrent, stack

WEIGHTS = "attention_weights"
"""Name of the layer that outputs the weights, `(batch, look_back, 1)`."""


def attention(x: Any, spec: Architecture) -> Any:
    """Stack LSTM layers and return the mean of the top layer's outputs over bars, weighted by attention.

    The additive attention of Bahdanau, Cho & Bengio 2015 (ICLR) in the form of Yang et al. 2016 (NAACL, equations
    5 to 7), where the query v is learnt and the same for every window:

        u_t = tanh(W h_t + b)
        a_t = exp(v . u_t) / sum_s exp(v . u_s)
        output = sum_t a_t h_t

    Adds `(n + 2) n` parameters to those of the LSTM, n the width of the top layer.
    """
    make = recurrent(spec.regularisers, layers.LSTMCell, lstm_layer(spec))
    outputs = stack(x, spec, make, "lstm", return_sequences=True)
    energies = layers.Dense(spec.units[-1], activation="tanh", name="attention_energies")(outputs)
    scores = layers.Dense(1, use_bias=False, name="attention_scores")(energies)
    weights = layers.Softmax(axis=1, name=WEIGHTS)(scores)
    mean = layers.Dot(axes=1, name="attention_mean")([weights, outputs])
    return layers.Flatten(name="attention_vector")(mean)


def attention_weights(
    network: keras.Model, inputs: NDArray[np.float32] | Sequence[NDArray[Any]]
) -> NDArray[np.float32]:
    """Return the weight that each member gives to each bar of each window.

    Args:
        network: An output of `build_ensemble`, or the network of a saved run, with the cell `attention`.
        inputs: Scaled features `(n_windows, look_back, n_features)`; with a ticker embedding a pair of these and
            the ticker ids, `(n_windows,)`.

    Returns:
        Shape `(n_windows, n_members, look_back)`, oldest bar first; the weights of a window sum to 1.

    Raises:
        ConfigError: The network has no attention.
    """
    members = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    weight_layers = [layer for member in members for layer in member.layers if layer.name == WEIGHTS]
    if not weight_layers:
        raise ConfigError("the network has no attention weights", "train one with `model.cell: attention`")
    tensors = [keras.Input(one.shape[1:], dtype=one.dtype, name=one.name) for one in network.inputs]
    x = tensors if len(tensors) > 1 else tensors[0]
    outputs = [
        keras.Model(member.input, layer.output)(x)
        for member, layer in zip(members, weight_layers, strict=True)
    ]
    weights = keras.Model(x, outputs).predict(inputs, batch_size=PREDICT_BATCH, verbose=0)
    per_member = weights if isinstance(weights, list) else [weights]
    return np.stack([each[..., 0] for each in per_member], axis=1)
