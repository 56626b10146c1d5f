"""Fit the network: seeds, batches, callbacks, interruption.

Only train windows move the weights; val windows decide when to stop and which weights to keep. Test windows are
never seen here.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType

import keras
import numpy as np
import pandas as pd

from lstm_stock.config import TrainingConfig
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Distribution
from lstm_stock.errors import ConfigError
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.batches import WindowBatches
from lstm_stock.network.build import build_ensemble, build_network, to_distribution
from lstm_stock.network.callbacks import (
    Checkpoint,
    HistoryAndProgress,
    Progress,
    callbacks_of,
    refit_callbacks,
    variables_of,
)
from lstm_stock.network.checkpoints import Checkpoints, State
from lstm_stock.network.heads import training_loss
from lstm_stock.network.sampling import PathStart, Sampling, forecast_paths

PREDICT_BATCH = 1024
"""Windows per forward pass when nothing is learnt: large enough to be fast, small in memory."""


@dataclass(frozen=True)
class TrainingResult:
    """What training gives.

    Attributes:
        network: The members joined; its output is `lstm_stock.network.build.Params`.
        history: One row per member and epoch: `member epoch loss val_loss learning_rate seconds`.
        interrupted: Whether the user stopped it early.
    """

    network: keras.Model
    history: pd.DataFrame
    interrupted: bool


def fit_network(
    shape: Architecture,
    train: Sequence[Windows],
    val: Sequence[Windows],
    config: TrainingConfig,
    seed: int,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult:
    """Train `config.members` networks, from the seeds `seed, seed + 1, ...`, and join them.

    Ctrl-C once ends training after the batch under way: the member in training keeps its best weights so far,
    or is dropped if others are complete. Twice raises KeyboardInterrupt.

    Args:
        shape: The network to build.
        train: Windows to learn from, one entry a ticker.
        val: Windows that decide when to stop.
        config: The `training` section.
        seed: Seed of the first member.
        on_progress: Called after every batch and epoch.
        checkpoints: Where the state after every epoch is kept. Where there is one of the same training already,
            it goes on from there, to the same weights as if it had not been interrupted.

    Raises:
        ConfigError: The loss became infinite or not a number.
    """
    members: list[keras.Model] = []
    rows: list[dict[str, float]] = []
    with _ctrl_c() as stop:
        for i in range(config.members):
            state = checkpoints.read(i + 1) if checkpoints else None
            keep = partial(_keep, checkpoints, i + 1)
            network = _compiled(shape, config, seed + i)
            history = state.facts["rows"] if state else ()
            follow = HistoryAndProgress(i + 1, sum(map(len, train)), config, stop, on_progress, history)
            if state is not None and state.is_done:
                network.set_weights(state.arrays["variables"])
            else:
                batches, held_out = (
                    WindowBatches(train, config.batch_size, seed + i),
                    WindowBatches(val, PREDICT_BATCH),
                )
                _fit(network, batches, held_out, [follow, *callbacks_of(config)], keep, state)
            if stop.is_set() and members:
                break  # a member that has barely begun would count as much as the finished ones
            _check_finite(follow.rows)
            if not stop.is_set() and (state is None or not state.is_done):
                keep(State(True, {"rows": follow.rows}, {"variables": network.get_weights()}))
            rows += follow.rows
            members.append(_untrainable_copy(network, shape))
            if stop.is_set():
                break
    return TrainingResult(build_ensemble(members), pd.DataFrame(rows), stop.is_set())


def refit_network(
    shape: Architecture,
    train: Sequence[Windows],
    first: TrainingResult,
    config: TrainingConfig,
    seed: int,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult:
    """Train the networks of `first` once more, from their beginning, on more windows and with nothing held out.

    Each for as many epochs as val found best for it, with the learning rate of each of them (Goodfellow, Bengio &
    Courville 2016, Deep Learning, algorithm 7.2). What was held out to find that number is the newest data there
    is, and the baselines learn from it as well.

    Args:
        shape: The network to build.
        train: All windows that may be learnt from.
        first: What `fit_network` gave.
        config: The `training` section.
        seed: Seed of the first member.
        on_progress: Called after every batch and epoch.
        checkpoints: Where the states are kept, of member i as that of `n_members + i`.

    Returns:
        The new networks with the history of `first`; where the user stopped this, `first` itself, as interrupted.

    Raises:
        ConfigError: The loss became infinite or not a number.
    """
    members: list[keras.Model] = []
    with _ctrl_c() as stop:
        for i in range(config.members):
            rows = first.history[first.history["member"] == i + 1]
            stopping = config.early_stopping
            n_best = len(rows) if stopping is None else int(rows[stopping.monitor].argmin()) + 1
            rates = rows["learning_rate"].tolist()[:n_best]
            settings = config.model_copy(update={"epochs": n_best})
            number = config.members + i + 1
            state = checkpoints.read(number) if checkpoints else None
            network = _compiled(shape, config, seed + i)
            history = state.facts["rows"] if state else ()
            follow = HistoryAndProgress(i + 1, sum(map(len, train)), settings, stop, on_progress, history)
            if state is not None and state.is_done:
                network.set_weights(state.arrays["variables"])
            else:
                keep = partial(_keep, checkpoints, number)
                callbacks = [follow, *refit_callbacks(config, rates)]
                _fit(network, WindowBatches(train, config.batch_size, seed + i), None, callbacks, keep, state)
                if stop.is_set():
                    return replace(first, interrupted=True)
                _check_finite(follow.rows)
                keep(State(True, {"rows": follow.rows}, {"variables": network.get_weights()}))
            members.append(_untrainable_copy(network, shape))
    return replace(first, network=build_ensemble(members))


def _keep(checkpoints: Checkpoints | None, member: int, state: State) -> None:
    if checkpoints is not None:
        checkpoints.write(member, state)


def _compiled(shape: Architecture, config: TrainingConfig, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    network = build_network(shape)
    network.compile(optimizer=_optimizer(config), loss=training_loss(shape.head, shape.horizon))
    # Else TensorFlow traces the training step twice: once to learn which variables it makes.
    network.optimizer.build(network.trainable_variables)
    return network


def _fit(
    network: keras.Model,
    train: WindowBatches,
    val: WindowBatches | None,
    callbacks: list[keras.callbacks.Callback],
    keep: Callable[[State], None],
    state: State | None,
) -> None:
    """Train one network to its end, from the beginning or from the state after some epoch.

    Args:
        network: As it was built and compiled.
        train: What it learns from.
        val: What is held out, if anything.
        callbacks: A `HistoryAndProgress`, and then all others.
        keep: Called with the state after every epoch.
        state: Where to go on; None at the beginning.
    """
    follow = callbacks[0]
    n_done, n_epochs = 0, follow.config.epochs
    if state is not None:
        n_done = len(follow.rows)
        n_epochs = n_done if state.facts["stops"] else n_epochs
        for variable, value in zip(variables_of(network), state.arrays["variables"], strict=True):
            variable.assign(value)
        for _ in range(n_done):
            train.on_epoch_end()
    network.fit(
        train,
        validation_data=val,
        initial_epoch=n_done,
        epochs=n_epochs,
        shuffle=False,  # `WindowBatches` shuffles windows; Keras would only shuffle whole batches
        verbose=0,
        callbacks=[*callbacks, Checkpoint(callbacks, follow, keep, state)],
    )


def _untrainable_copy(network: keras.Model, shape: Architecture) -> keras.Model:
    """Return the same network without optimizer and loss, which a saved run has no use for."""
    copy = build_network(shape)
    copy.set_weights(network.get_weights())
    return copy


def forecast_returns(
    network: keras.Model, head: str, windows: Windows, sampling: Sampling | None = None
) -> Distribution:
    """Forecast the k-bar log returns that follow each window, shape `(n_windows, horizon)`.

    Args:
        network: What `fit_network` gave.
        head: Its head.
        windows: Where to forecast from.
        sampling: How the paths of the head `vocabulary` are drawn; the others need none.

    Raises:
        ValueError: The head needs a `sampling`.
    """
    if head == "vocabulary":
        if sampling is None:
            raise ValueError("the head `vocabulary` forecasts by paths: `sampling` must say how")
        # The row of a bar is the number of returns before and at it.
        unit = windows.series.volatility_scale[windows.cutoffs].astype(np.float64)
        start = PathStart(windows.inputs, unit, windows.cutoffs)
        params = forecast_paths(network, start, windows.spec.horizon, sampling)
    else:
        params = network.predict(windows.network_inputs, batch_size=PREDICT_BATCH, verbose=0)
    return windows.to_returns(to_distribution(head, params))


def _optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Adam, with a running mean of the weights beside them if asked for.

    The mean forgets the luck of the last batches (Polyak & Juditsky 1992, SIAM J. Control Optim. 30).
    """
    if config.ema_momentum == 0:
        return keras.optimizers.Adam(config.learning_rate)
    return keras.optimizers.Adam(config.learning_rate, use_ema=True, ema_momentum=config.ema_momentum)


def _check_finite(rows: Sequence[dict[str, float]]) -> None:
    for row in rows:
        if not np.isfinite(row["loss"]) or not np.isfinite(row["val_loss"]):
            raise ConfigError(
                f"training diverged: at epoch {row['epoch']:.0f} the loss is {row['loss']:g} "
                f"and the validation loss {row['val_loss']:g}",
                "lower `training.learning_rate`",
            )


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event, and leave the second one to the handler that was there before.

    Only the main thread may handle signals, and a process that ignores Ctrl-C goes on doing so; there the event is
    simply never set.
    """
    stop = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
        yield stop
        return

    def first(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, first)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
