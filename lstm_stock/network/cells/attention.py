"""The LSTM whose states are weighed, and the weights it gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from lstm_stock.errors import ConfigError
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.stacking import recurrent, stack

WEIGHTS = "attention_weights"
"""Name of the layer that outputs the weights, `(batch, look_back, 1)`."""

BATCH = 1024


def attention(x: Any, shape: Architecture) -> Any:
    """Stack LSTM layers and return the mean of the top layer's outputs at all bars, weighed by attention.

    The additive attention of Bahdanau, Cho & Bengio 2015 (ICLR) in the form of Yang et al. 2016 (NAACL, equations
    5 to 7), where what is asked for is the same for every window and learnt:

        u_t = tanh(W h_t + b)
        a_t = exp(v . u_t) / sum_s exp(v . u_s)
        output = sum_t a_t h_t

    On the LSTM's parameters come `(n + 2) n`, n being the width of the top layer.
    """
    make = recurrent(shape.regularisers, layers.LSTMCell, layers.LSTM)
    states = stack(x, shape, make, "lstm", every_bar=True)
    energies = layers.Dense(shape.units[-1], activation="tanh", name="attention_energies")(states)
    scores = layers.Dense(1, use_bias=False, name="attention_scores")(energies)
    weights = layers.Softmax(axis=1, name=WEIGHTS)(scores)
    pooled = layers.Dot(axes=1, name="attention_mean")([weights, states])
    return layers.Flatten(name="attention_vector")(pooled)


def attention_weights(
    network: keras.Model, given: NDArray[np.float32] | Sequence[NDArray[Any]]
) -> NDArray[np.float32]:
    """Return the weight that each member gives to each bar of each window.

    Args:
        network: What `build_ensemble` or a saved run gives, with the cell `attention`.
        given: What the network is given: scaled features `(n_windows, look_back, n_features)`, and with them the
            codes of the tickers, `(n_windows,)`, where it tells tickers apart.

    Returns:
        Shape `(n_windows, n_members, look_back)`, oldest bar first; the weights of a window sum to 1.

    Raises:
        ConfigError: The network has no attention.
    """
    members = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    found = [layer for member in members for layer in member.layers if layer.name == WEIGHTS]
    if not found:
        raise ConfigError("the network has no attention weights", "train one with `model.cell: attention`")
    # One model that outputs the weights of all members.
    inputs = [keras.Input(one.shape[1:], dtype=one.dtype, name=one.name) for one in network.inputs]
    x = inputs if len(inputs) > 1 else inputs[0]
    outputs = [
        keras.Model(member.input, layer.output)(x) for member, layer in zip(members, found, strict=True)
    ]
    weights = keras.Model(x, outputs).predict(given, batch_size=BATCH, verbose=0)
    per_member = weights if isinstance(weights, list) else [weights]
    return np.stack([each[..., 0] for each in per_member], axis=1)
