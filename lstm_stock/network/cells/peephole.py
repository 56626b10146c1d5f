"""The peephole LSTM: its gates see the cell state."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.stacking import recurrent, stack


def peephole(x: Any, spec: Architecture) -> Any:
    """Stack LSTM layers with peepholes; a layer has `4 (m + n + 1) n + 3n` parameters."""
    return stack(x, spec, recurrent(spec.regularisers, PeepholeCell, None), "peephole")


@keras.saving.register_keras_serializable(package="lstm_stock")
class PeepholeCell(layers.LSTMCell):  # type: ignore[misc]
    """An LSTM cell whose gates see the cell state: i and f the previous one, o the new one.

    Gers & Schmidhuber 2000 (IJCNN). The gates can react to the cell state even while the output gate is closed:

        i_t = sigma(W_i [h_{t-1}, x_t] + p_i * C_{t-1} + b_i)
        f_t = sigma(W_f [h_{t-1}, x_t] + p_f * C_{t-1} + b_f)
        C_t = f_t * C_{t-1} + i_t * tanh(W_C [h_{t-1}, x_t] + b_C)
        o_t = sigma(W_o [h_{t-1}, x_t] + p_o * C_t + b_o)
        h_t = o_t * tanh(C_t)

    In the form sigma(W_i [C_{t-1}, h_{t-1}, x_t] + b_i) the block of W_i for C_{t-1} is diagonal: each gate sees
    the state of its own unit only (Gers, Schraudolph & Schmidhuber 2002, JMLR 3). The peepholes p start at 0, so
    the layer starts as a plain LSTM.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights of the LSTM, and p_i, p_f and p_o as the rows of `peepholes`."""
        super().build(input_shape)
        self.peepholes = self.add_weight(shape=(3, self.units), name="peepholes", initializer="zeros")

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """Compute one bar: inputs `(batch, m)` and states [h, C], each `(batch, n)`, to h and the new [h, C]."""
        h, c = states
        gates = ops.matmul(inputs, self.kernel) + self._from_state(h, training) + self.bias
        i, f, candidate, o = ops.split(gates, 4, axis=-1)
        p_i, p_f, p_o = self.peepholes[0], self.peepholes[1], self.peepholes[2]
        i, f = ops.sigmoid(i + p_i * c), ops.sigmoid(f + p_f * c)
        c = f * c + i * ops.tanh(candidate)
        h = ops.sigmoid(o + p_o * c) * ops.tanh(c)
        return h, [h, c]

    def _from_state(self, h: Any, training: bool) -> Any:
        """Return the recurrent term of the gates, `(batch, 4n)`, with a dropout mask for each gate."""
        if not training or self.recurrent_dropout == 0:
            return ops.matmul(h, self.recurrent_kernel)
        masks = self.get_recurrent_dropout_mask(h)
        blocks = ops.split(self.recurrent_kernel, 4, axis=-1)
        parts = [ops.matmul(h * mask, block) for mask, block in zip(masks, blocks, strict=True)]
        return ops.concatenate(parts, axis=-1)
