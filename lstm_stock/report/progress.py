"""Progress bars on stderr: of a fetch, of a training, of counted work.

A bar is drawn only on a terminal; elsewhere, lines tell the progress. `NO_COLOR` is honoured.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from lstm_stock.report.console import note

if TYPE_CHECKING:
    from lstm_stock.network.callbacks import Progress
    from lstm_stock.prices.retry import Retry


class FetchProgress:
    """Follows a fetch of one or many tickers; made by `fetch_progress`."""

    def __init__(self, bar: Bar, n_tickers: int, quiet: bool) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=n_tickers)
        self._n_tickers = n_tickers
        self._quiet = quiet
        self._ticker = ""
        self._n_done = 0

    def begin(self, ticker: str) -> None:
        """Say which ticker is being asked for."""
        self._ticker = ticker
        self._bar.update(self._task, description=escape(ticker))

    def wait(self, retry: Retry) -> None:
        """Say what failed, and when it is tried again."""
        cause = retry.error.message.splitlines()[0]
        text = f"{self._ticker}: {cause}; try {retry.number + 1} in {retry.pause:.0f} s"
        if self._bar.disable:
            note(f"{text} (waiting at most {retry.left:.0f} s more after it)", self._quiet)
        else:
            self._bar.update(self._task, description=escape(text), refresh=True)

    def end(self, text: str, failed: bool) -> None:
        """Say what became of the ticker: a failure always, a success where no bar shows it."""
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
    """Follow a fetch: a live bar on a terminal, else a line for each ticker of many and for each wait."""
    console = Console(stderr=True, highlight=False)
    with Bar(
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        # Last, since what failed may need the rest of the line.
        TextColumn("{task.description}"),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
    ) as bar:
        yield FetchProgress(bar, n_tickers, quiet)


@contextmanager
def training_progress(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Follow a training: a live bar on a terminal, and one line when it is over.

    The time left is what all epochs would take: early stopping usually ends sooner.
    """
    console = Console(stderr=True, highlight=False)
    ended: dict[int, Progress] = {}
    again: dict[int, Progress] = {}
    begun: dict[int, tuple[float, int]] = {}
    started = time.monotonic()
    with Bar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}  val_loss {task.fields[val_loss]}  lr {task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("at most"),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task("epoch", total=None, loss="-", val_loss="-", rate="-")

        def follow(progress: Progress) -> None:
            if not ended and not console.is_terminal:
                note(f"training, at most {progress.n_epochs} epochs", quiet)
            before, at = ended.get(progress.member), (progress.epoch, progress.batch)
            is_again = progress.member in again or (before is not None and at < (before.epoch, before.batch))
            (again if is_again else ended)[progress.member] = progress
            begun.setdefault(progress.member, (time.monotonic(), progress.epoch))
            done = progress.epoch - 1 + progress.batch / progress.n_batches
            total = progress.n_members * progress.n_epochs
            member = f"network {progress.member}/{progress.n_members}, " if progress.n_members > 1 else ""
            bar.update(
                task,
                description=f"{member}epoch",
                completed=round((progress.member - 1) * progress.n_epochs + done, 2),
                total=total,
                loss=_loss(progress.loss),
                val_loss=_loss(progress.val_loss),
                rate=f"{progress.learning_rate:.0e}",
            )

        yield follow
    if ended:
        epochs = " + ".join(str(progress.epoch) for progress in ended.values())
        losses = ", ".join(_loss(progress.best_val_loss) for progress in ended.values())
        seconds = time.monotonic() - started
        speed = _windows_per_second(ended, begun)
        refit = " + ".join(str(progress.epoch) for progress in again.values())
        epochs += f" epochs, then {refit} on train and val," if refit else " epochs"
        note(f"trained {epochs} in {seconds:.0f} s{speed}, best validation loss {losses}", quiet)


def _windows_per_second(ended: dict[int, Progress], begun: dict[int, tuple[float, int]]) -> str:
    """Say how many windows a second were learnt from, of the network trained last, validation included."""
    member, last = list(ended.items())[-1]
    since, first_epoch = begun[member]
    n_epochs = last.epoch - first_epoch + last.batch / last.n_batches
    seconds = time.monotonic() - since
    return f" ({n_epochs * last.n_windows / seconds:,.0f} windows/s)" if seconds > 0 else ""


@contextmanager
def counted_progress(what: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Follow work that is counted: a live bar with the time left on a terminal, and one line when it is over.

    Args:
        what: What is counted, in the plural.
        quiet: Show nothing.

    Yields:
        A function to call at the start and after every step, with the number done and of all. What was done
        before the start counts as done, but not for the speed.
    """
    console = Console(stderr=True, highlight=False)
    started = time.monotonic()
    counts: list[tuple[int, int]] = []
    with Bar(
        TextColumn(what),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
        # A step may take minutes: the speed is that of the whole work, not of the last half minute.
        speed_estimate_period=float("inf"),
    ) as bar:
        task = bar.add_task(what, total=None)

        def follow(n_done: int, n_all: int) -> None:
            if not counts:
                bar.reset(task, total=n_all, completed=n_done)
            bar.update(task, completed=n_done)
            counts.append((n_done, n_all))

        yield follow
    if counts:
        (n_before, _), (n_done, n_all) = counts[0], counts[-1]
        note(f"{n_done - n_before} of {n_all} {what} done in {time.monotonic() - started:.0f} s", quiet)


def _loss(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
