"""A Keras model whose training step XLA compiles, and which computes shares of a batch at the same time.

The layers of a network are small: TensorFlow spends much of a step between its operations, and seldom has work for
every core. XLA makes one program of the forward pass, the loss and the gradients. The program runs once for each
share of the batch, on a core of its own; the gradients are added, and a second program moves the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import tensorflow as tf

from lstm_stock.network.tensorflow_setup import n_cores

MAX_SHARES = 4
"""Most shares of a batch: matrix products of few rows are slow."""

STEPS_PER_EXECUTION = 8
"""Training steps that Keras runs without a callback in between: 0.1 s of the default network."""

MIN_PRODUCTS = 1_000_000_000
"""Least number of multiplications of an epoch, forward, from which the seconds of compiling pay."""


class ParallelModel(keras.Model):  # type: ignore[misc]
    """A functional model with other steps of `fit` and `evaluate`; `predict` is that of Keras.

    A training differs from that of Keras in rounding, in the random numbers of dropout, of which each share has
    its own, and in embeddings: their gradients are dense, so Adam moves all rows and not only those in the batch.
    The non-trainable variables must be seeds of random numbers.
    """

    window_losses: Callable[[Any, Any], Any]
    """Maps `y_true` and the output of the model to the loss of each window, `(batch,)`; set before training."""

    batch_size: int
    """Most windows of a batch; smaller batches are padded, since XLA compiles a program for each size. Set before
    training."""

    def make_train_function(self, force: bool = False) -> Any:
        """Compile the gradients and the update, then the training function of Keras that calls them."""
        if self.train_function is None or force:
            self._gradient_program = tf.function(self._share_gradients, jit_compile=True)
            self._update_program = tf.function(self._apply_gradients, jit_compile=True)
        return super().make_train_function(force)

    def make_test_function(self, force: bool = False) -> Any:
        """Compile the loss, then the function of Keras that calls it."""
        if self.test_function is None or force:
            self._loss_program = tf.function(self._share_loss, jit_compile=True)
        return super().make_test_function(force)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Move the weights by the gradient of the mean loss over a batch, and return that of the epoch so far."""
        trainable, seeds = self._values()
        results = []
        for number, share in enumerate(_shares(data, self.batch_size)):
            own_seeds = [seed + tf.constant([number, 0], seed.dtype) for seed in seeds]
            results.append(self._gradient_program(trainable, own_seeds, *share))
        losses, gradients, new_seeds = zip(*results, strict=True)
        # A variable that changed between the shares would make one wait for the other.
        for variable, value in zip(self.non_trainable_variables, new_seeds[0], strict=True):
            variable.assign(value)
        self._update_program([tf.add_n(each) for each in zip(*gradients, strict=True)])
        return self._updated_metrics(tf.add_n(losses), tf.shape(data[1])[0])

    def test_step(self, data: Any) -> dict[str, Any]:
        """Return the mean loss of all batches so far."""
        trainable, seeds = self._values()
        n_windows = tf.shape(data[1])[0]
        losses = [self._loss_program(trainable, seeds, *share) for share in _shares(data, n_windows)]
        return self._updated_metrics(tf.add_n(losses), n_windows)

    def _updated_metrics(self, loss: Any, n_windows: Any) -> dict[str, Any]:
        # `fit` reads the metrics of the model, among which is this tracker.
        self._loss_tracker.update_state(loss, sample_weight=n_windows)
        return dict(self.get_metrics_result())

    def _values(self) -> tuple[list[Any], list[Any]]:
        """Return the trainable variables and the seeds, as tensors."""
        trainable, seeds = (
            [tf.convert_to_tensor(variable) for variable in variables]
            for variables in (self.trainable_variables, self.non_trainable_variables)
        )
        return trainable, seeds

    def _share_gradients(
        self, trainable: Any, seeds: Any, x: Any, y: Any, row_weights: Any
    ) -> tuple[Any, list[Any], list[Any]]:
        """Return the weighted loss of some windows, its gradients, and the seeds of the next step."""
        with tf.GradientTape() as tape:
            tape.watch(trainable)
            output, new_seeds, penalties = self.stateless_call(
                trainable, seeds, x, training=True, return_losses=True
            )
            loss = tf.reduce_sum(self.window_losses(y, output) * row_weights)
            # Every share has the penalties of the weights.
            total = tf.add_n([loss, *(penalty / share_count() for penalty in penalties)])
        return loss, [*map(tf.convert_to_tensor, tape.gradient(total, trainable))], new_seeds

    def _share_loss(self, trainable: Any, seeds: Any, x: Any, y: Any, row_weights: Any) -> Any:
        """Return the weighted loss of some windows."""
        output, _ = self.stateless_call(trainable, seeds, x, training=False)
        return tf.reduce_sum(self.window_losses(y, output) * row_weights)

    def _apply_gradients(self, gradients: list[Any]) -> None:
        self.optimizer.apply(gradients, self.trainable_variables)


def _shares(data: Any, size: Any) -> list[tuple[Any, Any, Any]]:
    """Split a batch into shares of equal size, padded with zeros.

    Args:
        data: Inputs and targets, `(n_windows, ...)` each; inputs may be a tuple.
        size: Number of windows to pad to, at least `n_windows`; a number or a tensor.

    Returns:
        For each share inputs, targets, and the weight of each window in the mean loss, which is 0 for padding.
    """
    n_windows, n_shares = tf.shape(data[1])[0], share_count()
    rows = -(-size // n_shares)

    def split(values: Any) -> Any:
        padding = [(0, n_shares * rows - n_windows), *((0, 0) for _ in values.shape[1:])]
        padded = tf.pad(values, padding)
        if isinstance(rows, int):
            padded = tf.ensure_shape(padded, (n_shares * rows, *values.shape[1:]))
        return tf.split(padded, n_shares)

    weights = split(tf.fill([n_windows], 1 / tf.cast(n_windows, tf.float32)))
    flat = zip(*(split(values) for values in tf.nest.flatten(data)), strict=True)
    pairs = [tf.nest.pack_sequence_as(data, values) for values in flat]
    return [(x, y, row_weights) for (x, y), row_weights in zip(pairs, weights, strict=True)]


def share_count() -> int:
    """Return how many shares run at the same time: a power of two, at most the cores and threads of TensorFlow."""
    n_threads = tf.config.threading.get_inter_op_parallelism_threads() or n_cores()
    return 1 << (min(n_threads, n_cores(), MAX_SHARES).bit_length() - 1)


@cache
def has_xla() -> bool:
    """Whether this TensorFlow can compile with XLA; some builds, such as that for Windows, cannot."""
    with tf.init_scope():
        try:
            tf.function(tf.identity, jit_compile=True)(0.0)
        except (tf.errors.OpError, NotImplementedError, ValueError):
            return False
    return True
