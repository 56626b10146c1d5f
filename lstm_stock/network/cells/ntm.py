"""A Neural Turing Machine: an LSTM that reads and writes a small memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from lstm_stock.config.cells import N_SLOTS, SLOT_WIDTH
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.stacking import initial_state, recurrent_options, stack, zoned

N_SHIFTS = 3
BLANK = 1e-6
"""What every number of the memory is at first."""

TINY_LENGTH, TINY_WEIGHT = 1e-3, 1e-12
"""Keep the cosines of blank slots, and the powers of weights of zero, smooth: else gradients explode there."""


def ntm(x: Any, shape: Architecture) -> Any:
    """Stack Neural Turing Machines, each with a memory of its own of 16 slots of 8 numbers.

    A layer outputs n + 8 numbers and has `4 (m + n + 9) n + 44 (n + 1)` parameters. Regularisers apply to the
    controller.
    """
    rules = shape.regularisers

    def make(units: int, every_bar: bool, name: str) -> Any:
        controller = zoned(layers.LSTMCell(units, **recurrent_options(rules)), rules)
        cell = TuringCell(controller, N_SLOTS, SLOT_WIDTH)
        return layers.RNN(cell, return_sequences=every_bar, name=name)

    return stack(x, shape, make, "ntm")


@dataclass(frozen=True)
class Addressing:
    """What a head asks for: each of shape `(batch, ...)`.

    Attributes:
        key: What the slots are compared with, `(batch, slot_width)`.
        strength: How sharply, `(batch, 1)`, positive; beta in the paper.
        gate: Share of the weights that comes from the comparison, `(batch, 1)`, 0 to 1.
        shifts: How much of them moves by -1, 0 and 1 slots, `(batch, 3)`, sums to 1.
        sharpening: The power they are raised to, `(batch, 1)`, at least 1; gamma in the paper.
    """

    key: Any
    strength: Any
    gate: Any
    shifts: Any
    sharpening: Any


def address(memory: Any, former: Any, focus: Addressing) -> Any:
    """Return the weight that a head gives to each slot (Graves et al. 2014, equations 5 to 9).

        content(i)  = exp(beta K(key, memory(i))) / sum_j exp(beta K(key, memory(j)))     (5)
        K(u, v)     = u . v / (|u| |v|)                                                   (6)
        mixed       = gate content + (1 - gate) former                                    (7)
        shifted(i)  = sum_j mixed(j) shifts(i - j), slots in a circle                     (8)
        weights(i)  = shifted(i)^gamma / sum_j shifted(j)^gamma                           (9)

    Args:
        memory: `(batch, n_slots, slot_width)`.
        former: The weights at the bar before, `(batch, n_slots)`.
        focus: What the head asks for.
    """
    unit_key = focus.key / _length(focus.key)
    cosines = ops.sum(memory / _length(memory) * ops.expand_dims(unit_key, 1), axis=-1)
    content = ops.softmax(focus.strength * cosines)
    mixed = focus.gate * content + (1 - focus.gate) * former
    back, stay, forth = ops.split(focus.shifts, N_SHIFTS, axis=-1)
    shifted = back * ops.roll(mixed, -1, axis=-1) + stay * mixed + forth * ops.roll(mixed, 1, axis=-1)
    powered = ops.power(ops.maximum(shifted, TINY_WEIGHT), focus.sharpening)
    return powered / ops.sum(powered, axis=-1, keepdims=True)


def _length(x: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + TINY_LENGTH**2)


@keras.saving.register_keras_serializable(package="lstm_stock")
class TuringCell(layers.Layer):  # type: ignore[misc]
    """A recurrent cell with an LSTM controller, one write head and one read head.

    Graves, Wayne & Danihelka 2014 (arXiv:1410.5401). At each bar

        1. the controller sees the bar and what was read at the bar before: h = LSTM([x, r]);
        2. h is mapped to what both heads ask for, to erase e (0 to 1) and to add a;
        3. the write head's weights w, found by `address` in the former memory, change it:
           M(i) <- M(i) (1 - w(i) e) + w(i) a                                             (3, 4)
        4. the read head's weights v, found in the new memory, read it: r = sum_i v(i) M(i)   (2)

    and outputs [h, r]. The weights of a head sum to 1 (1). The memory starts blank, and both heads on the first
    slot: from equal weights on equal slots no learning could tell the slots apart.

    Args:
        controller: A cell whose states are [h, C].
        n_slots: Slots of the memory.
        slot_width: Numbers in a slot.
        name: Name of the layer.
    """

    def __init__(self, controller: Any, n_slots: int, slot_width: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self.controller = controller
        self.n_slots = n_slots
        self.slot_width = slot_width
        # Key, strength, gate, shifts and sharpening of both heads; then erase and add.
        self._parts = 2 * [slot_width, 1, 1, N_SHIFTS, 1] + [slot_width, slot_width]
        self.heads = layers.Dense(sum(self._parts), name="heads")
        self.state_size = [*controller.state_size, n_slots * slot_width, slot_width, n_slots, n_slots]
        self.output_size = controller.output_size + slot_width

    def build(self, input_shape: tuple[Any, int]) -> None:
        """Make the weights of controller and heads; a controller that comes from a file has them already."""
        batch, n_inputs = input_shape
        if not self.controller.built:
            self.controller.build((batch, n_inputs + self.slot_width))
        self.heads.build((batch, self.controller.output_size))
        self.built = True

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """Go one bar further: features `(batch, m)` and the states to `(batch, n + slot_width)` and new states.

        The states are h, C, the memory as one row, what was read, the weights of the write and of the read head.
        """
        *inner, memory, read, written_at, read_at = states
        memory = ops.reshape(memory, (-1, self.n_slots, self.slot_width))
        h, inner = self.controller(ops.concatenate([inputs, read], axis=-1), inner, training=training)
        write, see, erase, add = self._emit(h)
        written_at = address(memory, written_at, write)
        where = ops.expand_dims(written_at, -1)
        memory = memory * (1 - where * ops.expand_dims(erase, 1)) + where * ops.expand_dims(add, 1)
        read_at = address(memory, read_at, see)
        read = ops.sum(ops.expand_dims(read_at, -1) * memory, axis=1)
        flat = ops.reshape(memory, (-1, self.n_slots * self.slot_width))
        return ops.concatenate([h, read], axis=-1), [*inner, flat, read, written_at, read_at]

    def _emit(self, h: Any) -> tuple[Addressing, Addressing, Any, Any]:
        ends = [sum(self._parts[: i + 1]) for i in range(len(self._parts) - 1)]
        parts = ops.split(self.heads(h), ends, axis=-1)
        write, see = (
            Addressing(
                ops.tanh(key), ops.softplus(beta), ops.sigmoid(gate), ops.softmax(s), 1 + ops.softplus(gamma)
            )
            for key, beta, gate, s, gamma in (parts[:5], parts[5:10])
        )
        return write, see, ops.sigmoid(parts[10]), ops.tanh(parts[11])

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Return a blank memory, and both heads on its first slot."""
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
        """Make the layer that `get_config` describes."""
        return cls(**{**config, "controller": keras.saving.deserialize_keras_object(config["controller"])})
