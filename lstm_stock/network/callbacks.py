"""What happens after each batch and each epoch of a training: progress, stopping, learning rate, checkpoints."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from lstm_stock.config import TrainingConfig
from lstm_stock.network.checkpoints import State


@dataclass(frozen=True)
class Progress:
    """Where training stands; reported after every batch and every epoch.

    `loss` is the running mean of the epoch, `val_loss` and `best_val_loss` are NaN until there is one. Epochs
    and members count from 1. An epoch learns from `n_windows` windows.
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


def callbacks_of(config: TrainingConfig) -> list[keras.callbacks.Callback]:
    """Build what the `training` section asks for: averaged weights, learning rate, early stopping."""
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


def refit_callbacks(config: TrainingConfig, rates: Sequence[float]) -> list[keras.callbacks.Callback]:
    """Build what repeats a training on more windows: averaged weights, and the learning rate of each epoch."""
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    return [*callbacks_of(config)[: config.ema_momentum > 0], schedule]


_CALLBACK_STATE: dict[type, tuple[tuple[str, ...], tuple[str, ...]]] = {
    keras.callbacks.EarlyStopping: (("wait", "best", "best_epoch", "stopped_epoch"), ("best_weights",)),
    keras.callbacks.ReduceLROnPlateau: (("wait", "best", "cooldown_counter"), ()),
    keras.callbacks.SwapEMAWeights: (("_ema_weights_in_model",), ()),
}
"""What each callback remembers from one epoch to the next: plain values, and lists of arrays."""


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Give the state of the training after every epoch, and begin at such a state.

    It must be the last of the callbacks: the state is the one that all others leave, and what they forget at
    the start of a training is put back after that.

    Args:
        others: All other callbacks.
        follow: The one of them that keeps the history.
        write: Called with each state.
        start: Where to begin; None at the beginning.
    """

    def __init__(
        self,
        others: Sequence[keras.callbacks.Callback],
        follow: HistoryAndProgress,
        write: Callable[[State], None],
        start: State | None,
    ) -> None:
        super().__init__()
        self._remembering = [one for one in others if type(one) in _CALLBACK_STATE]
        self._follow = follow
        self._write = write
        self._start = start

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put back what the others knew."""
        if self._start is None:
            return
        for i, callback in enumerate(self._remembering):
            values, lists = _CALLBACK_STATE[type(callback)]
            for name in values:
                setattr(callback, name, self._start.facts[f"{name}-{i}"])
            for name in lists:
                setattr(callback, name, self._start.arrays[f"{name}-{i}"] or None)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Give the state."""
        if self._follow.was_stopped:
            return  # the epoch is not whole
        facts: dict[str, Any] = {"rows": self._follow.rows, "stops": bool(self.model.stop_training)}
        arrays = {"variables": [np.array(one) for one in variables_of(self.model)]}
        for i, callback in enumerate(self._remembering):
            values, lists = _CALLBACK_STATE[type(callback)]
            facts |= {f"{name}-{i}": _plain(getattr(callback, name)) for name in values}
            arrays |= {f"{name}-{i}": list(getattr(callback, name) or ()) for name in lists}
        self._write(State(False, facts, arrays))


def variables_of(network: keras.Model) -> list[Any]:
    """Return all that training changes: weights, random seeds, what the optimizer remembers."""
    return [*network.variables, *network.optimizer.variables]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int) else float(value)


class _KeepLastWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Leave the network as its last epoch was validated, also when it is stopped before all epochs are done."""

    def __init__(self) -> None:
        super().__init__()
        self._weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._weights = self.model.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self._weights is not None:
            self.model.set_weights(self._weights)


class HistoryAndProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Report progress, keep the history, and stop when asked or when the loss is no longer a number.

    Args:
        member: Which network is trained.
        n_windows: Train windows.
        config: The `training` section.
        stop: Set when the user wants to stop.
        report: Told of progress.
        rows: The history so far.
    """

    def __init__(
        self,
        member: int,
        n_windows: int,
        config: TrainingConfig,
        stop: threading.Event,
        report: Callable[[Progress], None] | None,
        rows: Sequence[dict[str, float]] = (),
    ) -> None:
        super().__init__()
        self.rows = list(rows)
        self._member = member
        self._n_windows = n_windows
        self.config = config
        self._stop = stop
        self._report = report
        self._started = 0.0
        self._at = (0, 0)
        self._holds_out = True

    @property
    def was_stopped(self) -> bool:
        """Whether the user stopped the training."""
        return self._stop.is_set()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self._started = time.perf_counter()
        self._at = (epoch + 1, 0)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Report, and stop if the user wants to."""
        self._at = (self._at[0], batch + 1)
        self._tell((logs or {}).get("loss", np.nan))
        if self._stop.is_set():
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the epoch into the history."""
        values = logs or {}
        loss = values.get("loss", np.nan)
        self._holds_out = "val_loss" in values
        val_loss = values.get("val_loss", loss)  # where nothing is held out, the loss must do
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
        val_losses = [row["val_loss"] for row in self.rows if self._holds_out]
        epoch, batch = self._at
        self._report(
            Progress(
                member=self._member,
                n_members=self.config.members,
                epoch=epoch,
                n_epochs=self.config.epochs,
                batch=batch,
                n_batches=self.params["steps"],
                loss=float(loss),
                val_loss=val_losses[-1] if val_losses else np.nan,
                best_val_loss=min(val_losses, default=np.nan),
                learning_rate=float(self.model.optimizer.learning_rate),
                n_windows=self._n_windows,
            )
        )
