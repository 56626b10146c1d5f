"""Read a series of values from a CSV file: a column of dates and a column of numbers that are no prices.

Which column holds the values is asked where several could. Nothing is filled in: a row without a value is left
out, and the notes say so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.numbers import find_decimal_mark, looks_like_number, open_mark, read_numbers
from lstm_stock.prices.csv.text import SEPARATORS, CsvText, Row, read_csv_text
from lstm_stock.prices.csv.times import looks_like_time, read_times
from lstm_stock.prices.sources import NOTHING_SAID, CsvOptions
from lstm_stock.prices.table import Array, bullet_list, counted
from lstm_stock.prices.values import value_table

_DATE_NAMES = {
    "date",
    "datetime",
    "timestamp",
    "time",
    "day",
    "week",
    "month",
    "quarter",
    "year",
    "period",
    "ds",
}
_PRICE_NAMES = {"open", "high", "low", "close", "last", "price", "adj"}
_LOOKED_AT = 50
"""Rows that show whether a column holds numbers."""

_SHOWN_COLUMNS = 10


@dataclass(frozen=True)
class CsvValues:
    """The values of a CSV file.

    Attributes:
        table: A valid value table.
        column: Name of the column that holds them.
        understood: How the file was read, in lines for the user.
    """

    table: pd.DataFrame
    column: str
    understood: tuple[str, ...]


def only_value_column(path: Path) -> str | None:
    """Return the one column beside the dates, if it holds numbers and there is no other column.

    None for a file with a column that is named as a price: whether it holds prices, the reader of prices says.

    Raises:
        DataError: The file cannot be read, or one of several columns could hold the values.
    """
    text = read_csv_text(path)
    columns = _Columns.of(text, path)
    others = [label for i, label in enumerate(columns.labels) if i != columns.date]
    if any(_PRICE_NAMES & set(re.split("[^a-z]+", label.lower())) for label in others):
        return None
    numeric = columns.numeric(text)
    if not numeric or len(others) == 1:
        return numeric[0] if numeric else None
    what = "a column" if len(numeric) == 1 else f"{len(numeric)} columns"
    raise DataError(
        f"{path} has no prices, and {what} that could be a series of values: {_names(numeric)}",
        f"say which: `--value {numeric[0]}`",
    )


def read_values(path: Path, column: str, options: CsvOptions = NOTHING_SAID) -> CsvValues:
    """Read one column of a CSV file as a series of values.

    Args:
        path: The file: any separator, encoding and order of rows.
        column: Name of the column, as the file has it; upper and lower case are the same.
        options: What the user says about the file.

    Raises:
        DataError: The file cannot be read, has no such column, or a row is not usable.
    """
    text = read_csv_text(path)
    columns = _Columns.of(text, path)
    position = columns.position(column, path)
    label, date_label = columns.labels[position], columns.labels[columns.date]
    rows = columns.whole_rows(text, max(columns.date, position), path)
    date_cells = [row.cells[columns.date] for row in rows]
    dates = read_times(date_cells, options.date_order)
    if dates.open_between:
        raise DataError(
            f"the dates in {path}, such as `{date_cells[0]}`, may be {' or '.join(dates.open_between)}, and no "
            "row decides",
            "say which: `--day-first`, `--month-first` or `--year-first`",
        )
    cells = [row.cells[position] for row in rows]
    others = [cell for row in rows[:_LOOKED_AT] for i, cell in enumerate(row.cells) if i != position]
    mark = options.decimal or text.mark or find_decimal_mark(cells, [], others)
    if mark is None:
        raise open_mark(path, cells)
    numbers = read_numbers(cells, mark)
    is_reversed = bool(dates.times[0] > dates.times[-1])
    oldest_first = slice(None, None, -1 if is_reversed else 1)
    rows, times = rows[oldest_first], dates.times[oldest_first]
    values, is_text = numbers.values[oldest_first], numbers.is_text[oldest_first]
    _require_usable(path, rows, times, values, is_text, label)
    has_value = ~np.isnan(values)
    if not has_value.any():
        raise DataError(f"`{label}` in {path} holds no value", "name another column with `--value`")
    notes = [f"date: `{date_label}`, {dates.style}", f"value: `{label}`"]
    others = [name for i, name in enumerate(columns.labels) if i not in (columns.date, position) and name]
    if others:
        notes.append(f"ignored: {_names(others)}")
    if text.separator != "," or mark != ".":
        notes.append(f"cells: separated by a {SEPARATORS[text.separator]}, decimals after a `{mark}`")
    if is_reversed:
        notes.append("order: newest first, reversed")
    if not has_value.all():
        first = str(times[~has_value][0])[:10]
        notes.append(
            f"left out: {counted(int(np.sum(~has_value)), 'row')} without a value, the first of {first}"
        )
    return CsvValues(value_table(times[has_value], values[has_value]), label, tuple(notes))


def _require_usable(
    path: Path,
    rows: Sequence[Row],
    times: npt.NDArray[np.datetime64],
    values: Array,
    is_text: npt.NDArray[np.bool_],
    label: str,
) -> None:
    """Raise a DataError that names the rows without a date, in disorder, or with text or infinity for a value."""
    not_later = np.concatenate([[False], times[1:] <= times[:-1]])  # false beside NaT
    faults = []
    for bad, what in (
        (np.isnat(times), "has no date like the others"),
        (is_text, f"`{label}` is no number"),
        (np.isinf(values), f"`{label}` is infinite"),
        (not_later, "its date is not later than that of the row before"),
    ):
        where = np.flatnonzero(bad)
        if len(where):
            more = f" (and {len(where) - 1} more)" if len(where) > 1 else ""
            faults.append(f"line {rows[where[0]].line}: {what}{more}")
    if faults:
        hint = "correct the file, then fetch it again; nothing is repaired silently"
        if not_later.any():
            hint = (
                "a file of several series needs a column for each, and local times that are put back in autumn "
                "need their offset from UTC, such as 2024-10-27T02:30+02:00"
            )
        raise DataError(f"the values in {path} are not usable:\n{bullet_list(faults)}", hint)


@dataclass(frozen=True)
class _Columns:
    """The columns of a file: their names, the position of the dates, and the number of rows before the data."""

    labels: tuple[str, ...]
    date: int
    n_header_rows: int

    @classmethod
    def of(cls, text: CsvText, path: Path) -> _Columns:
        """Find the column of dates: by its cells, then by its name; DataError if there is none."""
        first = text.rows[0].cells
        n_header = 0 if any(map(looks_like_time, first)) else 1
        labels = first if n_header else tuple(f"column {i + 1}" for i in range(len(first)))
        if len(text.rows) == n_header:
            raise DataError(f"{path} has a header but no values below it", "fetch a file with rows of values")
        data = text.rows[n_header].cells
        named = [i for i, label in enumerate(labels) if label.lower() in _DATE_NAMES]
        dated = [i for i, cell in enumerate(data[: len(labels)]) if looks_like_time(cell)]
        candidates = [i for i in named if i in dated] or dated or named
        if not candidates:
            raise DataError(
                f"{path} has no column of dates; it has {_names(labels)}",
                "name it `date`, and write dates as 2024-01-31, 2024-01-31 05:00, 2024-01 or 2024",
            )
        return cls(labels, candidates[0], n_header)

    def whole_rows(self, text: CsvText, last: int, path: Path) -> Sequence[Row]:
        """Return the rows of data; DataError if one of them ends before the column `last`."""
        rows = text.rows[self.n_header_rows :]
        short = [row.line for row in rows if len(row.cells) <= last]
        if short:
            more = f" (and {len(short) - 1} more)" if len(short) > 1 else ""
            raise DataError(
                f"{path} is not usable: line {short[0]} has fewer than {last + 1} cells{more}",
                "correct the file, then fetch it again",
            )
        return rows

    def numeric(self, text: CsvText) -> list[str]:
        """Return the names of the columns of numbers beside the dates."""
        rows = text.rows[self.n_header_rows :][:_LOOKED_AT]
        found = []
        for i, label in enumerate(self.labels):
            cells = [row.cells[i] for row in rows if len(row.cells) > i and row.cells[i]]
            if i != self.date and cells and all(map(looks_like_number, cells)):
                found.append(label)
        return found

    def position(self, column: str, path: Path) -> int:
        """Return the position of a column; DataError if there is none, or several, of that name."""
        names = [label.lower() for label in self.labels]
        wanted = column.strip().lower()
        if names.count(wanted) == 1 and names.index(wanted) != self.date:
            return names.index(wanted)
        near = get_close_matches(wanted, names, n=1)
        did_you_mean = f"; did you mean `{self.labels[names.index(near[0])]}`?" if near else ""
        what = "several columns" if names.count(wanted) > 1 else "no column of values"
        others = [label for i, label in enumerate(self.labels) if i != self.date]
        raise DataError(f"{path} has {what} `{column}`{did_you_mean}", f"its columns are {_names(others)}")


def _names(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - _SHOWN_COLUMNS} more" if len(columns) > _SHOWN_COLUMNS else ""
    return ", ".join(f"`{name}`" for name in columns[:_SHOWN_COLUMNS]) + more
