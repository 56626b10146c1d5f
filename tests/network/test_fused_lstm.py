from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from lstm_stock.network.cells import fused_lstm as module
from lstm_stock.network.cells.fused_lstm import FusedDropout, FusedLSTM, Weights, fused_lstm

RANDOM = np.random.default_rng(0)


def normal(*shape: int, dtype: str = "float32") -> tf.Tensor:
    return tf.constant(RANDOM.normal(size=shape), dtype)


def gradients_of(layer, x, states):
    """Return the outputs of a layer in training, and the gradients of a loss of all of them."""
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        outputs, h, c = layer(x, initial_state=states, training=True)
        loss = tf.reduce_sum(tf.sin(3 * outputs)) + tf.reduce_sum(h * c) + tf.reduce_sum(tf.cos(c))
    variables = [variable.value for variable in layer.trainable_variables]
    return [outputs, h, c], tape.gradient(loss, [x, *states, *variables])


def assert_equal_to_keras(n_windows, look_back, n_inputs, units, jit_compile=False, **options):
    run = tf.function(gradients_of, jit_compile=True) if jit_compile else gradients_of
    stock = layers.LSTM(units, return_state=True, **options)
    fused = FusedLSTM(units, return_state=True, **options)
    x, states = normal(n_windows, look_back, n_inputs), [normal(n_windows, units), normal(n_windows, units)]
    stock(x), fused(x)
    fused.set_weights([RANDOM.normal(size=one.shape) / 2 for one in stock.get_weights()])
    stock.set_weights(fused.get_weights())
    for expected, got in zip(gradients_of(stock, x, states), run(fused, x, states), strict=True):
        for one, other in zip(expected, got, strict=True):
            assert one.shape == other.shape
            scale = np.abs(one).max()
            assert np.abs(one - other).max() <= 1e-5 * scale


@settings(max_examples=25, deadline=None)
@given(
    n_windows=st.integers(1, 9),
    look_back=st.integers(1, 6),
    n_inputs=st.integers(1, 3),
    units=st.integers(1, 4),
    return_sequences=st.booleans(),
    go_backwards=st.booleans(),
)
def test_outputs_and_gradients_are_those_of_keras(
    n_windows, look_back, n_inputs, units, return_sequences, go_backwards
):
    assert_equal_to_keras(
        n_windows, look_back, n_inputs, units, return_sequences=return_sequences, go_backwards=go_backwards
    )


def test_xla_computes_the_outputs_and_gradients_of_keras():
    assert_equal_to_keras(32, 60, 7, 32, jit_compile=True, return_sequences=True)


def test_gradients_in_float64_are_those_of_central_differences():
    arguments = [
        normal(3, 4, 2, dtype="float64"),
        normal(3, 3, dtype="float64"),
        normal(3, 3, dtype="float64"),
    ]
    weights = [normal(2, 12, dtype="float64"), normal(3, 12, dtype="float64"), normal(12, dtype="float64")]

    def loss(x, h, c, *weights):
        outputs, last_cell = fused_lstm(x, h, c, Weights(*weights))
        return tf.reduce_sum(tf.sin(outputs)) + tf.reduce_sum(last_cell**2)

    exact, numeric = tf.test.compute_gradient(loss, [*arguments, *weights], delta=1e-5)
    for one, other in zip(exact, numeric, strict=True):
        assert np.abs(one - other).max() <= 1e-8 * max(np.abs(one).max(), 1)


def test_first_bar_by_hand():
    """One window, one bar, one unit, and states of zero: h = o tanh(i g)."""
    weights = Weights(
        tf.constant([[0.5, 0.1, -0.3, 0.2]]), tf.zeros((1, 4)), tf.constant([0.0, 1.0, 0.1, -0.1])
    )
    outputs, last_cell = fused_lstm(tf.constant([[[2.0]]]), tf.zeros((1, 1)), tf.zeros((1, 1)), weights)
    i, g, o = 1 / (1 + np.exp(-1.0)), np.tanh(-0.5), 1 / (1 + np.exp(-0.3))
    assert last_cell.numpy().item() == pytest.approx(i * g, rel=1e-6)
    assert outputs.numpy().item() == pytest.approx(o * np.tanh(i * g), rel=1e-6)


def test_weights_have_the_names_shapes_and_order_of_keras():
    stock, fused = layers.LSTM(3, name="lstm"), FusedLSTM(3, name="lstm")
    x = normal(2, 4, 5)
    stock(x), fused(x)
    assert [(w.path, w.shape) for w in fused.weights] == [(w.path, w.shape) for w in stock.weights]


@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
def test_dropout_inside_the_layer_is_that_of_keras(options, monkeypatch):
    monkeypatch.setattr(module, "fused_lstm", None)  # not called
    x = normal(2, 4, 5)
    stock, fused = layers.LSTM(3, seed=1, **options), FusedLSTM(3, seed=1, **options)
    stock(x), fused(x)
    fused.set_weights(stock.get_weights())
    np.testing.assert_array_equal(fused(x, training=True), stock(x, training=True))


def test_dropout_between_layers_drops_what_keras_drops():
    x = normal(20, 5)
    stock, fused = layers.Dropout(0.3, seed=1), FusedDropout(0.3, seed=1)
    np.testing.assert_array_equal(fused(x, training=True), stock(x, training=True))
    np.testing.assert_array_equal(fused(x), x)
