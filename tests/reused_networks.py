"""Tiny trainings take most of their time to trace and to optimize graphs: tests do it less often."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def without_graph_optimizer() -> Iterator[None]:
    """Skip TensorFlow's graph optimizer, which takes longer than it saves for networks as small as these."""
    import tensorflow as tf

    options = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **options})


@contextmanager
def untraced_forecasts() -> Iterator[None]:
    """Let networks forecast without a graph, which takes longer to trace than it saves for one batch or two."""
    import keras

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(keras.Model, "predict_on_batch", lambda self, x: self(x, training=False).numpy())
        yield


@contextmanager
def reused_networks(kept: dict[Hashable, Any]) -> Iterator[None]:
    """Let trainings of the same architecture and optimizer use one compiled network, traced once.

    Each training starts from the state of a network of its own: before it, every variable that a training changes
    is set to what a new network of its seed has. Tests of tracing and of the network itself do without.

    Args:
        kept: The networks and the values of their variables, empty at first.
    """
    import keras

    from lstm_stock.network import compiled, training

    compiled_network = training.compiled_network
    parallel = compiled.ParallelModel

    def variables_of(network):
        return [*network.variables, *network.optimizer.variables]

    def reused(spec, config, seed, n_windows):
        optimizer = (config.ema_momentum, config.weight_decay)
        # Only a compiled step depends on the size of its batches; tests change the two constants.
        steps = (config.batch_size, compiled.MIN_PRODUCTS, compiled.STEPS_PER_EXECUTION)
        start = (spec, config.precision, optimizer, steps, config.learning_rate, seed, n_windows)
        if start not in kept:
            new = compiled_network(spec, config, seed, n_windows)
            traced = (spec, config.precision, optimizer, steps if isinstance(new, parallel) else None)
            network = kept.setdefault(traced, new)
            kept[start] = network, [variable.numpy() for variable in variables_of(new)]
        keras.utils.set_random_seed(seed)
        network, values = kept[start]
        for variable, value in zip(variables_of(network), values, strict=True):
            variable.assign(value)
        return network

    with pytest.MonkeyPatch.context() as monkeypatch, without_graph_optimizer(), untraced_forecasts():
        monkeypatch.setattr(training, "compiled_network", reused)
        yield
