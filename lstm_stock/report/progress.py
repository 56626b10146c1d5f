"""Progress bars on stderr: of a fetch, of a training, of counted work.

A bar is drawn only on a terminal; elsewhere, lines report the progress. `NO_COLOR` is honoured.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from lstm_stock.report.console import note

if TYPE_CHECKING:
    from lstm_stock.network.callbacks import Progress
    from lstm_stock.prices.retry import Retry


SECONDS_PER_LINE = 10.0
"""Seconds between the lines that report progress where there is no terminal."""


def _make_bar(*columns: ProgressColumn, quiet: bool, speed_seconds: float = 30.0) -> Bar:
    """Return a bar that is drawn on a terminal only, and erased when it ends.

    Args:
        columns: What the line shows.
        quiet: Draw nothing.
        speed_seconds: Length of the period whose speed gives the remaining time.
    """
    console = Console(stderr=True, highlight=False)
    return Bar(
        *columns,
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
        speed_estimate_period=speed_seconds,
    )


@contextmanager
def _lines(bar: Bar, quiet: bool, text: Callable[[], str]) -> Iterator[None]:
    """Print a line every ten seconds where no bar is drawn, so that long work does not look dead."""
    if quiet or not bar.disable:
        yield
        return
    done, start = threading.Event(), time.monotonic()

    def work() -> None:
        while not done.wait(SECONDS_PER_LINE):
            note(f"{text()}, {time.monotonic() - start:.0f} s", quiet)

    thread = threading.Thread(target=work, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class FetchProgress:
    """Progress of a fetch of one or many tickers; `fetch_progress` makes it."""

    def __init__(self, bar: Bar, n_tickers: int, quiet: bool) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=n_tickers)
        self._n_tickers = n_tickers
        self._quiet = quiet
        self._ticker = ""
        self._n_done = 0

    def begin(self, ticker: str) -> None:
        """Show the ticker that is fetched next."""
        self._ticker = ticker
        self._bar.update(self._task, description=escape(ticker))

    def wait(self, retry: Retry) -> None:
        """Show the error and the pause before the next attempt."""
        cause = retry.error.message.splitlines()[0]
        text = f"{self._ticker}: {cause}; try {retry.number + 1} in {retry.pause:.0f} s"
        if self._bar.disable:
            note(f"{text} (waiting at most {retry.left:.0f} s more after it)", self._quiet)
        else:
            self._bar.update(self._task, description=escape(text), refresh=True)

    def end(self, text: str, failed: bool) -> None:
        """Print the result of a ticker: always after a failure, without a bar also after a success."""
        self._n_done += 1
        self._bar.update(self._task, completed=self._n_done)
        line = f"[{self._n_done}/{self._n_tickers}] {text}"
        if not self._bar.disable:
            if failed:
                self._bar.console.print(line, markup=False, soft_wrap=True)
        elif failed:
            print(line, file=sys.stderr, flush=True)
        else:
            note(line, self._quiet)


@contextmanager
def fetch_progress(n_tickers: int, quiet: bool) -> Iterator[FetchProgress]:
    """Show the progress of a fetch: a bar on a terminal, elsewhere one line per ticker and per pause."""
    bar = _make_bar(
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        # Last: an error text may need the rest of the line.
        TextColumn("{task.description}"),
        quiet=quiet,
    )
    with bar:
        yield FetchProgress(bar, n_tickers, quiet)


class _TrainingProgress:
    """Latest progress of each member: in the training, and in the refit on train and val that may follow."""

    def __init__(self, bar: Bar, quiet: bool) -> None:
        self._bar = bar
        self._task = bar.add_task("epoch", total=None, loss="-", val_loss="-", rate="-")
        self._quiet = quiet
        self._trained: dict[int, Progress] = {}
        self._refitted: dict[int, Progress] = {}
        self._first: dict[int, tuple[float, int]] = {}  # time and epoch of each member's first report
        self._start = time.monotonic()

    def line(self) -> str:
        """Return the latest progress in a line."""
        done = {**self._trained, **self._refitted}
        if not done:
            return "building the network"
        member, latest = list(done.items())[-1]
        network = f"network {member} of {latest.n_members}, " if latest.n_members > 1 else ""
        return (
            f"{network}epoch {latest.epoch} of at most {latest.n_epochs}, loss {_loss(latest.loss)}, best "
            f"validation loss {_loss(latest.best_val_loss)}"
        )

    def update(self, progress: Progress) -> None:
        """Show the progress; call this with each `Progress`."""
        if not self._trained and self._bar.disable:
            note(f"training, at most {progress.n_epochs} epochs", self._quiet)
        latest, member = self._trained.get(progress.member), progress.member
        is_earlier = latest is not None and (progress.epoch, progress.batch) < (latest.epoch, latest.batch)
        is_refit = member in self._refitted or is_earlier
        (self._refitted if is_refit else self._trained)[member] = progress
        self._first.setdefault(member, (time.monotonic(), progress.epoch))
        n_epochs_done = progress.epoch - 1 + progress.batch / progress.n_batches
        prefix = f"network {member}/{progress.n_members}, " if progress.n_members > 1 else ""
        self._bar.update(
            self._task,
            description=f"{prefix}epoch",
            completed=round((member - 1) * progress.n_epochs + n_epochs_done, 2),
            total=progress.n_members * progress.n_epochs,
            loss=_loss(progress.loss),
            val_loss=_loss(progress.val_loss),
            rate=f"{progress.learning_rate:.0e}",
        )

    def print_summary(self) -> None:
        """Print the number of epochs, the time, the speed and the best validation loss of each member."""
        if not self._trained:
            return
        epochs = " + ".join(str(progress.epoch) for progress in self._trained.values()) + " epochs"
        if self._refitted:
            refit = " + ".join(str(progress.epoch) for progress in self._refitted.values())
            epochs += f", then {refit} on train and val,"
        losses = ", ".join(_loss(progress.best_val_loss) for progress in self._trained.values())
        seconds = time.monotonic() - self._start
        note(
            f"trained {epochs} in {seconds:.0f} s{self._speed()}, best validation loss {losses}", self._quiet
        )

    def _speed(self) -> str:
        """Return the windows per second, validation included, of the member trained last."""
        member, last = list(self._trained.items())[-1]
        start, first_epoch = self._first[member]
        n_epochs = last.epoch - first_epoch + last.batch / last.n_batches
        seconds = time.monotonic() - start
        return f" ({n_epochs * last.n_windows / seconds:,.0f} windows/s)" if seconds > 0 else ""


@contextmanager
def training_progress(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show the progress of a training: a bar on a terminal, and one line at the end.

    The remaining time is that of the maximum number of epochs; early stopping usually ends sooner.

    Yields:
        A function to call with each `Progress`.
    """
    bar = _make_bar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}  val_loss {task.fields[val_loss]}  lr {task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("at most"),
        TimeRemainingColumn(),
        quiet=quiet,
    )
    training = _TrainingProgress(bar, quiet)
    with bar, _lines(bar, quiet, training.line):
        yield training.update
    training.print_summary()


@contextmanager
def counted_progress(noun: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of counted work: a bar with the remaining time on a terminal, and one line at the end.

    Args:
        noun: What is counted, in the plural.
        quiet: Show nothing.

    Yields:
        A function to call at the start and after every item, with the number of items done and of all items.
        Items done before the start do not count for the speed.
    """
    start = time.monotonic()
    counts: list[tuple[int, int]] = []
    bar = _make_bar(
        TextColumn(noun),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        quiet=quiet,
        # An item may take minutes: the speed is the mean over the whole work.
        speed_seconds=math.inf,
    )

    def line() -> str:
        return f"{counts[-1][0]} of {counts[-1][1]} {noun} done" if counts else f"{noun}: none done"

    with bar, _lines(bar, quiet, line):
        task = bar.add_task(noun, total=None)

        def update(n_done: int, n_all: int) -> None:
            if not counts:
                bar.reset(task, total=n_all, completed=n_done)
            bar.update(task, completed=n_done)
            counts.append((n_done, n_all))

        yield update
    if counts:
        (n_before, _), (n_done, n_all) = counts[0], counts[-1]
        note(f"{n_done - n_before} of {n_all} {noun} done in {time.monotonic() - start:.0f} s", quiet)


@contextmanager
def scoring_progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Print a line every ten seconds where there is no terminal, while few tickers are scored."""
    with _lines(_make_bar(quiet=quiet), quiet, lambda: "scoring the test period, and fitting the baselines"):
        yield lambda _done, _all: None


def _loss(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
