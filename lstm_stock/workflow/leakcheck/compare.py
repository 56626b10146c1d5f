"""Compare what a pass on corrupted prices gives with what the prices as they are give, to the bit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.dataset.split import Dates
from lstm_stock.errors import LeakError

OUTCOMES = ("date", "y_true", "crps", "nll", "pit")
"""Columns of a forecast table that are known with the outcome; the others are known at the cutoff."""

SCORES = ("crps", "nll", "pit")
"""Columns compared to a relative 1e-9: a quadrature sums in blocks whose size depends on the number of windows."""


@dataclass(frozen=True)
class Value:
    """A value available at a cutoff.

    Attributes:
        kind: What it is one of, such as `weights`.
        name: Its name in messages; `{}` stands for the column.
        values: The value; its first axis follows `dates`, if there are any.
        dates: The date of each entry, shape `(n,)`.
        columns: Names along the last axis.
    """

    kind: str
    name: str
    values: NDArray[Any]
    dates: Dates | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corruption:
    """How the prices of a pass are corrupted: all bars after `cutoff`, in the way `how`."""

    cutoff: np.datetime64
    how: str

    def leak(self, name: str, what: str = "changes") -> LeakError:
        """Return the error that names a value."""
        return LeakError(
            f"leak: {name} {what} when the bars after {self.cutoff} are corrupted ({self.how})",
            "a value available at a cutoff must not depend on later bars: look at how this one is computed",
        )


@dataclass
class Checked:
    """What was compared: the cutoffs, and the number of arrays and of values of each kind."""

    cutoffs: set[np.datetime64] = field(default_factory=set)
    n_folds: int = 0
    n_arrays: dict[str, int] = field(default_factory=dict)
    n_values: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str, n_values: int) -> None:
        """Add one array."""
        self.n_arrays[kind] = self.n_arrays.get(kind, 0) + 1
        self.n_values[kind] = self.n_values.get(kind, 0) + n_values


def compare_values(
    expected: Iterable[Value], found: Iterable[Value], corruption: Corruption, checked: Checked
) -> None:
    """Raise LeakError for the first value that differs in a single bit, or that one side lacks."""
    for ours, theirs in zip_longest(expected, found):
        if ours is None or theirs is None or ours.name != theirs.name:
            name = next(one.name for one in (ours, theirs) if one is not None)
            raise corruption.leak(name, "is missing, or is there in addition,")
        if _bits(ours.values) != _bits(theirs.values):
            raise corruption.leak(_first_change(ours, theirs))
        checked.count(ours.kind, ours.values.size)


def _bits(values: NDArray[Any]) -> tuple[tuple[int, ...], str, bytes]:
    return values.shape, str(values.dtype), values.tobytes()


def _first_change(ours: Value, theirs: Value) -> str:
    """Return the name of what differs, with its column and the first date."""
    if ours.values.shape != theirs.values.shape or ours.values.dtype != theirs.values.dtype:
        return ours.name
    shape = (len(ours.values), -1, len(ours.columns) or 1, ours.values.itemsize)
    a, b = (np.ascontiguousarray(one.values).view(np.uint8).reshape(shape) for one in (ours, theirs))
    row, _, column, _ = np.argwhere(a != b)[0]
    name = ours.name.format(ours.columns[column]) if ours.columns else ours.name
    return name if ours.dates is None else f"{name} on {ours.dates[row]}"


def compare_forecasts(
    expected: pd.DataFrame,
    found: pd.DataFrame,
    network: str,
    corruption: Corruption,
    checked: Checked,
) -> None:
    """Compare two forecast tables of one ticker.

    Known at the cutoff of the corruption are: of each forecast from that cutoff or before, all columns but
    `OUTCOMES`; where the outcome is not later either, the whole row. A window whose whole future is known must be
    in both tables; one whose future is not may be missing from prices that end.

    Args:
        expected: The forecast table of the prices as they are; empty if the ticker is not scored.
        found: That of the corrupted prices.
        network: Name of the network.
        corruption: How they are corrupted.
        checked: Counts what is compared.

    Raises:
        LeakError: Something known at the cutoff differs, but for the last bits of a score.
    """
    cutoff = corruption.cutoff.astype("datetime64[s]")
    models = {name: i for i, name in enumerate(dict.fromkeys([*expected["model"], *found["model"]]))}
    ours, theirs = (_known(table, cutoff) for table in (expected, found))
    keys, rows, other_rows = np.intersect1d(
        _keys(ours, models), _keys(theirs, models), assume_unique=True, return_indices=True
    )
    for table in (ours, theirs):
        last = table.groupby("cutoff")["date"].transform("max").to_numpy()
        missing = (last <= cutoff) & ~np.isin(_keys(table, models), keys)
        if missing.any():
            row = table.iloc[int(np.argmax(missing))]
            raise corruption.leak(_name(row, network), "is missing, or is there in addition,")
    a, b = ours.iloc[rows], theirs.iloc[other_rows]
    is_past = a["date"].to_numpy() <= cutoff
    first, column = len(a), ""
    for name in a.columns.drop(["ticker", "model", "cutoff", "step"]):
        x, y = a[name].to_numpy(), b[name].to_numpy()
        equal = (x == y) | (pd.isna(x) & pd.isna(y))
        if name in SCORES:
            equal |= np.isclose(x, y, rtol=1e-9, atol=0)
        changed = ~equal & is_past if name in OUTCOMES else ~equal
        if changed.any() and np.argmax(changed) < first:
            first, column = int(np.argmax(changed)), name
    if column:
        raise corruption.leak(_name(a.iloc[first], network, column))
    is_network = a["model"].to_numpy() == network
    for kind, n in (("forecast", is_network.sum()), ("baseline", (~is_network).sum())):
        if n:
            checked.count(kind, int(n) * (a.shape[1] - 4))


def _known(table: pd.DataFrame, cutoff: np.datetime64) -> pd.DataFrame:
    return table[table["cutoff"].to_numpy() <= cutoff]


def _keys(table: pd.DataFrame, models: dict[str, int]) -> NDArray[np.int64]:
    """Return a number for each row that is equal where model, cutoff and step are, in order of these."""
    second = table["cutoff"].to_numpy().astype("datetime64[s]").astype(np.int64)
    model = table["model"].map(models).to_numpy(np.int64)
    return np.asarray((model * 10**11 + second) * 10**4 + table["step"].to_numpy(np.int64), np.int64)


def _name(row: pd.Series[Any], network: str, column: str = "") -> str:
    model = network if row["model"] == network else f"the baseline `{row['model']}`"
    where = f"`{column}`, step {row['step']}" if column else f"step {row['step']}"
    return f"the forecast of {model} for {row['ticker']} ({where}) on {row['cutoff']:%F}"
