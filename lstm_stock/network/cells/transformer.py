"""A small causal transformer encoder."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from lstm_stock.network.architecture import Architecture
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

    `units[i]` is the width n of block i; where it differs from the block before, a linear map stands between.
    There are 4 heads, or 2 or 1 where the width cannot be divided, and 2n relu units. `dropout` stands where the
    paper has it, on what each part adds. A bar attends to itself and to bars before it. A block has
    `8n^2 + 11n` parameters, a map from m to n `(m + 1) n`, the last normalisation 2n. Nothing is recurrent.
    """
    options = kernel_options(spec.regularisers)
    width = 0
    for i, units in enumerate(spec.units):
        if units != width:
            x = layers.Dense(units, name=f"projection_{i + 1}", **options)(x)
        if i == 0:
            x = Positions(name="positions")(x)
        x = _block(x, units, spec, f"block_{i + 1}")
        width = units
    x = layers.LayerNormalization(epsilon=1e-6, name="encoded")(x)
    x = layers.Cropping1D((spec.look_back - 1, 0), name="last_bar")(x)
    return layers.Flatten(name="last_state")(x)


def _block(x: Any, width: int, spec: Architecture, name: str) -> Any:
    options = kernel_options(spec.regularisers)
    n_heads = math.gcd(width, MAX_HEADS)
    normal = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_1")(x)
    query, key, value = (
        layers.Dense(width, name=f"{name}_{part}", **options)(normal) for part in ("query", "key", "value")
    )
    mixed = CausalAttention(n_heads, name=f"{name}_attention")(query, key, value)
    mixed = layers.Dense(width, name=f"{name}_mix", **options)(mixed)
    x = layers.Add(name=f"{name}_add_1")([x, layers.Dropout(spec.dropout, name=f"{name}_dropout_1")(mixed)])
    normal = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_2")(x)
    wide = layers.Dense(2 * width, activation="relu", name=f"{name}_wide", **options)(normal)
    narrow = layers.Dense(width, name=f"{name}_narrow", **options)(wide)
    return layers.Add(name=f"{name}_add_2")(
        [x, layers.Dropout(spec.dropout, name=f"{name}_dropout_2")(narrow)]
    )


@keras.saving.register_keras_serializable(package="lstm_stock")
class Positions(layers.Layer):  # type: ignore[misc]
    """Add to each bar waves that tell its place in the window (Vaswani et al. 2017, section 3.5).

    Number 2i of bar t gets `sin(t / 10000^(2i/n))`, number 2i + 1 the cosine of the same. Nothing is learnt.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)

    def call(self, x: Any) -> Any:
        """Add them to `(batch, look_back, n)`."""
        return x + ops.convert_to_tensor(waves(x.shape[1], x.shape[2]), dtype=x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"name": self.name}


def waves(look_back: int, width: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return what `Positions` adds, `(look_back, width)`."""
    number = np.arange(width)
    angle = np.arange(look_back)[:, None] / 10_000.0 ** ((number - number % 2) / width)
    return np.where(number % 2 == 0, np.sin(angle), np.cos(angle))


@keras.saving.register_keras_serializable(package="lstm_stock")
class CausalAttention(layers.Layer):  # type: ignore[misc]
    """Multi-head scaled dot-product attention to this bar and those before it.

    Vaswani et al. 2017, equation 1, in each head of width d: `softmax(Q K' / sqrt(d)) V`, with the weights of
    later bars 0. It has no parameters: the maps before and after it are dense layers.
    """

    def __init__(self, n_heads: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self.n_heads = n_heads

    def call(self, query: Any, key: Any, value: Any) -> Any:
        """Attend: three times `(batch, look_back, n)` to one."""
        look_back, width = query.shape[1:]
        query, key, value = (self._split(each) for each in (query, key, value))
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / math.sqrt(width // self.n_heads)
        is_known = np.tril(np.ones((look_back, look_back), bool))
        mixed = ops.matmul(ops.softmax(ops.where(is_known, scores, -1e9)), value)
        return ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, look_back, width))

    def _split(self, x: Any) -> Any:
        """Cut `(batch, look_back, n)` into heads, `(batch, n_heads, look_back, n / n_heads)`."""
        look_back, width = x.shape[1:]
        heads = ops.reshape(x, (-1, look_back, self.n_heads, width // self.n_heads))
        return ops.transpose(heads, (0, 2, 1, 3))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"n_heads": self.n_heads, "name": self.name}
