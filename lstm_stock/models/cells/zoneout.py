"""Zoneout: units that now and then keep their former state."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


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
