"""Build Keras models: one network of an architecture, several networks joined to one, one read from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from lstm_stock.config.cells import CELLS
from lstm_stock.config.heads import HEADS
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.errors import ConfigError
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.base import cell_of
from lstm_stock.network.heads import head_of
from lstm_stock.network.keras_file import require_sane_archive

SHORTCUT = "shortcut"
"""Name of the layer that maps the last bar to the output."""


LARGEST_WEIGHT = 1e6
"""Greatest absolute weight of a network that is loaded: those of a trained one are below a hundred."""


def build_network(spec: Architecture) -> keras.Model:
    """Build one network: `(batch, look_back, n_features)` to `(batch, n_steps, n_params)`.

    With a ticker embedding it has a second input, the ids of the tickers, `(batch,)`: 1 to `n_tickers`, 0 for a
    ticker it was not trained on.

    Raises:
        ConfigError: The cell or head is unknown.
    """
    for kind, name, registry in (("cell", spec.cell, CELLS), ("head", spec.head, HEADS)):
        if name not in registry:
            raise ConfigError(f"model.{kind}: got {name!r}, allowed: {', '.join(registry)}")
    head = head_of(spec.head)
    start = head.start(spec)
    n_params = len(start)
    window = keras.Input((spec.look_back, spec.n_features), name="window")
    inputs, x = [window], window
    if spec.ticker_embedding:
        ticker = keras.Input((), dtype="int32", name="ticker")
        inputs, x = [window, ticker], with_ticker_embedding(window, ticker, spec)
    x = cell_of(spec.cell).build(x, spec)
    for i, units in enumerate(spec.dense):
        x = layers.Dense(units, activation="relu", name=f"dense_{i + 1}")(x)
    # Mixed precision ends before the head: a likelihood needs float32.
    dtype = keras.config.dtype_policy().variable_dtype
    biases = keras.initializers.Constant([*start] * spec.n_steps)
    n_outputs = len(biases.value)
    if spec.shortcut:
        x = layers.Dense(n_outputs, kernel_initializer="zeros", dtype=dtype, name="head")(x)
        last = layers.Flatten(dtype=dtype, name="shortcut_inputs")(
            layers.Cropping1D((spec.look_back - 1, 0), dtype=dtype, name="shortcut_last_bar")(window)
        )
        linear = layers.Dense(
            n_outputs, kernel_initializer="zeros", bias_initializer=biases, dtype=dtype, name=SHORTCUT
        )(last)
        x = layers.Add(dtype=dtype, name="shortcut_and_head")([linear, x])
    else:
        x = layers.Dense(n_outputs, bias_initializer=biases, dtype=dtype, name="head")(x)
    x = layers.Reshape((spec.n_steps, n_params), dtype=dtype, name="per_step")(x)
    scale = [spec.location_unit if i == head.location else 1.0 for i in range(n_params)]
    outputs = layers.Rescaling(scale, dtype=dtype, name="units")(x)
    return keras.Model(inputs if len(inputs) > 1 else window, outputs, name=spec.cell)


def set_shortcut(network: keras.Model, regression: PooledT) -> None:
    """Make a new network with a shortcut forecast what a regression does."""
    kernel = regression.slopes.reshape(len(regression.slopes), -1)
    network.get_layer(SHORTCUT).set_weights([kernel, regression.intercepts.ravel()])


def build_ensemble(members: Sequence[keras.Model]) -> keras.Model:
    """Join networks of one architecture into one that outputs `Params`, so that a run is one model file."""
    inputs = [keras.Input(one.shape[1:], dtype=one.dtype, name=one.name) for one in members[0].inputs]
    x = inputs if len(inputs) > 1 else inputs[0]
    for i, member in enumerate(members):
        member.name = f"member_{i + 1}"
    outputs = [ops.expand_dims(member(x), 1) for member in members]
    return keras.Model(x, ops.concatenate(outputs, axis=1), name="members")


def load_network(path: Path, cell: str) -> keras.Model:
    """Load a saved network of a cell, without its optimizer; no code in the file is run.

    Raises:
        ValueError: The file is no Keras model, holds an unknown layer, a layer of absurd size, or weights that are
            not finite or absurdly large.
        OSError: It cannot be read.
    """
    require_sane_archive(path)
    cell_of(cell)  # registers the cell's own layers with Keras
    try:
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    except OSError:
        raise
    except Exception as error:  # what Keras raises on a changed file may be of any type
        raise ValueError(f"Keras cannot read it: {error}") from error
    if not isinstance(network, keras.Model) or len(network.outputs) != 1:
        raise ValueError("it is no model with one output")
    for weight in network.weights:
        values = np.asarray(weight)
        if not (np.abs(values) <= LARGEST_WEIGHT).all():
            raise ValueError(f"`{weight.path}` has weights that are not finite, or beyond {LARGEST_WEIGHT:g}")
    return network


def with_ticker_embedding(window: Any, ticker: Any, spec: Architecture) -> Any:
    """Concatenate the ticker embedding to every bar (Salinas et al. 2020, Int. J. of Forecasting 36, sec. 3).

    Args:
        window: Shape `(batch, look_back, n_features)`.
        ticker: Ids, shape `(batch,)`.
        spec: The architecture.

    Returns:
        Shape `(batch, look_back, n_features + ticker_embedding)`.
    """
    embedding = layers.Embedding(spec.n_tickers + 1, spec.ticker_embedding, name="ticker_embedding")(ticker)
    repeated = layers.RepeatVector(spec.look_back, name="ticker_at_each_bar")(embedding)
    return layers.Concatenate(name="window_and_ticker")([window, repeated])


@keras.saving.register_keras_serializable(package="lstm_stock", name="Tiled")
class TiledConstant(keras.initializers.Initializer):  # type: ignore[misc]
    """Fill a vector with `values`, repeated: only for reading older saved networks."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values = tuple(float(value) for value in values)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return a tensor of `shape`, one axis long, whose size is a multiple of the number of values."""
        values = ops.convert_to_tensor(self.values, dtype=dtype)
        return ops.reshape(ops.tile(values, shape[0] // len(self.values)), shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"values": self.values}
