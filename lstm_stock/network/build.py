"""From a shape to a network, from several networks to one, and from what it outputs to a forecast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from lstm_stock.config.cells import CELLS
from lstm_stock.config.heads import HEADS
from lstm_stock.config.registry import resolve
from lstm_stock.distributions import Binned, Distribution, Mixture
from lstm_stock.errors import ConfigError
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.heads import head_of, start_of

Params = NDArray[np.float32]
"""What the network outputs: `(n_windows, n_members, horizon, n_params)`."""


def build_network(shape: Architecture) -> keras.Model:
    """Build one network: `(batch, look_back, n_features)` to `(batch, n_steps, n_params)`.

    `n_steps` is the horizon, but for a network that goes on from its own draws: see `lstm_stock.network.sampling`.

    With a ticker embedding it has a second input, the codes of the tickers, `(batch,)`: 1 to `n_tickers`, 0 for a
    ticker it was not trained on.

    Raises:
        ConfigError: The cell or head is unknown.
    """
    for kind, name, known in (("cell", shape.cell, CELLS), ("head", shape.head, HEADS)):
        if name not in known:
            raise ConfigError(f"model.{kind}: got {name!r}, allowed: {', '.join(known)}")
    head = head_of(shape.head)
    start = start_of(shape)
    n_params = len(start)
    window = keras.Input((shape.look_back, shape.n_features), name="window")
    inputs, x = [window], window
    if shape.ticker_embedding:
        ticker = keras.Input((), dtype="int32", name="ticker")
        inputs, x = [window, ticker], with_ticker(window, ticker, shape)
    x = resolve(CELLS[shape.cell].build)(x, shape)
    for i, units in enumerate(shape.dense):
        x = layers.Dense(units, activation="relu", name=f"dense_{i + 1}")(x)
    x = layers.Dense(shape.n_steps * n_params, bias_initializer=TiledConstant(start), name="head")(x)
    x = layers.Reshape((shape.n_steps, n_params), name="per_step")(x)
    scale = [shape.location_unit if i == head.location else 1.0 for i in range(n_params)]
    outputs = layers.Rescaling(scale, name="units")(x)
    return keras.Model(inputs if len(inputs) > 1 else window, outputs, name=shape.cell)


def load_network(path: Path, cell: str) -> keras.Model:
    """Load a saved network of a cell, without its optimizer; nothing in the file is run as code.

    Raises:
        ValueError: The file is no Keras model, or holds an unknown layer.
        OSError: It cannot be read.
    """
    resolve(CELLS[cell].build)  # registers the cell's own layers with Keras
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def with_ticker(window: Any, ticker: Any, shape: Architecture) -> Any:
    """Lay what is learnt of each ticker beside every bar (Salinas et al. 2020, Int. J. of Forecasting 36, sec. 3).

    Args:
        window: Shape `(batch, look_back, n_features)`.
        ticker: Codes, shape `(batch,)`.
        shape: The network's shape.

    Returns:
        Shape `(batch, look_back, n_features + ticker_embedding)`.
    """
    embedding = layers.Embedding(shape.n_tickers + 1, shape.ticker_embedding, name="ticker_embedding")(ticker)
    repeated = layers.RepeatVector(shape.look_back, name="ticker_at_each_bar")(embedding)
    return layers.Concatenate(name="window_and_ticker")([window, repeated])


@keras.saving.register_keras_serializable(package="lstm_stock", name="Tiled")
class TiledConstant(keras.initializers.Initializer):  # type: ignore[misc]
    """Fill a vector with `values`, over and over."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values = tuple(float(value) for value in values)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return a tensor of `shape`, whose size is a multiple of the number of values."""
        return ops.reshape(
            ops.tile(ops.convert_to_tensor(self.values, dtype=dtype), shape[0] // len(self.values)), shape
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"values": self.values}


def build_ensemble(members: Sequence[keras.Model]) -> keras.Model:
    """Join networks of one architecture into one that outputs `Params`, so that a run is one model file."""
    inputs = [keras.Input(one.shape[1:], dtype=one.dtype, name=one.name) for one in members[0].inputs]
    given = inputs if len(inputs) > 1 else inputs[0]
    for i, member in enumerate(members):
        member.name = f"member_{i + 1}"
    outputs = [ops.expand_dims(member(given), 1) for member in members]
    return keras.Model(given, ops.concatenate(outputs, axis=1), name="members")


def to_distribution(head: str, params: Params) -> Distribution:
    """Turn the output of `build_ensemble` into one forecast: the mixture of its members.

    Args:
        head: A key of `lstm_stock.config.heads.HEADS`.
        params: Shape `(n_windows, n_members, horizon, n_params)`.

    Returns:
        The forecast of the targets, shape `(n_windows, horizon)`.
    """
    parts = [head_of(head).distribution(params[:, i].astype(np.float64)) for i in range(params.shape[1])]
    if len(parts) == 1:
        return parts[0]
    binned = [part.probability for part in parts if isinstance(part, Binned)]
    # All have the same bins, and so has their mixture.
    return Binned(np.mean(binned, axis=0)) if binned else Mixture(parts)
