"""Stacked layers, and the regularisers of a cell: L2, zoneout, dropout, norm constraints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
from keras import layers, ops

from lstm_stock.network.architecture import Architecture, Regularisers
from lstm_stock.network.cells.fused_lstm import FusedDropout, FusedLSTM


@keras.saving.register_keras_serializable(package="lstm_stock")
class SilentL2(keras.regularizers.Regularizer):  # type: ignore[misc]
    """The L2 penalty `strength * sum(w^2)` with its gradient but a value of 0.

    Keras adds penalties to `loss` and to `val_loss`: early stopping would minimise the sum, and losses with and
    without a penalty would not compare. This penalty subtracts itself with the gradient stopped. So it moves the
    weights like an L2 penalty, and the reported losses are those of the forecast alone.
    """

    def __init__(self, strength: float) -> None:
        self.strength = float(strength)

    def __call__(self, x: Any) -> Any:
        """Return 0, with a gradient of `2 * strength * x`."""
        penalty = self.strength * ops.sum(ops.square(x))
        return penalty - ops.stop_gradient(penalty)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"strength": self.strength}


@keras.saving.register_keras_serializable(package="lstm_stock")
class Zoneout(keras.layers.Layer):  # type: ignore[misc]
    """A recurrent cell that wraps another one and keeps each state unit unchanged with probability `rate`.

    Krueger et al. 2017 (Zoneout: regularizing RNNs by randomly preserving hidden activations, ICLR), section 3.2,
    for every state s (h of an RNN or GRU, h and c of an LSTM) and the next state s' of the inner cell:

        in training   s_t = d s_{t-1} + (1 - d) s'_t,   d ~ Bernoulli(rate) for each unit and bar
        afterwards    s_t = rate s_{t-1} + (1 - rate) s'_t

    As in the paper, h' is computed from the c' of the inner cell, not from c_t. The output is the state h. Unlike
    dropout, which sets a unit to zero, zoneout preserves its value and its gradient.

    Args:
        cell: Any Keras cell whose output is its first state.
        rate: Probability to keep the previous value, 0 to 1.
        name: Name of the layer.
    """

    def __init__(self, cell: Any, rate: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.cell = cell
        self.rate = float(rate)
        self.seed_generator = keras.random.SeedGenerator()
        self.state_size = cell.state_size
        self.output_size = cell.output_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights of the inner cell; a cell read from a file has them already."""
        if not self.cell.built:
            self.cell.build(input_shape)
        self.built = True

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        """Compute one bar: inputs `(batch, m)` and states to the output and the new states."""
        _, updated = self.cell(inputs, states, training=training)
        blended = [self._blend(old, new, training) for old, new in zip(states, updated, strict=True)]
        return blended[0], blended

    def _blend(self, old: Any, new: Any, training: bool) -> Any:
        if not training:
            return self.rate * old + (1 - self.rate) * new
        draw = keras.random.uniform(ops.shape(old), dtype=old.dtype, seed=self.seed_generator)
        return ops.where(draw < self.rate, old, new)

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Return the initial states of the inner cell."""
        return initial_state(self.cell, batch_size)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"cell": keras.saving.serialize_keras_object(self.cell), "rate": self.rate, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Zoneout:
        """Return the layer that `get_config` describes."""
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})


def initial_state(cell: Any, batch_size: Any) -> list[Any]:
    """Return the initial states of a wrapped cell, as a list, and draw its masks of recurrent dropout.

    `keras.layers.RNN` asks for the initial states once per call, before its loop over bars, and draws the masks of
    its own cell there, one for all bars. It does not know a wrapped cell, and a mask drawn inside the loop could
    not be used at the next bar.
    """
    states = cell.get_initial_state(batch_size)
    states = list(states) if isinstance(states, list | tuple) else [states]
    if getattr(cell, "recurrent_dropout", 0) > 0:
        cell.reset_recurrent_dropout_mask()
        cell.get_recurrent_dropout_mask(states[0])
    return states


MakeLayer: TypeAlias = Callable[[int, bool, str], Any]
"""Makes a layer from its units, `return_sequences` and name."""


def stack(x: Any, spec: Architecture, make: MakeLayer, name: str, return_sequences: bool = False) -> Any:
    """Stack layers, each followed by dropout, and return the output of the top layer.

    Args:
        x: Windows, `(batch, look_back, n_features)`.
        spec: Units and dropout.
        make: Makes one layer.
        name: Layers are called `<name>_1`, `<name>_2`, ...
        return_sequences: Whether the top layer outputs every bar, as the layers below it do, or the last one.

    Returns:
        Shape `(batch, width)`, with `return_sequences` `(batch, look_back, width)`.
    """
    for i, units in enumerate(spec.units):
        is_last = i == len(spec.units) - 1
        x = make(units, return_sequences or not is_last, f"{name}_{i + 1}")(x)
        x = dropout(spec, i + 1)(x)
    return x


def dropout(spec: Architecture, number: int) -> Any:
    """Return the dropout layer after the layer of that number, from 1."""
    layer = FusedDropout if spec.fused else layers.Dropout
    return layer(spec.dropout, name=f"dropout_{number}")


def recurrent(rules: Regularisers, cell: Callable[..., Any], layer: Callable[..., Any] | None) -> MakeLayer:
    """Return a function that makes one recurrent layer.

    Args:
        rules: Regularisation of the layer.
        cell: The class of a Keras cell, such as `LSTMCell`.
        layer: The class of the Keras layer of that cell, faster than `RNN` around the cell but without zoneout;
            None if there is none.
    """

    def make(units: int, return_sequences: bool, name: str) -> Any:
        options = recurrent_options(rules)
        if layer is not None and rules.zoneout == 0:
            return layer(units, return_sequences=return_sequences, name=name, **options)
        return layers.RNN(
            with_zoneout(cell(units, **options), rules), return_sequences=return_sequences, name=name
        )

    return make


def lstm_layer(spec: Architecture) -> Callable[..., Any]:
    """Return the class of an LSTM layer: `FusedLSTM` if the architecture is fused and has no recurrent dropout."""
    return FusedLSTM if spec.fused and spec.regularisers.recurrent_dropout == 0 else layers.LSTM


def with_zoneout(cell: Any, rules: Regularisers) -> Any:
    """Wrap the cell in `Zoneout` if its rate is positive."""
    return Zoneout(cell, rules.zoneout) if rules.zoneout > 0 else cell


def recurrent_options(rules: Regularisers) -> dict[str, Any]:
    """Return the regularising arguments of a Keras cell or recurrent layer."""
    return {
        **kernel_options(rules),
        "recurrent_regularizer": _penalty(rules),
        "recurrent_constraint": _max_norm(rules.recurrent_constraint),
        "recurrent_dropout": rules.recurrent_dropout,
    }


def kernel_options(rules: Regularisers) -> dict[str, Any]:
    """Return the regularising arguments of any Keras layer with a kernel."""
    return {
        "kernel_regularizer": _penalty(rules),
        "kernel_constraint": _max_norm(rules.kernel_constraint),
    }


def _penalty(rules: Regularisers) -> SilentL2 | None:
    return SilentL2(rules.l2) if rules.l2 > 0 else None


def _max_norm(limit: float | None) -> keras.constraints.Constraint | None:
    """Limit the norm of each column of a kernel: the weights of one unit, or of one gate of an LSTM unit.

    Srebro & Shraibman 2005 (COLT); Srivastava et al. 2014 (JMLR 15), section 5.1.
    """
    return None if limit is None else keras.constraints.MaxNorm(limit, axis=0)
