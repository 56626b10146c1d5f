"""An LSTM layer that trains faster on a CPU than that of Keras, with the same weights and outputs.

Keras leaves the gradient of its loop over bars to TensorFlow, which differentiates every operation of every bar.
Here the gradient is written down:

- One matrix product multiplies the inputs of all bars by the kernel before the loop.
- The loop keeps the gates, so that the gradient computes nothing a second time.
- One matrix product per weight matrix sums its gradient over all bars after the loop.

`lstm_stock.network.parallel_model` has XLA compile the whole training step around it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import layers


class Weights(NamedTuple):
    """The weights of `keras.layers.LSTM`, with columns in the order i, f, g, o; m inputs, n units.

    Attributes:
        kernel: W, `(m, 4n)`.
        recurrent_kernel: U, `(n, 4n)`.
        bias: b, `(4n,)`.
    """

    kernel: Any
    recurrent_kernel: Any
    bias: Any


class States(NamedTuple):
    """Every state of a forward pass, by bar.

    Attributes:
        gates: `[i, f, g, o]`, `(look_back, batch, 4n)`.
        cells: c, `(look_back, batch, n)`.
        outputs: h, `(look_back, batch, n)`.
    """

    gates: Any
    cells: Any
    outputs: Any


def forward(x: Any, h: Any, c: Any, weights: Weights) -> States:
    """Run an LSTM over all bars (Gers, Schmidhuber & Cummins 2000, Neural Computation 12).

        [i, f, g, o] = [sigma, sigma, tanh, sigma](x_t W + h_{t-1} U + b)
        c_t = f * c_{t-1} + i * g
        h_t = o * tanh(c_t)

    Args:
        x: Inputs, `(batch, look_back, m)`.
        h: Initial output, `(batch, n)`.
        c: Initial cell state, `(batch, n)`.
        weights: W, U, b.
    """
    look_back, n = x.shape[1], h.shape[1]
    from_inputs = tf.reshape(
        tf.matmul(_rows(_by_bar(x)), weights.kernel) + weights.bias, (look_back, -1, 4 * n)
    )

    def step(t: Any, h: Any, c: Any, *states: Any) -> tuple[Any, ...]:
        i, f, g, o = tf.split(from_inputs[t] + tf.matmul(h, weights.recurrent_kernel), 4, axis=1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        c = f * c + i * g
        h = o * tf.tanh(c)
        new = (tf.concat([i, f, g, o], axis=1), c, h)
        return t + 1, h, c, *(array.write(t, value) for array, value in zip(states, new, strict=True))

    arrays = (tf.TensorArray(x.dtype, look_back, element_shape=(None, width)) for width in (4 * n, n, n))
    _, _, _, *states = tf.while_loop(
        lambda t, *_: t < look_back, step, (0, h, c, *arrays), maximum_iterations=look_back
    )
    return States(*(array.stack() for array in states))


class Gradients(NamedTuple):
    """The gradients of the arguments of `forward`, each of the shape of its argument."""

    x: Any
    h: Any
    c: Any
    weights: Weights


def backward(
    x: Any, h: Any, c: Any, weights: Weights, states: States, d_outputs: Any, d_last_cell: Any
) -> Gradients:
    """Return the gradients of `forward` by backpropagation through time (Werbos 1990, Proc. IEEE 78).

    `d` is the gradient of the loss with respect to what follows it, z_t the sums inside the gates; the bars run
    from the last to the first:

        dh_t = d_outputs_t + dz_{t+1} U'
        dc_t = dc_{t+1} * f_{t+1} + dh_t * o_t * (1 - tanh(c_t)^2)
        dz_t = [dc_t * g * i * (1 - i), dc_t * c_{t-1} * f * (1 - f), dc_t * i * (1 - g^2),
                dh_t * tanh(c_t) * o * (1 - o)]
        dx_t = dz_t W'
        dW = sum_t x_t' dz_t,  dU = sum_t h_{t-1}' dz_t,  db = sum_t dz_t

    Args:
        x: Inputs, `(batch, look_back, m)`.
        h: Initial output, `(batch, n)`.
        c: Initial cell state, `(batch, n)`.
        weights: W, U, b.
        states: What `forward` returned.
        d_outputs: Gradient with respect to each output, `(batch, look_back, n)`.
        d_last_cell: Gradient with respect to the last cell state, `(batch, n)`.
    """
    look_back, n = x.shape[1], h.shape[1]
    previous_h = tf.concat([h[None], states.outputs[:-1]], axis=0)
    previous_c = tf.concat([c[None], states.cells[:-1]], axis=0)
    # All factors that do not depend on later bars, for all bars at once.
    i, f, g, o = tf.split(states.gates, 4, axis=2)
    tanh_c = tf.tanh(states.cells)
    slopes = tf.concat(
        [g * i * (1 - i), previous_c * f * (1 - f), i * (1 - g * g), tanh_c * o * (1 - o)], axis=2
    )
    cell_slope = o * (1 - tanh_c * tanh_c)
    from_above, transposed = _by_bar(d_outputs), tf.transpose(weights.recurrent_kernel)

    def step(t: Any, dh: Any, dc: Any, dz: Any) -> tuple[Any, ...]:
        dh = dh + from_above[t]
        dc = dc + dh * cell_slope[t]
        dz_t = tf.concat([dc, dc, dc, dh], axis=1) * slopes[t]
        return t - 1, tf.matmul(dz_t, transposed), dc * states.gates[t][:, n : 2 * n], dz.write(t, dz_t)

    start = (
        look_back - 1,
        tf.zeros_like(h),
        d_last_cell,
        tf.TensorArray(x.dtype, look_back, element_shape=(None, 4 * n)),
    )
    _, dh, dc, dz = tf.while_loop(lambda t, *_: t >= 0, step, start, maximum_iterations=look_back)
    dz = _rows(dz.stack())
    dx = tf.reshape(tf.matmul(dz, weights.kernel, transpose_b=True), (look_back, -1, x.shape[2]))
    d_weights = Weights(
        tf.matmul(_rows(_by_bar(x)), dz, transpose_a=True),
        tf.matmul(_rows(previous_h), dz, transpose_a=True),
        tf.reduce_sum(dz, axis=0),
    )
    return Gradients(_by_bar(dx), dh, dc, d_weights)


def _by_bar(values: Any) -> Any:
    """Swap the axes of batch and bars."""
    return tf.transpose(values, (1, 0, 2))


def _rows(values: Any) -> Any:
    """Reshape `(look_back, batch, width)` to `(look_back * batch, width)`."""
    return tf.reshape(values, (-1, values.shape[2]))


def fused_lstm(x: Any, h: Any, c: Any, weights: Weights) -> tuple[Any, Any]:
    """Run an LSTM whose gradient is `backward`.

    Args:
        x: Inputs, `(batch, look_back, m)`.
        h: Initial output, `(batch, n)`.
        c: Initial cell state, `(batch, n)`.
        weights: W, U, b.

    Returns:
        The output of every bar, `(batch, look_back, n)`, and the last cell state, `(batch, n)`.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Any, h: Any, c: Any, *matrices: Any) -> tuple[Any, Any]:
        states = forward(x, h, c, Weights(*matrices))

        def gradient(d_outputs: Any, d_last_cell: Any) -> list[Any]:
            gradients = backward(x, h, c, Weights(*matrices), states, d_outputs, d_last_cell)
            return [gradients.x, gradients.h, gradients.c, *gradients.weights]

        return (_by_bar(states.outputs), states.cells[-1]), gradient

    outputs, last_cell = run(x, h, c, *weights)
    return outputs, last_cell


@keras.saving.register_keras_serializable(package="lstm_stock")
class FusedLSTM(layers.LSTM):  # type: ignore[misc]
    """`keras.layers.LSTM`, trained with `fused_lstm`.

    Weights have the names, shapes and order of `keras.layers.LSTM`. With a mask or with dropout inside the layer
    it does what `keras.layers.LSTM` does.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Return the last output, all outputs, and the states `[h, c]` after the last bar."""
        if mask is not None or self.dropout or self.recurrent_dropout:
            return super().inner_loop(sequences, initial_state, mask, training=training)
        x = sequences[:, ::-1] if self.go_backwards else sequences
        h, c = initial_state
        weights = (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        outputs, last_cell = fused_lstm(x, h, c, Weights(*map(tf.convert_to_tensor, weights)))
        return outputs[:, -1], outputs, [outputs[:, -1], last_cell]


@keras.saving.register_keras_serializable(package="lstm_stock")
class FusedDropout(layers.Dropout):  # type: ignore[misc]
    """`keras.layers.Dropout` with random numbers that XLA computes fast.

    Under XLA, the random numbers of Keras take longer than all the rest of a training step. Without XLA the
    numbers are those of Keras.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop a share `rate` of the inputs in training, and scale up the others."""
        if not training or self.rate == 0:
            return inputs
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        return tf.nn.experimental.stateless_dropout(inputs, rate=self.rate, seed=seed, rng_alg="philox")
