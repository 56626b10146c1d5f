"""Train the members of a network: seeds, optimizer, checkpoints, and what Ctrl-C leaves.

Only train windows move the weights; val windows decide when to stop and which weights to keep. Test windows do not
appear here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from lstm_stock.config import TrainingConfig
from lstm_stock.dataset.build import SplitWindows
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.windows import Windows
from lstm_stock.errors import ConfigError
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.batches import WindowBatches
from lstm_stock.network.build import build_ensemble, set_shortcut
from lstm_stock.network.callbacks import (
    HistoryAndProgress,
    NextEpoch,
    Progress,
    SaveState,
    fit_callbacks,
    refit_callbacks,
    training_variables,
)
from lstm_stock.network.cells.base import PREDICT_BATCH
from lstm_stock.network.checkpoints import Checkpoints, MemberState, n_epochs_of
from lstm_stock.network.compiled import compiled_network, without_optimizer
from lstm_stock.network.interrupt import ctrl_c_event

Rows = list[dict[str, float]]
"""The history of one or more members, one row per epoch."""


@dataclass(frozen=True)
class FineTuning:
    """The choice between a pretrained regression and its fit to the train windows: the better one on val is kept.

    Attributes:
        start: Mean negative log likelihood of the pretrained regression on val, in units of the target scale.
        tuned: That of the fit.
    """

    start: float
    tuned: float

    @property
    def keeps_start(self) -> bool:
        """Whether the network starts from the pretrained regression as it is."""
        return self.start <= self.tuned


@dataclass(frozen=True)
class TrainingResult:
    """A trained network.

    Attributes:
        network: The members joined by `build_ensemble`.
        history: One row per member and epoch: `member epoch loss val_loss learning_rate seconds`. Epoch 0 is the
            start, which has no `loss`.
        interrupted: Whether the user stopped the training early.
        fine_tuning: What was chosen between a pretrained regression and its fit to the train windows.
        regression: The regression that a network with a shortcut started from.
    """

    network: keras.Model
    history: pd.DataFrame
    interrupted: bool
    fine_tuning: FineTuning | None = None
    regression: PooledT | None = None


def fit_network(
    spec: Architecture,
    windows: SplitWindows,
    config: TrainingConfig,
    seed: int,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult:
    """Train `config.members` networks, from the seeds `seed, seed + 1, ...`, and join them.

    The weights kept are those of the epoch with the lowest validation loss. If no epoch has a lower one than the
    start, the start is kept: a network whose output is the biases of the head, whatever the window, or with a
    shortcut the regression `lstm_stock.dataset.pooled.PooledT` of the train windows. Where the windows have a
    pretrained `start`, the regression is that one or its fit to the train windows, whichever is better on val.

    Ctrl-C once ends training after the batch under way: the member in training keeps its best weights so far, or
    is dropped if other members are complete. Ctrl-C twice raises KeyboardInterrupt.

    Args:
        spec: The network to build.
        windows: The train windows, to learn from, and the val windows, which decide when to stop.
        config: The `training` section.
        seed: Seed of the first member.
        on_progress: Called with each `Progress`.
        checkpoints: Where states are saved. A training that finds states of its own resumes from them and ends
            with the same weights as an uninterrupted one.

    Raises:
        ConfigError: A loss became infinite or not a number.
    """
    members = [_Member(i + 1, i + 1, seed + i, None) for i in range(config.members)]
    regression, fine_tuning = _regression(spec, windows)
    with ctrl_c_event() as stop:
        trainer = _Trainer(
            spec, windows.train, windows.val, config, stop, on_progress, checkpoints, regression
        )
        networks, rows = trainer.train(members)
    return TrainingResult(
        build_ensemble(networks), pd.DataFrame(rows), stop.is_set(), fine_tuning, regression
    )


def refit_network(
    spec: Architecture,
    windows: SplitWindows,
    first: TrainingResult,
    config: TrainingConfig,
    seed: int,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult:
    """Train the members of `first` again from the start, on more windows and without validation.

    Each member is trained for the number of epochs that was best on val, possibly none, with the learning rate of
    each of these epochs (Goodfellow, Bengio & Courville 2016, Deep Learning, algorithm 7.2). So the network learns
    from the val windows too, the newest before test, as the baselines do.

    Args:
        spec: The network to build.
        windows: Their train windows are all windows to learn from.
        first: The result of `fit_network`.
        config: The `training` section.
        seed: Seed of the first member.
        on_progress: Called with each `Progress`.
        checkpoints: Where states are saved, that of member i under the number `n_members + i`.

    Returns:
        The new networks with the history of `first`; `first` itself, as interrupted, if the user stops.

    Raises:
        ConfigError: A loss became infinite or not a number.
    """
    members = []
    for i, n_epochs in enumerate(kept_epochs(first.history, config)):
        epochs = first.history[(first.history["member"] == i + 1) & (first.history["epoch"] > 0)]
        rates = epochs["learning_rate"].tolist()[:n_epochs]
        members.append(_Member(i + 1, config.members + i + 1, seed + i, rates))
    regression = _regression_of_refit(spec, windows, first.fine_tuning)
    with ctrl_c_event() as stop:
        trainer = _Trainer(spec, windows.train, None, config, stop, on_progress, checkpoints, regression)
        networks, _ = trainer.train(members)
    if stop.is_set():
        return replace(first, interrupted=True)
    return replace(first, network=build_ensemble(networks), regression=regression)


def kept_epochs(history: pd.DataFrame, config: TrainingConfig) -> list[int]:
    """Return the epoch of each member whose weights a training kept; 0 is the start.

    Args:
        history: That of a `TrainingResult`.
        config: The `training` section.
    """
    stopping = config.early_stopping
    return [
        int(rows["epoch"].iloc[-1 if stopping is None else int(rows[stopping.monitor].argmin())])
        for _, rows in history.groupby("member", sort=True)
    ]


def _regression(spec: Architecture, windows: SplitWindows) -> tuple[PooledT | None, FineTuning | None]:
    """Return the regression that a network with a shortcut starts from, and the choice behind it."""
    if not spec.shortcut or windows.start is None:
        return (PooledT.fit(windows.train) if spec.shortcut else None), None
    start = windows.start.regression
    tuned = start.tuned(windows.train)
    found = FineTuning(start.mean_nll(windows.val), tuned.mean_nll(windows.val))
    return (start if found.keeps_start else tuned), found


def _regression_of_refit(
    spec: Architecture, windows: SplitWindows, fine_tuning: FineTuning | None
) -> PooledT | None:
    """Return the regression that a refit starts from: of the same kind as that of the first training."""
    if fine_tuning is None or windows.start is None:
        return PooledT.fit(windows.train) if spec.shortcut else None
    start = windows.start.regression
    return start if fine_tuning.keeps_start else start.tuned(windows.train)


@dataclass(frozen=True)
class _Member:
    """What differs between the members of a training, and between a first training and a refit.

    Attributes:
        number: From 1.
        checkpoint: Number of its state in `Checkpoints`.
        seed: Seed of its weights and batches.
        rates: The learning rate of each epoch of a refit; None in a first training.
    """

    number: int
    checkpoint: int
    seed: int
    rates: Sequence[float] | None


@dataclass(frozen=True)
class _Trainer:
    """Trains members one after the other; `val` is None for a training without validation."""

    spec: Architecture
    train_windows: Sequence[Windows]
    val_windows: Sequence[Windows] | None
    config: TrainingConfig
    stop: threading.Event
    on_progress: Callable[[Progress], None] | None
    checkpoints: Checkpoints | None
    regression: PooledT | None

    def train(self, members: Sequence[_Member]) -> tuple[list[keras.Model], Rows]:
        """Return the trained networks and their history; after Ctrl-C, an unfinished network only if it is alone.

        Raises:
            ConfigError: A loss became infinite or not a number.
        """
        try:
            return self._train(members)
        finally:
            if self.checkpoints is not None:
                self.checkpoints.flush()

    def _train(self, members: Sequence[_Member]) -> tuple[list[keras.Model], Rows]:
        networks: list[keras.Model] = []
        rows: Rows = []
        for member in members:
            saved = self.checkpoints.read(member.checkpoint) if self.checkpoints else None
            network, member_rows = self._train_member(member, saved)
            if self.stop.is_set() and networks:
                break  # an unfinished member would count as much as the finished ones
            _check_finite(member_rows)
            if (
                self.checkpoints is not None
                and not self.stop.is_set()
                and (saved is None or not saved.is_done)
            ):
                state = MemberState(True, {"rows": member_rows}, {"variables": network.get_weights()})
                self.checkpoints.write(member.checkpoint, state)
            rows += member_rows
            networks.append(without_optimizer(network, self.spec))
            if self.stop.is_set():
                break
        return networks, rows

    def _train_member(self, member: _Member, state: MemberState | None) -> tuple[keras.Model, Rows]:
        """Train one network, from a saved state if there is one."""
        n_windows = sum(map(len, self.train_windows))
        network = compiled_network(self.spec, self.config, member.seed, n_windows)
        if self.regression is not None:
            set_shortcut(network, self.regression)
        rows = state.facts["rows"] if state is not None else []
        if state is not None and state.is_done:
            network.set_weights(state.arrays["variables"])
            return network, rows
        start = _start(network)
        if member.rates is not None and not member.rates:
            network.set_weights(start)
            return network, rows
        train = WindowBatches(self.train_windows, self.config.batch_size, member.seed)
        val = None
        if self.val_windows is not None:
            val = WindowBatches(self.val_windows, PREDICT_BATCH).dataset()
            rows = rows or [_start_row(member, network, start, val)]
        if self.config.epochs == 0:
            network.set_weights(start)
            return network, rows
        n_done = n_epochs_of(rows)
        n_epochs = self.config.epochs if member.rates is None else len(member.rates)
        if state is not None:
            _restore(network, train, state)
            n_epochs = n_done if state.facts["stops"] else n_epochs
        history = HistoryAndProgress(
            member.number, self.config.members, n_windows, self.stop, self.on_progress, rows
        )
        callbacks = [history, NextEpoch(train.next_epoch)]
        if member.rates is None:
            callbacks += fit_callbacks(self.config, start, rows[0]["val_loss"])
        else:
            callbacks += refit_callbacks(self.config, member.rates)
        if self.checkpoints is not None:
            save_state = partial(self.checkpoints.keep, member.checkpoint)
            callbacks.append(SaveState(callbacks, history, save_state, state))
        network.fit(
            train.dataset(),
            validation_data=val,
            initial_epoch=n_done,
            epochs=n_epochs,
            shuffle=False,  # `WindowBatches` shuffles
            verbose=0,
            callbacks=callbacks,
        )
        return network, history.rows


def _start(network: keras.Model) -> list[NDArray[Any]]:
    """Return the weights of a new network with a head of its biases alone: their forecast is that of `Head.start`.

    With its random weights, the head would add noise to that forecast.
    """
    head = network.get_layer("head")
    is_zero = [variable is head.kernel for variable in network.weights]
    return [
        np.zeros_like(value) if zero else value
        for zero, value in zip(is_zero, network.get_weights(), strict=True)
    ]


def _start_row(
    member: _Member, network: keras.Model, start: list[NDArray[Any]], val: tf.data.Dataset
) -> dict[str, float]:
    """Validate the start and return its row of the history."""
    started = time.perf_counter()
    initial = network.get_weights()
    network.set_weights(start)
    val_loss = float(network.evaluate(val, verbose=0))
    network.set_weights(initial)
    return {
        "member": member.number,
        "epoch": 0,
        "loss": np.nan,
        "val_loss": val_loss,
        "learning_rate": float(network.optimizer.learning_rate),
        "seconds": time.perf_counter() - started,
    }


def _restore(network: keras.Model, train: WindowBatches, state: MemberState) -> None:
    """Set network, optimizer and the order of the windows to the state after some epoch."""
    for variable, value in zip(training_variables(network), state.arrays["variables"], strict=True):
        variable.assign(value)
    for _ in range(n_epochs_of(state.facts["rows"])):
        train.next_epoch()


def _check_finite(rows: Sequence[dict[str, float]]) -> None:
    for row in rows:
        if row["epoch"] == 0:
            continue
        if not np.isfinite(row["loss"]) or not np.isfinite(row["val_loss"]):
            raise ConfigError(
                f"training diverged: at epoch {row['epoch']:.0f} the loss is {row['loss']:g} "
                f"and the validation loss {row['val_loss']:g}",
                "lower `training.learning_rate`",
            )
