"""Compare passes of a pipeline on corrupted prices with a pass on the prices as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.dataset.split import Dates
from lstm_stock.errors import LeakError
from lstm_stock.workflow.leakcheck.corruption import CORRUPTIONS, corrupt

Tables = Mapping[str, pd.DataFrame]
"""The price table of each ticker."""


@dataclass(frozen=True)
class Snapshot:
    """A value available at a cutoff.

    Attributes:
        kind: What it is one of, such as `feature`.
        name: Its name in messages.
        values: The value; its first axis follows `dates`, if there are any.
        dates: The date of each entry, shape `(n,)`.
    """

    kind: str
    name: str
    values: np.ndarray[Any, Any]
    dates: Dates | None = None


Pipeline = Callable[[Tables, np.datetime64], Iterator[Snapshot]]
"""Yields every value available at a cutoff, in order of computation; the price tables extend beyond the cutoff."""


@dataclass
class Checked:
    """What was compared: the number of arrays and of values of each kind."""

    cutoffs: list[np.datetime64] = field(default_factory=list)
    n_arrays: dict[str, int] = field(default_factory=dict)
    n_values: dict[str, int] = field(default_factory=dict)

    def count(self, snapshot: Snapshot) -> None:
        """Add one comparison."""
        self.n_arrays[snapshot.kind] = self.n_arrays.get(snapshot.kind, 0) + 1
        self.n_values[snapshot.kind] = self.n_values.get(snapshot.kind, 0) + snapshot.values.size


def check(
    pipeline: Pipeline,
    tables: Tables,
    cutoffs: Sequence[np.datetime64],
    on_progress: Callable[[int, int], None],
) -> Checked:
    """Run a pipeline with every corruption of the bars after each cutoff.

    A corruption that changes no bar, as a shuffle of one, is skipped and not counted.

    Args:
        pipeline: What to check.
        tables: The prices as they are.
        cutoffs: The last dates that stay as they are.
        on_progress: Called with the number of passes done, and of all.

    Raises:
        LeakError: A value available at a cutoff changed; it names the first such value of the first such pass.
    """
    checked, n_passes, n_done = Checked(list(cutoffs)), len(cutoffs) * len(CORRUPTIONS), 0
    on_progress(0, n_passes)
    for cutoff in cutoffs:
        reference = list(pipeline(tables, cutoff))
        for how in CORRUPTIONS:
            corrupted = {ticker: corrupt(table, cutoff, how) for ticker, table in tables.items()}
            if not all(corrupted[ticker].equals(table) for ticker, table in tables.items()):
                for expected, found in zip_longest(reference, pipeline(corrupted, cutoff)):
                    _compare(expected, found, cutoff, how)
                    checked.count(expected)
            n_done += 1
            on_progress(n_done, n_passes)
    return checked


def _compare(expected: Snapshot | None, found: Snapshot | None, cutoff: np.datetime64, how: str) -> None:
    """Raise LeakError if two snapshots differ in a single bit, or if one of them is missing."""
    when = ""
    if expected is not None and found is not None and expected.name == found.name:
        if _bits(expected.values) == _bits(found.values):
            return
        when = _first_change(expected, found)
    snapshot = expected or found
    name = snapshot.name if snapshot is not None else ""
    raise LeakError(
        f"leak: {name}{when} changes when the bars after {cutoff} are corrupted ({how})",
        "a value available at a cutoff must not depend on later bars: look at how this one is computed",
    )


def _bits(values: np.ndarray[Any, Any]) -> tuple[tuple[int, ...], str, bytes]:
    return values.shape, str(values.dtype), values.tobytes()


def _first_change(expected: Snapshot, found: Snapshot) -> str:
    """Return the first date on which the values differ, as part of a sentence; empty without dates."""
    if expected.dates is None or expected.values.shape != found.values.shape:
        return ""
    n = len(expected.dates)
    ours, theirs = (
        np.ascontiguousarray(one.values).reshape(n, -1).view(np.uint8) for one in (expected, found)
    )
    changed = np.flatnonzero((ours != theirs).any(axis=1))
    return f" on {expected.dates[changed[0]]}"
