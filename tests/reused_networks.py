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

    def variables_of(network):
        return [*network.variables, *network.optimizer.variables]

    def reused(spec, config, seed, n_windows):
        steps = (compiled.MIN_PRODUCTS, compiled.STEPS_PER_EXECUTION)  # tests change them
        optimizer = (config.ema_momentum, config.weight_decay)
        traced = (spec, config.batch_size, config.precision, optimizer, steps)
        start = (*traced, config.learning_rate, seed, n_windows)
        if start not in kept:
            new = compiled_network(spec, config, seed, n_windows)
            network = kept.setdefault((*traced, type(new)), new)
            kept[start] = network, [variable.numpy() for variable in variables_of(new)]
        keras.utils.set_random_seed(seed)
        network, values = kept[start]
        for variable, value in zip(variables_of(network), values, strict=True):
            variable.assign(value)
        return network

    with pytest.MonkeyPatch.context() as monkeypatch, without_graph_optimizer():
        monkeypatch.setattr(training, "compiled_network", reused)
        yield
