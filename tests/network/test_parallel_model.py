from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_stock.config.cells import CELLS
from lstm_stock.network import compiled as compiled_module
from lstm_stock.network import parallel_model, training
from lstm_stock.network.architecture import Architecture, Regularisers
from lstm_stock.network.build import build_network
from lstm_stock.network.compiled import compiled_network
from lstm_stock.network.losses import training_loss, window_losses
from lstm_stock.network.parallel_model import ParallelModel
from tests.network.test_training import SETTINGS, TINY, TRAIN, VAL, split_windows, start_loss, weights
from tests.reused_networks import reused_networks

PLAIN = Architecture("lstm", (6, 4), 0.0, (4,), "student_t", look_back=5, n_features=3, horizon=2, fused=True)
BATCH = 10


def compiled(spec: Architecture, is_parallel: bool, optimizer: Any = None) -> keras.Model:
    keras.utils.set_random_seed(3)
    network = build_network(spec)
    if is_parallel:
        network = ParallelModel(network.inputs, network.outputs)
        network.window_losses = window_losses(spec.head, spec.horizon)
        network.batch_size = BATCH
    network.compile(
        optimizer or keras.optimizers.SGD(0.1),
        training_loss(spec.head, spec.horizon),
        run_eagerly=not is_parallel,  # a graph would take longer to trace than it saves
    )
    return network


def data_of(spec: Architecture, n_windows: int) -> tf.data.Dataset:
    random = np.random.default_rng(0)
    x = random.normal(size=(n_windows, spec.look_back, spec.n_features)).astype(np.float32)
    y = random.normal(size=(n_windows, spec.horizon, 1)).astype(np.float32)
    ids = random.integers(0, spec.n_tickers + 1, n_windows).astype(np.int32)
    return tf.data.Dataset.from_tensor_slices(((x, ids) if spec.ticker_embedding else x, y)).batch(BATCH)


def assert_trains_as_keras(spec, make_optimizer):
    """23 windows are two whole batches, and one that is padded."""
    ends = []
    for is_parallel in (False, True):
        network = compiled(spec, is_parallel, make_optimizer())
        history = network.fit(
            data_of(spec, 23), validation_data=data_of(spec, 13), epochs=2, verbose=0, shuffle=False
        )
        ends.append((network.get_weights(), history.history["loss"], history.history["val_loss"]))
    for one, other in zip(*ends, strict=True):
        for expected, got in zip(one, other, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


PLAIN_STEPS = partial(keras.optimizers.SGD, 0.1)
# With a smaller epsilon, Adam makes much of the rounding of gradients near 0.
AVERAGING = partial(keras.optimizers.Adam, 0.01, epsilon=0.01, use_ema=True, ema_momentum=0.9)


@pytest.mark.parametrize(
    ("spec", "optimizer", "n_shares"),
    [
        (PLAIN, PLAIN_STEPS, 1),
        (replace(PLAIN, cell="bilstm", units=(4,), head="gaussian"), AVERAGING, 2),
        (
            replace(
                PLAIN,
                cell="attention",
                units=(4,),
                n_tickers=3,
                ticker_embedding=2,
                regularisers=Regularisers(kernel_constraint=0.5, l2=0.1),
            ),
            PLAIN_STEPS,
            4,
        ),
    ],
    ids=["lstm", "bilstm, Adam and averaged weights", "attention, embedding, constraint and penalty"],
)
def test_without_dropout_a_training_is_that_of_keras(spec, optimizer, n_shares, monkeypatch):
    monkeypatch.setattr(parallel_model, "share_count", lambda: n_shares)
    assert_trains_as_keras(spec, optimizer)


def test_each_share_and_each_step_drops_other_units(monkeypatch):
    monkeypatch.setattr(parallel_model, "share_count", lambda: 2)
    spec = replace(PLAIN, dropout=0.5)
    network = compiled(spec, is_parallel=True)
    network.make_train_function()
    x = np.ones((5, spec.look_back, spec.n_features), np.float32)
    y, row_weights = np.ones((5, spec.horizon, 1), np.float32), np.ones(5, np.float32)
    trainable, seeds = network._values()
    steps = []
    for number in (0, 1):
        own_seeds = [seed + tf.constant([number, 0], seed.dtype) for seed in seeds]
        loss, _, after = network._gradient_program(trainable, own_seeds, x, y, row_weights)
        steps += [float(loss), float(network._gradient_program(trainable, after, x, y, row_weights)[0])]
    assert len(set(steps)) == 4


@pytest.fixture
def for_all_sizes(monkeypatch):
    """Let XLA compile the step of networks of any size."""
    monkeypatch.setattr(compiled_module, "MIN_PRODUCTS", 0)


def test_a_seed_gives_equal_weights_and_saved_layers_are_those_of_keras(for_all_sizes, monkeypatch):
    made = []
    step = ParallelModel.train_step
    monkeypatch.setattr(ParallelModel, "train_step", lambda self, data: made.append(1) or step(self, data))
    with reused_networks({}):
        first, second = (
            training.fit_network(TINY, split_windows([TRAIN], [VAL]), SETTINGS, seed=5) for _ in range(2)
        )
    assert len(TRAIN) % SETTINGS.batch_size > 0
    assert len(made) == 1  # traced once, also with a smaller last batch
    assert weights(first) == weights(second)
    member = first.network.get_layer("member_1")
    assert {type(layer).__module__.partition(".")[0] for layer in member.layers} == {"keras"}
    val_loss = first.history["val_loss"]
    assert val_loss[0] == pytest.approx(start_loss(), abs=1e-5)
    assert val_loss.iloc[-1] < val_loss[1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"precision": "mixed_bfloat16"}, "precision"),
        ({"cell": "gru"}, "a loop that TensorFlow differentiates"),
        ({"recurrent_dropout": 0.2}, "ordinary LSTM layers"),
        ({"zoneout": 0.2}, "ordinary LSTM cells"),
        ({"gpu": True}, "cuDNN"),
        ({"xla": False}, "a build of TensorFlow without XLA"),
    ],
)
def test_keras_trains_where_xla_would_be_slower_or_is_missing(change, reason, for_all_sizes, monkeypatch):
    monkeypatch.setattr(compiled_module, "has_gpu", lambda: change.get("gpu", False))
    monkeypatch.setattr(compiled_module, "has_xla", lambda: change.get("xla", True))
    rules = {name: change[name] for name in ("recurrent_dropout", "zoneout") if name in change}
    spec = replace(TINY, cell=change.get("cell", "lstm"), regularisers=Regularisers(**rules))
    config = SETTINGS.model_copy(update={"precision": change.get("precision", "float32")})
    assert isinstance(compiled_network(TINY, SETTINGS, 1, 100), ParallelModel) == ("gpu" not in change) & (
        "xla" not in change
    )
    assert not isinstance(compiled_network(spec, config, 1, 100), ParallelModel), reason


def test_small_trainings_are_not_compiled():
    assert not isinstance(compiled_network(TINY, SETTINGS, 1, 1000), ParallelModel)
    assert isinstance(compiled_network(TINY, SETTINGS, 1, 10_000_000), ParallelModel)


@pytest.mark.parametrize("cell", CELLS)
def test_the_step_is_compiled_where_every_loop_over_bars_is_fused(cell, for_all_sizes):
    spec = replace(TINY, cell=cell, head=CELLS[cell].head or "student_t", n_features=1)
    is_fused = cell in ("lstm", "bilstm", "attention", "token")
    assert isinstance(compiled_network(spec, SETTINGS, 1, 100), ParallelModel) == is_fused


def test_a_build_of_tensorflow_without_xla_is_recognised(monkeypatch):
    def refuse(*_args, **_options):
        raise tf.errors.UnimplementedError(None, None, "no XLA in this build")

    parallel_model.has_xla.cache_clear()
    monkeypatch.setattr(tf, "function", refuse)
    assert not parallel_model.has_xla()
    monkeypatch.undo()
    parallel_model.has_xla.cache_clear()
    assert parallel_model.has_xla()


@pytest.mark.parametrize(
    ("n_cores", "n_threads", "n_shares"), [(1, 2, 1), (2, 3, 2), (3, 0, 2), (64, 65, 4), (8, 1, 1)]
)
def test_shares_are_a_power_of_two_within_cores_and_threads(n_cores, n_threads, n_shares, monkeypatch):
    monkeypatch.setattr(parallel_model, "n_cores", lambda: n_cores)
    monkeypatch.setattr(tf.config.threading, "get_inter_op_parallelism_threads", lambda: n_threads)
    assert parallel_model.share_count() == n_shares
