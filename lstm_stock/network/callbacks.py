"""Keras callbacks: averaged weights, learning rate, early stopping, history and progress, checkpoints."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from lstm_stock.config import TrainingConfig
from lstm_stock.network.checkpoints import MemberState

PROGRESS_SECONDS = 0.1
"""Least time between two reports within an epoch: a report costs time, and a terminal shows no more."""


@dataclass(frozen=True)
class Progress:
    """Progress of a training, reported after an epoch's first batch, at its end, and every `PROGRESS_SECONDS`.

    `loss` is the running mean of the epoch. The start is validated too: before the end of the first epoch,
    `val_loss` and `best_val_loss` are those of the start; without validation they are NaN. Epochs and members
    count from 1. `n_windows` is the number of train windows.
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
    n_windows: int


def fit_callbacks(
    config: TrainingConfig, start: Sequence[Any], start_loss: float
) -> list[keras.callbacks.Callback]:
    """Return the callbacks of a training with validation, as the `training` section asks.

    Args:
        config: The `training` section.
        start: Weights to keep if no epoch has a lower validation loss.
        start_loss: Their validation loss.
    """
    learning_rate: list[keras.callbacks.Callback] = []
    if config.reduce_lr is not None:
        learning_rate.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=config.reduce_lr.monitor,
                factor=config.reduce_lr.factor,
                patience=config.reduce_lr.patience,
                min_delta=config.reduce_lr.min_delta,
                min_lr=config.reduce_lr.min_lr,
                mode="min",
            )
        )
    stopping: list[keras.callbacks.Callback] = [_KeepLastWeights()]
    if config.early_stopping is not None:
        monitor = config.early_stopping.monitor
        # The start has no train loss: if that is monitored, the start is no candidate.
        is_candidate = monitor == "val_loss"
        stopping = [
            keras.callbacks.EarlyStopping(
                monitor=monitor,
                patience=config.early_stopping.patience,
                min_delta=config.early_stopping.min_delta,
                mode="min",
            ),
            _KeepBestWeights(
                monitor, start if is_candidate else None, start_loss if is_candidate else np.inf
            ),
        ]
    # Averaging comes first: the averaged weights are validated and kept.
    return [*_averaging_callbacks(config), *learning_rate, *stopping]


def refit_callbacks(config: TrainingConfig, rates: Sequence[float]) -> list[keras.callbacks.Callback]:
    """Return the callbacks of a training without validation; `rates` are the learning rates of its epochs."""
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    return [*_averaging_callbacks(config), schedule]


def _averaging_callbacks(config: TrainingConfig) -> list[keras.callbacks.Callback]:
    return [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if config.ema_momentum > 0 else []


class _KeepLastWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Keep the weights of the last whole epoch, also when training stops within an epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._weights = self.model.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self._weights is not None:
            self.model.set_weights(self._weights)


class _KeepBestWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Keep the weights of the epoch with the lowest loss, or the start if no epoch has a lower one.

    `EarlyStopping` would keep those of the last improvement by `min_delta`.

    Args:
        monitor: The loss.
        start: Weights that no epoch trained; None if they are no candidate.
        start_loss: Their loss; infinite if they are no candidate.
    """

    def __init__(self, monitor: str, start: Sequence[Any] | None, start_loss: float) -> None:
        super().__init__()
        self._monitor = monitor
        self.lowest = start_loss
        self.weights = start

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get(self._monitor, np.nan)
        if loss < self.lowest:
            self.lowest = loss
            self.weights = self.model.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self.weights is not None:
            self.model.set_weights(self.weights)


class NextEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Draw the order of the windows of the next epoch, once all batches of this one are gathered.

    Args:
        draw: Draws it.
    """

    def __init__(self, draw: Callable[[], None]) -> None:
        super().__init__()
        self._draw = draw

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw it."""
        self._draw()


class HistoryAndProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Report progress, keep the history, and stop when asked or when a loss is not finite.

    Args:
        member: Number of the member, from 1.
        n_members: Number of members.
        n_windows: Number of train windows.
        stop: Set when the user wants to stop.
        on_progress: Called with each `Progress`.
        rows: The history so far, one row per epoch, after that of the start if it was validated.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        member: int,
        n_members: int,
        n_windows: int,
        stop: threading.Event,
        on_progress: Callable[[Progress], None] | None,
        rows: Sequence[dict[str, float]] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self.rows = list(rows)
        self._member = member
        self._n_members = n_members
        self._n_windows = n_windows
        self._stop = stop
        self._on_progress = on_progress
        self._clock = clock
        self._started = 0.0
        self._next_report = 0.0
        self._epoch = 0
        self._batch = 0
        self._has_validation = True

    @property
    def was_stopped(self) -> bool:
        """Whether the user stopped the training."""
        return self._stop.is_set()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self._started = self._next_report = self._clock()
        self._epoch, self._batch = epoch + 1, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Report if it is time to, and stop if the user wants to."""
        self._batch = batch + 1
        if self._on_progress is not None and self._clock() >= self._next_report:
            self._report((logs or {}).get("loss", np.nan))
        if self._stop.is_set():
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the epoch to the history; a training without validation records the train loss as `val_loss`."""
        values = logs or {}
        loss = values.get("loss", np.nan)
        self._has_validation = "val_loss" in values
        val_loss = values.get("val_loss", loss)
        self.rows.append(
            {
                "member": self._member,
                "epoch": epoch + 1,
                "loss": float(loss),
                "val_loss": float(val_loss),
                "learning_rate": float(self.model.optimizer.learning_rate),
                "seconds": self._clock() - self._started,
            }
        )
        self._report(loss)
        if not np.isfinite(loss) or not np.isfinite(val_loss):
            self.model.stop_training = True

    def _report(self, loss: float) -> None:
        if self._on_progress is None:
            return
        val_losses = [row["val_loss"] for row in self.rows if self._has_validation]
        self._on_progress(
            Progress(
                member=self._member,
                n_members=self._n_members,
                epoch=self._epoch,
                n_epochs=self.params["epochs"],
                batch=self._batch,
                n_batches=self.params["steps"],
                loss=float(loss),
                val_loss=val_losses[-1] if val_losses else np.nan,
                best_val_loss=min(val_losses, default=np.nan),
                learning_rate=float(self.model.optimizer.learning_rate),
                n_windows=self._n_windows,
            )
        )
        self._next_report = self._clock() + PROGRESS_SECONDS


_CALLBACK_STATE: dict[type, tuple[tuple[str, ...], tuple[str, ...]]] = {
    keras.callbacks.EarlyStopping: (("wait", "best", "best_epoch", "stopped_epoch"), ()),
    _KeepBestWeights: (("lowest",), ("weights",)),
    keras.callbacks.ReduceLROnPlateau: (("wait", "best", "cooldown_counter"), ()),
    keras.callbacks.SwapEMAWeights: (("_ema_weights_in_model",), ()),
}
"""Attributes that a callback carries from one epoch to the next: plain values, and lists of arrays."""


class SaveState(keras.callbacks.Callback):  # type: ignore[misc]
    """Pass on a copy of the state of the training after every epoch, and restore the other callbacks on resume.

    Must be the last callback: it reads the state that the others leave, and restores them after their
    `on_train_begin`.

    Args:
        others: All other callbacks.
        history: The one of them that keeps the history.
        save_state: Called with each state.
        resumed: The state to resume from; None at the beginning.
    """

    def __init__(
        self,
        others: Sequence[keras.callbacks.Callback],
        history: HistoryAndProgress,
        save_state: Callable[[MemberState], None],
        resumed: MemberState | None,
    ) -> None:
        super().__init__()
        self._stateful = [one for one in others if type(one) in _CALLBACK_STATE]
        self._history = history
        self._save_state = save_state
        self._resumed = resumed

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Restore the other callbacks."""
        if self._resumed is None:
            return
        for i, callback in enumerate(self._stateful):
            values, lists = _CALLBACK_STATE[type(callback)]
            for name in values:
                setattr(callback, name, self._resumed.facts[f"{name}-{i}"])
            for name in lists:
                setattr(callback, name, self._resumed.arrays[f"{name}-{i}"] or None)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Pass on the state, unless the epoch was cut short."""
        if self._history.was_stopped:
            return
        facts: dict[str, Any] = {"rows": list(self._history.rows), "stops": bool(self.model.stop_training)}
        arrays = {"variables": [np.asarray(one.numpy()) for one in training_variables(self.model)]}
        for i, callback in enumerate(self._stateful):
            values, lists = _CALLBACK_STATE[type(callback)]
            facts |= {f"{name}-{i}": _plain(getattr(callback, name)) for name in values}
            arrays |= {f"{name}-{i}": list(getattr(callback, name) or ()) for name in lists}
        self._save_state(MemberState(False, facts, arrays))


def training_variables(network: keras.Model) -> list[Any]:
    """Return every variable that training changes: weights, random seeds, optimizer slots."""
    return [*network.variables, *network.optimizer.variables]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int) else float(value)
