"""The Neural Turing Machine: an LSTM that reads and writes a small memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from lstm_stock.config.cells import N_SLOTS, SLOT_WIDTH
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.stacking import initial_state, recurrent_options, stack, with_zoneout

N_SHIFTS = 3
BLANK = 1e-6
"""Initial value of every number of the memory."""

MIN_NORM, MIN_WEIGHT = 1e-3, 1e-12
"""Bounds that keep the gradients of cosines of blank slots, and of powers of zero weights, finite."""


def ntm(x: Any, spec: Architecture) -> Any:
    """Stack Neural Turing Machines, each with its own memory of 16 slots of 8 numbers.

    A layer outputs n + 8 numbers and has `4 (m + n + 9) n + 44 (n + 1)` parameters. Regularisers apply to the
    controller.
    """
    rules = spec.regularisers

    def make(units: int, return_sequences: bool, name: str) -> Any:
        controller = with_zoneout(layers.LSTMCell(units, **recurrent_options(rules)), rules)
        cell = TuringCell(controller, N_SLOTS, SLOT_WIDTH)
        return layers.RNN(cell, return_sequences=return_sequences, name=name)

    return stack(x, spec, make, "ntm")


@dataclass(frozen=True)
class Addressing:
    """The addressing parameters of a read or write head.

    Attributes:
        key: Vector that the slots are compared with, `(batch, slot_width)`.
        strength: Sharpness of the comparison, `(batch, 1)`, positive; beta in the paper.
        gate: Share of the weights that comes from the comparison, `(batch, 1)`, 0 to 1.
        shifts: Shares of the weights that move by -1, 0 and 1 slots, `(batch, 3)`, sum to 1.
        sharpening: The power the weights are raised to, `(batch, 1)`, at least 1; gamma in the paper.
    """

    key: Any
    strength: Any
    gate: Any
    shifts: Any
    sharpening: Any


def address(memory: Any, previous: Any, addressing: Addressing) -> Any:
    """Return the weight that a head gives to each slot (Graves et al. 2014, equations 5 to 9).

        content(i)  = exp(beta K(key, memory(i))) / sum_j exp(beta K(key, memory(j)))     (5)
        K(u, v)     = u . v / (|u| |v|)                                                   (6)
        mixed       = gate content + (1 - gate) previous                                  (7)
        shifted(i)  = sum_j mixed(j) shifts(i - j), slots in a circle                     (8)
        weights(i)  = shifted(i)^gamma / sum_j shifted(j)^gamma                           (9)

    Args:
        memory: `(batch, n_slots, slot_width)`.
        previous: The weights at the previous bar, `(batch, n_slots)`.
        addressing: The parameters of the head.

    Returns:
        Shape `(batch, n_slots)`; the weights sum to 1.
    """
    unit_key = addressing.key / _norm(addressing.key)
    cosines = ops.sum(memory / _norm(memory) * ops.expand_dims(unit_key, 1), axis=-1)
    content = ops.softmax(addressing.strength * cosines)
    mixed = addressing.gate * content + (1 - addressing.gate) * previous
    back, stay, forth = ops.split(addressing.shifts, N_SHIFTS, axis=-1)
    shifted = back * ops.roll(mixed, -1, axis=-1) + stay * mixed + forth * ops.roll(mixed, 1, axis=-1)
    powered = ops.power(ops.maximum(shifted, MIN_WEIGHT), addressing.sharpening)
    return powered / ops.sum(powered, axis=-1, keepdims=True)


def _norm(x: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + MIN_NORM**2)


@keras.saving.register_keras_serializable(package="lstm_stock")
class TuringCell(layers.Layer):  # type: ignore[misc]
    """A recurrent cell with an LSTM controller, one write head and one read head.

    Graves, Wayne & Danihelka 2014 (arXiv:1410.5401). At each bar

        1. the controller reads the bar x and the vector r read at the previous bar: h = LSTM([x, r]);
        2. a dense layer maps h to the addressing of both heads, an erase vector e (0 to 1) and an add vector a;
        3. the write head, with weights w from `address` on the previous memory, changes it:
           M(i) <- M(i) (1 - w(i) e) + w(i) a                                             (3, 4)
        4. the read head, with weights v from the new memory, reads it: r = sum_i v(i) M(i)   (2)

    and outputs [h, r]. The weights of a head sum to 1 (1). The memory starts blank, and both heads at the first
    slot: with equal weights on equal slots the gradients of all slots would be equal.

    Args:
        controller: A cell whose states are [h, C].
        n_slots: Slots of the memory.
        slot_width: Numbers per slot.
        name: Name of the layer.
    """

    def __init__(self, controller: Any, n_slots: int, slot_width: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self.controller = controller
        self.n_slots = n_slots
        self.slot_width = slot_width
        # Key, strength, gate, shifts and sharpening of both heads; then erase and add.
        self._widths = 2 * [slot_width, 1, 1, N_SHIFTS, 1] + [slot_width, slot_width]
        self.heads = layers.Dense(sum(self._widths), name="heads")
        self.state_size = [*controller.state_size, n_slots * slot_width, slot_width, n_slots, n_slots]
        self.output_size = controller.output_size + slot_width

    def build(self, input_shape: tuple[Any, int]) -> None:
        """Create the weights of controller and heads; a controller read from a file has them already."""
        batch, n_inputs = input_shape
        if not self.controller.built:
            self.controller.build((batch, n_inputs + self.slot_width))
        self.heads.build((batch, self.controller.output_size))
        self.built = True

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """Compute one bar: inputs `(batch, m)` and states to the output `(batch, n + slot_width)` and new states.

        The states are h, C, the flattened memory, the vector read, the weights of the write and the read head.
        """
        *inner, memory, read, written_at, read_at = states
        memory = ops.reshape(memory, (-1, self.n_slots, self.slot_width))
        h, inner = self.controller(ops.concatenate([inputs, read], axis=-1), inner, training=training)
        writing, reading, erase, add = self._emit(h)
        written_at = address(memory, written_at, writing)
        weights = ops.expand_dims(written_at, -1)
        memory = memory * (1 - weights * ops.expand_dims(erase, 1)) + weights * ops.expand_dims(add, 1)
        read_at = address(memory, read_at, reading)
        read = ops.sum(ops.expand_dims(read_at, -1) * memory, axis=1)
        flat = ops.reshape(memory, (-1, self.n_slots * self.slot_width))
        return ops.concatenate([h, read], axis=-1), [*inner, flat, read, written_at, read_at]

    def _emit(self, h: Any) -> tuple[Addressing, Addressing, Any, Any]:
        ends = [sum(self._widths[: i + 1]) for i in range(len(self._widths) - 1)]
        parts = ops.split(self.heads(h), ends, axis=-1)
        writing, reading = (
            Addressing(
                ops.tanh(key), ops.softplus(beta), ops.sigmoid(gate), ops.softmax(s), 1 + ops.softplus(gamma)
            )
            for key, beta, gate, s, gamma in (parts[:5], parts[5:10])
        )
        return writing, reading, ops.sigmoid(parts[10]), ops.tanh(parts[11])

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Return a blank memory, and both heads at its first slot."""
        first = ops.one_hot(ops.zeros((batch_size,), dtype="int32"), self.n_slots, dtype=self.compute_dtype)
        memory = ops.full((batch_size, self.n_slots * self.slot_width), BLANK, dtype=self.compute_dtype)
        read = ops.full((batch_size, self.slot_width), BLANK, dtype=self.compute_dtype)
        return [*initial_state(self.controller, batch_size), memory, read, first, first]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {
            "controller": keras.saving.serialize_keras_object(self.controller),
            "n_slots": self.n_slots,
            "slot_width": self.slot_width,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TuringCell:
        """Return the layer that `get_config` describes."""
        return cls(**{**config, "controller": keras.saving.deserialize_keras_object(config["controller"])})
