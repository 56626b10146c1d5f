"""What the user sees while something runs: notes, warnings, the progress bar, tables.

Notes, warnings and bars go to stderr, tables to stdout. Colours and bars only where a terminal shows them;
`NO_COLOR` is honoured.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

if TYPE_CHECKING:
    from lstm_stock.training import Progress


MEASURED_WIDTH = 1000
"""Columns in which a table is measured; none is as wide."""


def note(text: str, quiet: bool) -> None:
    """Tell the user something on stderr, unless they asked for quiet."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Tell the user on stderr what they must know before trusting a result."""
    print(f"warning: {text}", file=sys.stderr, flush=True)


def show(table: Table) -> None:
    """Print a table on stdout."""
    console = Console(highlight=False)
    # Better wrapped by the terminal than cut to fit it: every number stays. A measure is itself cut to the width.
    width, console.width = console.width, MEASURED_WIDTH
    console.width = max(width, console.measure(table).maximum)
    with console.capture() as capture:
        console.print(table)
    # rich fills every line with blanks up to the table's width.
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


@contextmanager
def training_progress(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Follow a training: a live bar on a terminal, and one line when it is over.

    The time left is what all epochs would take: early stopping usually ends sooner.
    """
    console = Console(stderr=True, highlight=False)
    ended: dict[int, Progress] = {}
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
            ended[progress.member] = progress
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
        note(f"trained {epochs} epochs in {seconds:.0f} s, best validation loss {losses}", quiet)


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
