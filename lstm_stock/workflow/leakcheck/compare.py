"""Compare two passes of the pipeline value by value, and name the first that differs."""

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
    """Something that is known at a cutoff.

    Attributes:
        kind: What sort of thing, such as `feature`.
        name: Which one, as a message would say it.
        values: Its values; the first axis follows `dates`, if there are any.
        dates: The date each value is of.
    """

    kind: str
    name: str
    values: np.ndarray[Any, Any]
    dates: Dates | None = None


Pipeline = Callable[[Tables, np.datetime64], Iterator[Snapshot]]
"""Gives all that is known at a cutoff, in the order it comes to be, from price tables that go on after it."""


@dataclass
class Checked:
    """What was compared: of each kind of thing, how many arrays and how many values."""

    cutoffs: list[np.datetime64] = field(default_factory=list)
    n_arrays: dict[str, int] = field(default_factory=dict)
    n_values: dict[str, int] = field(default_factory=dict)

    def count(self, known: Snapshot) -> None:
        """Take one comparison into account."""
        self.n_arrays[known.kind] = self.n_arrays.get(known.kind, 0) + 1
        self.n_values[known.kind] = self.n_values.get(known.kind, 0) + known.values.size


def check(
    road: Pipeline,
    tables: Tables,
    cutoffs: Sequence[np.datetime64],
    on_progress: Callable[[int, int], None],
) -> Checked:
    """Walk the road with every corruption of what follows each cutoff.

    Args:
        road: What to check.
        tables: The prices as they are.
        cutoffs: The dates after which to spoil them.
        on_progress: Called with the number of walks done, and of all.

    Raises:
        LeakError: Something known at a cutoff moved; the first such thing of the first such walk.
    """
    checked, n_walks, n_done = Checked(list(cutoffs)), len(cutoffs) * len(CORRUPTIONS), 0
    on_progress(0, n_walks)
    for cutoff in cutoffs:
        honest = list(road(tables, cutoff))
        for how in CORRUPTIONS:
            spoilt = {ticker: corrupt(table, cutoff, how) for ticker, table in tables.items()}
            for known, again in zip_longest(honest, road(spoilt, cutoff)):
                _compare(known, again, cutoff, how)
                checked.count(known)
            n_done += 1
            on_progress(n_done, n_walks)
    return checked


def _compare(known: Snapshot | None, again: Snapshot | None, cutoff: np.datetime64, how: str) -> None:
    """Raise LeakError if the two differ in a single bit."""
    if known is not None and again is not None and known.name == again.name:
        if _bits(known.values) == _bits(again.values):
            return
        when = _first_moved(known, again)
    else:
        when = ""
    thing = known or again
    name = thing.name if thing is not None else ""
    raise LeakError(
        f"leak: {name}{when} moved when the bars after {cutoff} were changed ({how})",
        "what is known at a cutoff must not depend on later bars: look at how this is computed",
    )


def _bits(values: np.ndarray[Any, Any]) -> tuple[tuple[int, ...], str, bytes]:
    return values.shape, str(values.dtype), values.tobytes()


def _first_moved(known: Snapshot, again: Snapshot) -> str:
    """Say from when on the values differ, where that can be said."""
    if known.dates is None or known.values.shape != again.values.shape:
        return ""
    n = len(known.dates)
    ours, theirs = (np.ascontiguousarray(one.values).reshape(n, -1).view(np.uint8) for one in (known, again))
    moved = np.flatnonzero((ours != theirs).any(axis=1))
    return f" on {known.dates[moved[0]]}"
