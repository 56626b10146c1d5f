"""Build and compile a network for training, in the way that trains it fastest.

Nothing here trains; the network that is kept is built again, of layers of Keras alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import keras

from lstm_stock.config import TrainingConfig
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.build import SHORTCUT, build_network
from lstm_stock.network.cells.fused_lstm import FusedLSTM
from lstm_stock.network.losses import training_loss, window_losses
from lstm_stock.network.parallel_model import MIN_PRODUCTS, STEPS_PER_EXECUTION, ParallelModel, has_xla
from lstm_stock.network.tensorflow_setup import has_gpu


def compiled_network(spec: Architecture, config: TrainingConfig, seed: int, n_windows: int) -> keras.Model:
    """Return a network with optimizer and loss.

    Args:
        spec: The architecture.
        config: The `training` section.
        seed: Seed of the weights and of all random numbers of the training.
        n_windows: Number of train windows, from which follows whether compiling by XLA pays.
    """
    keras.utils.set_random_seed(seed)
    with _dtype_policy(config.precision):
        # On a GPU, the LSTM of Keras is that of cuDNN.
        network = build_network(replace(spec, fused=not has_gpu()))
    n_products = network.count_params() * spec.look_back * n_windows
    if (
        n_products >= MIN_PRODUCTS
        and config.precision == "float32"
        and _has_fused_loops(network)
        and has_xla()
    ):
        network = ParallelModel(network.inputs, network.outputs, name=network.name)
        network.window_losses = window_losses(spec.head, spec.horizon)
        network.batch_size = config.batch_size
    network.compile(
        optimizer=_optimizer(config),
        loss=training_loss(spec.head, spec.horizon),
        steps_per_execution=STEPS_PER_EXECUTION if isinstance(network, ParallelModel) else 1,
    )
    if spec.shortcut:
        # Decay towards zero would move the network away from the regression that it starts from.
        regression = network.get_layer(SHORTCUT).trainable_variables
        network.optimizer.exclude_from_weight_decay(var_list=regression)
    # An optimizer that is not built would make TensorFlow trace the training step twice.
    network.optimizer.build(network.trainable_variables)
    return network


def _has_fused_loops(network: keras.Model) -> bool:
    """Whether all loops over bars are `FusedLSTM`; no other was measured under XLA."""
    loops = [layer for layer in network._flatten_layers() if isinstance(layer, keras.layers.RNN)]
    return bool(loops) and all(isinstance(layer, FusedLSTM) for layer in loops)


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Build layers with a dtype policy of Keras."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def _optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Return Adam, with a running mean of the weights if `ema_momentum` is positive.

    The mean reduces the noise of single batches (Polyak & Juditsky 1992, SIAM J. Control Optim. 30). Weight decay
    is that of AdamW (Loshchilov & Hutter 2019, ICLR, algorithm 2).
    """
    options: dict[str, Any] = {"weight_decay": config.weight_decay or None}
    if config.ema_momentum > 0:
        options |= {"use_ema": True, "ema_momentum": config.ema_momentum}
    return keras.optimizers.Adam(config.learning_rate, **options)


def without_optimizer(network: keras.Model, spec: Architecture) -> keras.Model:
    """Return the same network without optimizer and loss, which a saved run does not need."""
    copy = build_network(spec)
    copy.set_weights(network.get_weights())
    return copy
