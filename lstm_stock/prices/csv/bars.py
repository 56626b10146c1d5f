"""Turn the columns of a CSV file into those of a price table: fill in, choose, leave out, and say so.

A file without volumes gets zeros, one without adjusted closes the closes. Rows without prices are left out, and a
few with impossible ones, as the source `yahoo` does. Splits that `adj_close` has and the prices lack are applied.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lstm_stock.prices.csv.numbers import Numbers
from lstm_stock.prices.table import PRICES, Array, Days, counted
from lstm_stock.prices.usable import impossible, without_prices

Mask = npt.NDArray[np.bool_]

_MAX_IMPOSSIBLE = 0.05
"""Share of rows with impossible prices; with more, it is no file of prices."""


def filled(numbers: Mapping[str, Numbers], n_rows: int) -> tuple[dict[str, Array], list[str]]:
    """Return the columns of a price table, with those that the file lacks, and notes.

    An unknown volume is 0, as of currencies, and so is an unknown open beside a known close; a split of 1 is none.

    Args:
        numbers: The columns that the file has.
        n_rows: Their length.
    """
    columns = {name: one.values.copy() for name, one in numbers.items()}
    notes = []
    volume = columns.setdefault("volume", np.full(n_rows, np.nan))
    unknown = np.isnan(volume)
    of_bars = unknown & ~np.isnan(columns["close"])
    if unknown.all():
        notes.append("volume: none in the file, 0 on every date")
    elif of_bars.any():
        notes.append(f"volume: none on {counted(int(of_bars.sum()), 'date')}, taken as 0")
    volume[unknown & ~_is_text(numbers, "volume", n_rows)] = 0.0
    if "adj_close" not in columns or _is_empty(numbers["adj_close"]):
        columns["adj_close"] = columns["close"]
        paid = "; the dividends of the file are not in it" if _has_events(columns, "dividends") else ""
        notes.append(f"adj_close: none in the file, the close is used{paid or ' (no dividends)'}")
    no_open = np.isnan(columns["open"]) & ~_is_text(numbers, "open", n_rows)
    no_open &= ~np.isnan([columns[name] for name in PRICES if name != "open"]).any(axis=0)
    if no_open.any() and not no_open.all():
        columns["open"][no_open] = 0.0
        notes.append(f"open: none on {counted(int(no_open.sum()), 'date')}, taken as 0, which is unknown")
    for name in ("dividends", "splits"):
        events = columns.setdefault(name, np.zeros(n_rows))
        events[np.isnan(events) & ~_is_text(numbers, name, n_rows)] = 0.0
    columns["splits"] = np.where(columns["splits"] == 1, 0.0, columns["splits"])
    return columns, notes


def surplus_rows(
    days: Days, seconds: Array, columns: Mapping[str, Array], texts: Mask
) -> tuple[Mask, list[str]]:
    """Return which rows to leave out, and notes: without prices, with impossible ones, and repeated ones.

    Args:
        days: Shape `(n_rows,)`, oldest first.
        seconds: Times of day, NaN where there is none; shape `(n_rows,)`.
        columns: Every one of `COLUMNS`.
        texts: Which rows have a cell that is no number, and stay to be reported.

    Returns:
        A mask of shape `(n_rows,)`; empty of rows where the file is no file of prices.
    """
    lacking = without_prices(columns) & ~texts
    wrong = impossible(columns) & ~lacking & ~texts
    if lacking.all() or wrong.sum() > _MAX_IMPOSSIBLE * np.count_nonzero(~lacking):
        return np.zeros(len(days), dtype=bool), []
    repeated = _repeated(days, seconds, columns) & ~lacking & ~wrong & ~texts
    notes = []
    for mask, text in (
        (lacking, "without prices, the newest of"),
        (wrong, "with impossible prices (not above 0, or a high below the low), the newest of"),
        (repeated, "with date and prices of the next one, the newest of"),
    ):
        if mask.any():
            notes.append(f"left out {counted(int(mask.sum()), 'row')} {text} {days[mask][-1]}")
    return lacking | wrong | repeated, notes


def apply_splits(days: Days, columns: dict[str, Array]) -> list[str]:
    """Adjust prices, dividends and volume before each split that `adj_close` has and `close` lacks.

    Args:
        days: Shape `(n_bars,)`.
        columns: Valid columns of a price table, changed in place.

    Returns:
        A note for the user where a split was applied.
    """
    splits = columns["splits"][1:]
    steps = np.diff(np.log(columns["adj_close"] / columns["close"]))
    logs = np.log(splits, out=np.zeros(len(splits)), where=splits > 0)
    rows = np.flatnonzero((logs != 0) & (np.abs(steps - logs) < np.abs(logs) / 2)) + 1
    if len(rows) == 0:
        return []
    factor = np.ones(len(days))
    for row in rows:
        factor[:row] *= columns["splits"][row]
    for name in ("open", "high", "low", "close", "dividends"):
        columns[name] = columns[name] / factor
    columns["volume"] = columns["volume"] * factor
    listed = ", ".join(f"{days[row]} ({columns['splits'][row]:g})" for row in rows)
    return [f"splits: earlier prices are divided and volumes multiplied by those of {listed}"]


def _is_text(numbers: Mapping[str, Numbers], name: str, n_rows: int) -> Mask:
    return numbers[name].is_text if name in numbers else np.zeros(n_rows, dtype=bool)


def _is_empty(numbers: Numbers) -> bool:
    return bool(np.isnan(numbers.values).all() and not numbers.is_text.any())


def _has_events(columns: Mapping[str, Array], name: str) -> bool:
    return name in columns and bool((np.nan_to_num(columns[name]) != 0).any())


def _repeated(days: Days, seconds: Array, columns: Mapping[str, Array]) -> Mask:
    """Return which rows have the moment and the prices of the next one; at the end, the day is enough.

    A source that is asked on the day may give its bar twice, once of midnight and once of the last trade.
    """
    same_time = (seconds[1:] == seconds[:-1]) | (np.isnan(seconds[1:]) & np.isnan(seconds[:-1]))
    same_time[-1:] = True
    same = (days[1:] == days[:-1]) & same_time
    for name in PRICES:
        same &= columns[name][1:] == columns[name][:-1]
    return np.append(same, False)[: len(days)]
