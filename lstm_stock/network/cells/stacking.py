"""Layers on top of each other, with the regularisers that the config asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
from keras import layers, ops

from lstm_stock.network.architecture import Architecture, Regularisers


@keras.saving.register_keras_serializable(package="lstm_stock")
class SilentL2(keras.regularizers.Regularizer):  # type: ignore[misc]
    """The gradient of `strength * sum(w^2)` without its value, which is always 0.

    Keras adds the penalties of the weights to `loss` and to `val_loss`. Early stopping would then choose the epoch
    with the best sum of forecast and penalty, and losses with and without a penalty would not compare. This one is
    subtracted from itself with its gradient stopped, so that training is that of the penalised loss, while what is
    written down, and what decides when to stop, is the loss of the forecast alone.
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
    """A recurrent cell around another one, whose states change only with probability 1 - rate.

    Krueger et al. 2017 (Zoneout: regularizing RNNs by randomly preserving hidden activations, ICLR), section 3.2,
    for every state s (h of an RNN or GRU, h and c of an LSTM) and the state s' that the inner cell would go to:

        in training   s_t = d s_{t-1} + (1 - d) s'_t,   d ~ Bernoulli(rate) for each unit and bar
        afterwards    s_t = rate s_{t-1} + (1 - rate) s'_t

    As in the paper, the s' of h is computed from the c' of the inner cell and not from the c that was kept. The
    output is the state h. Dropout sets a unit to zero; here it keeps what it knew, and so does its gradient.

    Args:
        cell: Any Keras cell whose output is its first state.
        rate: Chance to keep the former value, 0 to 1.
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
        """Make the weights of the inner cell; one that comes from a file has them already."""
        if not self.cell.built:
            self.cell.build(input_shape)
        self.built = True

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        """Go one bar further: features `(batch, m)` and the former states to the output and the new states."""
        _, fresh = self.cell(inputs, states, training=training)
        kept = [self._blend(old, new, training) for old, new in zip(states, fresh, strict=True)]
        return kept[0], kept

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
        """Make the layer that `get_config` describes."""
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})


def initial_state(cell: Any, batch_size: Any) -> list[Any]:
    """Return the initial states of a cell that lies within another, as a list.

    `keras.layers.RNN` asks for them once before it goes through a window. It also draws the masks of recurrent
    dropout there, one for all bars, but only for a cell that it can see. For one inside another they are drawn
    here: inside the loop over bars they would be lost with it.
    """
    states = cell.get_initial_state(batch_size)
    states = list(states) if isinstance(states, list | tuple) else [states]
    if getattr(cell, "recurrent_dropout", 0) > 0:
        cell.reset_recurrent_dropout_mask()
        cell.get_recurrent_dropout_mask(states[0])
    return states


MakeLayer: TypeAlias = Callable[[int, bool, str], Any]
"""Makes a layer from its width, whether it outputs every bar (or only the last one), and its name."""


def stack(x: Any, shape: Architecture, make: MakeLayer, name: str, every_bar: bool = False) -> Any:
    """Stack layers, each followed by dropout, and return the output at the last bar, or at every bar.

    Args:
        x: Windows, `(batch, look_back, n_features)`.
        shape: Widths and dropout.
        make: Makes one layer.
        name: Layers are called `<name>_1`, `<name>_2`, ...
        every_bar: Whether the top layer outputs every bar, as those below it do.
    """
    for i, units in enumerate(shape.units):
        is_last = i == len(shape.units) - 1
        x = make(units, every_bar or not is_last, f"{name}_{i + 1}")(x)
        x = layers.Dropout(shape.dropout, name=f"dropout_{i + 1}")(x)
    return x


def recurrent(rules: Regularisers, cell: Callable[..., Any], layer: Callable[..., Any] | None) -> MakeLayer:
    """Return what makes one recurrent layer.

    Args:
        rules: How it is regularised.
        cell: A Keras cell, such as `LSTMCell`.
        layer: Keras's layer of that cell, which is faster than `RNN` around the cell but has no zoneout; None if
            there is none.
    """

    def make(units: int, every_bar: bool, name: str) -> Any:
        options = recurrent_options(rules)
        if layer is not None and rules.zoneout == 0:
            return layer(units, return_sequences=every_bar, name=name, **options)
        return layers.RNN(zoned(cell(units, **options), rules), return_sequences=every_bar, name=name)

    return make


def zoned(cell: Any, rules: Regularisers) -> Any:
    """Return the cell with zoneout around it, if that is asked for."""
    return Zoneout(cell, rules.zoneout) if rules.zoneout > 0 else cell


def recurrent_options(rules: Regularisers) -> dict[str, Any]:
    """Return the arguments of a Keras cell or recurrent layer that regularise it."""
    return {
        **kernel_options(rules),
        "recurrent_regularizer": _penalty(rules),
        "recurrent_constraint": _longest(rules.recurrent_constraint),
        "recurrent_dropout": rules.recurrent_dropout,
    }


def kernel_options(rules: Regularisers) -> dict[str, Any]:
    """Return the arguments of any Keras layer with a kernel that regularise it."""
    return {
        "kernel_regularizer": _penalty(rules),
        "kernel_constraint": _longest(rules.kernel_constraint),
    }


def _penalty(rules: Regularisers) -> SilentL2 | None:
    return SilentL2(rules.l2) if rules.l2 > 0 else None


def _longest(length: float | None) -> keras.constraints.Constraint | None:
    """Bound the length of each column of a kernel: the weights of one unit, in an LSTM of one gate of it.

    Srebro & Shraibman 2005 (COLT); Srivastava et al. 2014 (JMLR 15), section 5.1.
    """
    return None if length is None else keras.constraints.MaxNorm(length, axis=0)
