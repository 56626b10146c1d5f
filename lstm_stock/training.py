"""Fit the network: seeds, batches, callbacks, interruption.

Only train windows move the weights; val windows decide when to stop and which weights to keep. Test windows are
never seen here.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import keras
import numpy as np
import pandas as pd

from lstm_stock.config import TrainingConfig
from lstm_stock.dataset import Windows
from lstm_stock.distributions import Distribution
from lstm_stock.errors import ConfigError
from lstm_stock.models import (
    Architecture,
    Sampling,
    Start,
    build_network,
    forecast_paths,
    join_members,
    to_distribution,
    training_loss,
)

PREDICT_BATCH = 1024
"""Windows per forward pass when nothing is learnt: large enough to be fast, small in memory."""


@dataclass(frozen=True)
class Progress:
    """Where training stands; reported after every batch and every epoch.

    `loss` is the running mean of the epoch, `val_loss` and `best_val_loss` are NaN until there is one. Epochs
    and members count from 1.
    """

    member: int
    n_members: int
    epoch: int
    n_epochs: int
    batch: int
    n_batches: int
    loss: float
    val_loss: float
    best_val_loss: float
    learning_rate: float


@dataclass(frozen=True)
class Fit:
    """What training gives.

    Attributes:
        network: The members joined; its output is `lstm_stock.models.Params`.
        history: One row per member and epoch: `member epoch loss val_loss learning_rate seconds`.
        interrupted: Whether the user stopped it early.
    """

    network: keras.Model
    history: pd.DataFrame
    interrupted: bool


class WindowBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of windows, gathered one batch at a time, so that no array of all windows is ever held.

    Item i is an `x` of shape `(batch, look_back, n_features)` and a `y` of shape `(batch, horizon, 1)`. With a
    seed the windows of all tickers are shuffled anew each epoch.
    """

    def __init__(self, parts: Sequence[Windows], batch_size: int, seed: int | None = None) -> None:
        super().__init__()
        self._parts = parts
        self._batch_size = batch_size
        self._random = None if seed is None else np.random.default_rng(seed)
        lengths = [len(part) for part in parts]
        self._owners = np.repeat(np.arange(len(parts), dtype=np.int32), lengths)
        self._rows = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        if self._random is not None:
            order = self._random.permutation(len(self._rows))
            self._owners, self._rows = self._owners[order], self._rows[order]

    def __getitem__(self, index: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Gather batch `index`."""
        chosen = slice(index * self._batch_size, (index + 1) * self._batch_size)
        owners, rows = self._owners[chosen], self._rows[chosen]
        recipe = self._parts[0].recipe
        x = np.empty((len(rows), recipe.look_back, len(recipe.features)), np.float32)
        y = np.empty((len(rows), recipe.horizon), np.float32)
        for owner in np.unique(owners):
            mine = owners == owner
            part = self._parts[owner]
            batch = replace(part, cutoffs=part.cutoffs[rows[mine]])
            x[mine], y[mine] = batch.inputs, batch.targets
        return x, y[..., None]


def fit_network(
    shape: Architecture,
    train: Sequence[Windows],
    val: Sequence[Windows],
    config: TrainingConfig,
    seed: int,
    on_progress: Callable[[Progress], None] | None = None,
) -> Fit:
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

    Raises:
        ConfigError: The loss became infinite or not a number.
    """
    members: list[keras.Model] = []
    rows: list[dict[str, float]] = []
    with _ctrl_c() as stop:
        for i in range(config.members):
            keras.utils.set_random_seed(seed + i)
            network = build_network(shape)
            network.compile(
                optimizer=_optimizer(config),
                loss=training_loss(shape.head, shape.horizon),
            )
            # Else TensorFlow traces the training step twice: once to learn which variables it makes.
            network.optimizer.build(network.trainable_variables)
            follow = _Follow(i + 1, config, stop, on_progress)
            network.fit(
                WindowBatches(train, config.batch_size, seed + i),
                validation_data=WindowBatches(val, PREDICT_BATCH),
                epochs=config.epochs,
                shuffle=False,  # `WindowBatches` shuffles windows; Keras would only shuffle whole batches
                verbose=0,
                callbacks=[follow, *_callbacks(config)],
            )
            if stop.is_set() and members:
                break  # a member that has barely begun would count as much as the finished ones
            _check_finite(follow.rows)
            rows += follow.rows
            members.append(_untrainable_copy(network, shape))
            if stop.is_set():
                break
    return Fit(join_members(members), pd.DataFrame(rows), stop.is_set())


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
        unit = windows.series.unit[windows.cutoffs].astype(np.float64)
        start = Start(windows.inputs, unit, windows.cutoffs)
        params = forecast_paths(network, start, windows.recipe.horizon, sampling)
    else:
        params = network.predict(windows.inputs, batch_size=PREDICT_BATCH, verbose=0)
    return windows.to_returns(to_distribution(head, params))


def _optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Adam, with a running mean of the weights beside them if asked for.

    The mean forgets the luck of the last batches (Polyak & Juditsky 1992, SIAM J. Control Optim. 30).
    """
    if config.ema_momentum == 0:
        return keras.optimizers.Adam(config.learning_rate)
    return keras.optimizers.Adam(config.learning_rate, use_ema=True, ema_momentum=config.ema_momentum)


def _callbacks(config: TrainingConfig) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = []
    if config.ema_momentum > 0:
        # First of all: what is validated, and what early stopping keeps, are the averaged weights.
        callbacks.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
    if config.reduce_lr is not None:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=config.reduce_lr.monitor,
                factor=config.reduce_lr.factor,
                patience=config.reduce_lr.patience,
                mode="min",
            )
        )
    if config.early_stopping is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor=config.early_stopping.monitor,
                patience=config.early_stopping.patience,
                mode="min",
                restore_best_weights=True,
            )
        )
    else:
        callbacks.append(_KeepLastWeights())
    return callbacks


def _check_finite(rows: Sequence[dict[str, float]]) -> None:
    for row in rows:
        if not np.isfinite(row["loss"]) or not np.isfinite(row["val_loss"]):
            raise ConfigError(
                f"training diverged: at epoch {row['epoch']:.0f} the loss is {row['loss']:g} "
                f"and the validation loss {row['val_loss']:g}",
                "lower `training.learning_rate`",
            )


class _KeepLastWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Leave the network as its last epoch was validated, also when it is stopped before all epochs are done."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._weights = self.model.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.model.set_weights(self._weights)


class _Follow(keras.callbacks.Callback):  # type: ignore[misc]
    """Report progress, keep the history, and stop when asked or when the loss is no longer a number."""

    def __init__(
        self,
        member: int,
        config: TrainingConfig,
        stop: threading.Event,
        report: Callable[[Progress], None] | None,
    ) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []
        self._member = member
        self._config = config
        self._stop = stop
        self._report = report
        self._started = 0.0
        self._at = (0, 0)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._started = time.perf_counter()
        self._at = (epoch + 1, 0)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._at = (self._at[0], batch + 1)
        self._tell((logs or {}).get("loss", np.nan))
        if self._stop.is_set():
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = logs or {}
        loss, val_loss = values.get("loss", np.nan), values.get("val_loss", np.nan)
        self.rows.append(
            {
                "member": self._member,
                "epoch": epoch + 1,
                "loss": float(loss),
                "val_loss": float(val_loss),
                "learning_rate": float(self.model.optimizer.learning_rate),
                "seconds": time.perf_counter() - self._started,
            }
        )
        self._tell(loss)
        if not np.isfinite(loss) or not np.isfinite(val_loss):
            self.model.stop_training = True

    def _tell(self, loss: float) -> None:
        if self._report is None:
            return
        val_losses = [row["val_loss"] for row in self.rows]
        epoch, batch = self._at
        self._report(
            Progress(
                member=self._member,
                n_members=self._config.members,
                epoch=epoch,
                n_epochs=self._config.epochs,
                batch=batch,
                n_batches=self.params["steps"],
                loss=float(loss),
                val_loss=val_losses[-1] if val_losses else np.nan,
                best_val_loss=min(val_losses, default=np.nan),
                learning_rate=float(self.model.optimizer.learning_rate),
            )
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
