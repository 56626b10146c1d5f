"""A small causal transformer encoder."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from lstm_stock.network.architecture import Architecture, Regularisers
from lstm_stock.network.cells.stacking import kernel_options

MAX_HEADS = 4


def transformer(x: Any, spec: Architecture) -> Any:
    """Stack blocks of causal self-attention and feed-forward layers, and return the output at the last bar.

    Vaswani et al. 2017 (NeurIPS), with the normalisation before each part (Xiong et al. 2020, ICML), which trains
    without a warm-up of the learning rate:

        x_t = W features_t + b + position_t
        each block   y = x + W_o attention(W_q norm(x), W_k norm(x), W_v norm(x)) + b_o
                     x = y + W_2 relu(W_1 norm(y) + b_1) + b_2
        output = norm(x) at the last bar

    `units[i]` is the width n of block i; a dense layer projects to n where the previous width differs. There are 4
    heads, or 2 or 1 where n is not divisible, and 2n relu units. As in the paper, `dropout` applies to the output
    of each part. A bar attends to itself and to earlier bars. A block has `8n^2 + 11n` parameters, a projection
    from m to n `(m + 1) n`, the last normalisation 2n. Nothing is recurrent.
    """
    width = 0
    for i, units in enumerate(spec.units):
        if units != width:
            x = layers.Dense(units, name=f"projection_{i + 1}", **kernel_options(spec.regularisers))(x)
        if i == 0:
            x = Positions(name="positions")(x)
        x = _block(x, units, spec, f"block_{i + 1}")
        width = units
    x = layers.LayerNormalization(epsilon=1e-6, name="encoded")(x)
    x = layers.Cropping1D((spec.look_back - 1, 0), name="last_bar")(x)
    return layers.Flatten(name="last_state")(x)


def _block(x: Any, width: int, spec: Architecture, name: str) -> Any:
    options = kernel_options(spec.regularisers)
    norm = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_1")(x)
    mixed = attention(width, spec.regularisers, f"{name}_attention")(norm, norm, use_causal_mask=True)
    x = layers.Add(name=f"{name}_add_1")([x, layers.Dropout(spec.dropout, name=f"{name}_dropout_1")(mixed)])
    norm = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_2")(x)
    wide = layers.Dense(2 * width, activation="relu", name=f"{name}_wide", **options)(norm)
    narrow = layers.Dense(width, name=f"{name}_narrow", **options)(wide)
    return layers.Add(name=f"{name}_add_2")(
        [x, layers.Dropout(spec.dropout, name=f"{name}_dropout_2")(narrow)]
    )


def attention(width: int, rules: Regularisers, name: str) -> layers.MultiHeadAttention:
    """Return a layer of multi-head self-attention, `(batch, look_back, width)` to the same shape.

    Its four kernels are those of dense layers of `width` units, cut into heads: they are initialised and
    constrained as such.
    """
    n_heads = math.gcd(width, MAX_HEADS)
    limit = math.sqrt(3 / width)  # Glorot & Bengio 2010: Keras would read the heads as another fan-in
    options = kernel_options(rules)
    if rules.kernel_constraint is not None:
        options["kernel_constraint"] = HeadsMaxNorm(rules.kernel_constraint)
    return layers.MultiHeadAttention(
        n_heads,
        width // n_heads,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        name=name,
        **options,
    )


@keras.saving.register_keras_serializable(package="lstm_stock")
class HeadsMaxNorm(keras.constraints.Constraint):  # type: ignore[misc]
    """Limit the norm of the input weights of each unit in the kernels of `MultiHeadAttention`.

    These kernels have shapes `(n, n_heads, n / n_heads)` and `(n_heads, n / n_heads, n)`; both hold the columns of
    a dense kernel `(n, n)`.
    """

    def __init__(self, max_value: float) -> None:
        self.max_value = float(max_value)

    def __call__(self, w: Any) -> Any:
        """Return the kernel with longer columns scaled to norm `max_value`."""
        n = math.isqrt(math.prod(w.shape))
        dense = keras.constraints.MaxNorm(self.max_value, axis=0)(ops.reshape(w, (n, n)))
        return ops.reshape(dense, w.shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"max_value": self.max_value}


@keras.saving.register_keras_serializable(package="lstm_stock")
class Positions(layers.Layer):  # type: ignore[misc]
    """Add sinusoidal position encodings to each bar (Vaswani et al. 2017, section 3.5); no parameters.

    Number 2i of bar t gets `sin(t / 10000^(2i/n))`, number 2i + 1 the cosine of the same.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)

    def call(self, x: Any) -> Any:
        """Add them to `(batch, look_back, n)`."""
        return x + ops.convert_to_tensor(sinusoids(x.shape[1], x.shape[2]), dtype=x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"name": self.name}


def sinusoids(look_back: int, width: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the position encodings, shape `(look_back, width)`."""
    number = np.arange(width)
    angle = np.arange(look_back)[:, None] / 10_000.0 ** ((number - number % 2) / width)
    return np.where(number % 2 == 0, np.sin(angle), np.cos(angle))


@keras.saving.register_keras_serializable(package="lstm_stock")
class CausalAttention(layers.Layer):  # type: ignore[misc]
    """Attention between the dense layers of older saved networks: only for reading these."""

    def __init__(self, n_heads: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self.n_heads = n_heads

    def call(self, query: Any, key: Any, value: Any) -> Any:
        """Attend: three tensors `(batch, look_back, n)` to one."""
        look_back, width = query.shape[1:]
        shape = (-1, look_back, self.n_heads, width // self.n_heads)
        query, key, value = (ops.reshape(each, shape) for each in (query, key, value))
        mixed = ops.dot_product_attention(query, key, value, is_causal=True)
        return ops.reshape(mixed, (-1, look_back, width))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"n_heads": self.n_heads, "name": self.name}
