"""Read a CSV file of daily prices in whatever layout its user has.

What is understood is said line by line, so that a wrong guess is seen; what is open (03/04/2020) is asked about,
and what is wrong is named with its line, all faults at once. Nothing is filled in but a missing `adj_close`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.cells import Dates, Numbers, find_decimal_mark, read_dates, read_numbers
from lstm_stock.prices.csv.columns import Layout, find_layout, same_ticker, several_tickers
from lstm_stock.prices.csv.text import SEPARATORS, CsvText, Row, read_csv_text
from lstm_stock.prices.table import (
    COLUMNS,
    PRICES,
    Array,
    Days,
    InvalidRows,
    bullet_list,
    describe,
    find_invalid_rows,
    price_table,
)

_SHOWN_IGNORED = 12


@dataclass(frozen=True)
class CsvPrices:
    """The prices of a CSV file.

    Attributes:
        table: A valid price table.
        understood: How the file was read, in lines for the user.
    """

    table: pd.DataFrame
    understood: tuple[str, ...]


def read_csv(path: Path, day_first: bool | None = None, ticker: str | None = None) -> CsvPrices:
    """Read a CSV file of daily prices.

    Args:
        path: The file: any separator, encoding, order and naming of columns, one to three header rows.
        day_first: How 03/04/2020 is to be read where no row of the file decides; None to be asked.
        ticker: Which one to take where the file holds several.

    Returns:
        The prices, oldest first; `adj_close` is the close where the file has none, `dividends` and `splits` 0.

    Raises:
        DataError: The file cannot be read or understood, or its prices are not usable; the message has one line
            for each fault, with the first line of the file that has it.
    """
    text = read_csv_text(path)
    layout = find_layout(text.rows, ticker, str(path))
    rows: Sequence[Row] = text.rows[layout.n_header_rows :]
    if not rows:
        raise DataError(f"{path} has a header but no prices below it", "fetch a file with rows of prices")
    rows, whose = _rows_of_ticker(rows, layout, ticker, str(path))
    rows, ragged = _whole_rows(rows, len(layout.labels))
    dates = read_dates([row.cells[layout.columns["date"]] for row in rows], day_first)
    if dates.open_between:
        raise _open_dates(path, rows, layout, dates)
    days, newest_first = dates.days, _is_newest_first(dates.days)
    if newest_first:
        rows, days = rows[::-1], days[::-1]
    mark = _decimal_mark(path, rows, layout)
    numbers = {
        name: read_numbers([row.cells[column] for row in rows], mark)
        for name, column in layout.columns.items()
        if name in COLUMNS
    }
    columns = _fill(numbers, len(rows))
    faults = ragged + _faults(rows, layout, days, numbers, columns)
    if faults:
        listed = bullet_list([line for _, line in sorted(faults)])
        raise DataError(
            f"the prices in {path} are not usable:\n{listed}",
            "correct the file, then fetch it again; nothing is repaired silently",
        )
    notes = [*whose, *_understood(text, layout, dates, mark)]
    if newest_first:
        notes.append("order: newest first, turned round")
    return CsvPrices(price_table(days, columns), tuple(notes))


def _rows_of_ticker(
    rows: Sequence[Row], layout: Layout, ticker: str | None, name: str
) -> tuple[Sequence[Row], list[str]]:
    """Keep the rows of one ticker where a column names it; say whose prices these are."""
    column = layout.columns.get("ticker")
    if column is None:
        return rows, [_whose(layout.ticker, ticker)] if layout.ticker else []
    held = list(
        dict.fromkeys(row.cells[column] for row in rows if len(row.cells) > column and row.cells[column])
    )
    if len(held) <= 1:
        return rows, [_whose(held[0], ticker)] if held else []
    wanted = next((one for one in held if ticker is not None and same_ticker(one, ticker)), None)
    if wanted is None:
        raise several_tickers(held, ticker, name)
    kept = [row for row in rows if len(row.cells) > column and row.cells[column] == wanted]
    return kept, [f"ticker: {_rows(len(kept))} of {wanted}; the file holds {len(held)} tickers"]


def _whose(found: str, wanted: str | None) -> str:
    differs = wanted is not None and not same_ticker(found, wanted)
    return f"ticker: the file says {found}" + (f", taken as {wanted}" if differs else "")


def _whole_rows(rows: Sequence[Row], width: int) -> tuple[list[Row], list[tuple[int, str]]]:
    """Keep the rows that have a cell for every column; separators behind the last column do no harm."""
    whole, ragged = [], []
    for row in rows:
        n_cells = max(len(row.cells[:width]), *(i + 1 for i, cell in enumerate(row.cells) if cell))
        if n_cells == width:
            whole.append(row)
        else:
            ragged.append((row.line, n_cells))
    if not ragged:
        return whole, []
    line, n_cells = ragged[0]
    more = f" (and {len(ragged) - 1} more)" if len(ragged) > 1 else ""
    return whole, [(line, f"line {line}: has {n_cells} cells, the header has {width}{more}")]


def _open_dates(path: Path, rows: Sequence[Row], layout: Layout, dates: Dates) -> DataError:
    row = rows[int(np.flatnonzero(~np.isnat(dates.days))[0])]
    styles = " or ".join(dates.open_between)
    return DataError(
        f"the dates in {path}, such as `{row.cells[layout.columns['date']]}` in line {row.line}, may be {styles}, "
        "and no row decides",
        "say which: `--day-first` or `--month-first`",
    )


def _is_newest_first(days: Days) -> bool:
    steps = np.diff(days[~np.isnat(days)]).astype(int)
    return int(np.count_nonzero(steps < 0)) > int(np.count_nonzero(steps > 0))


def _decimal_mark(path: Path, rows: Sequence[Row], layout: Layout) -> str:
    def cells(names: Sequence[str]) -> list[str]:
        return [row.cells[layout.columns[name]] for row in rows for name in names if name in layout.columns]

    mark = find_decimal_mark(cells(PRICES), cells([name for name in COLUMNS if name not in PRICES]))
    if mark is None:
        raise DataError(
            f"{path} has prices such as `1,234` alone, which may be 1234 or 1.234",
            "write them without thousands separators, with a dot before the decimals",
        )
    return mark


def _fill(numbers: Mapping[str, Numbers], n_rows: int) -> dict[str, Array]:
    """Add the columns that a file may lack."""
    columns = {name: one.values for name, one in numbers.items()}
    columns.setdefault("adj_close", columns["close"])
    for name in ("dividends", "splits"):
        columns.setdefault(name, np.zeros(n_rows))
    return columns


def _faults(
    rows: Sequence[Row],
    layout: Layout,
    days: Days,
    numbers: Mapping[str, Numbers],
    columns: Mapping[str, Array],
) -> list[tuple[int, str]]:
    """Find what is wrong; each with the line to sort it by."""

    def shown(row: int, name: str) -> str:
        text = rows[row].cells[layout.columns[name]]
        return f"`{text if len(text) <= 40 else text[:37] + '...'}`" if text else "empty"

    faults = []
    undated = np.flatnonzero(np.isnat(days))
    if len(undated):
        others = " like the others" if len(undated) < len(rows) else ""
        faults.append(InvalidRows(f"is {shown(undated[0], 'date')}, not a date{others}", undated, "date"))
    for name, one in numbers.items():
        texts = np.flatnonzero(one.is_text)
        if len(texts):
            faults.append(InvalidRows(f"is {shown(texts[0], name)}, not a number", texts, name))
    for fault in find_invalid_rows(days, columns):
        if fault.column is None:
            faults.append(fault)
        elif fault.column in numbers:  # An adj_close that was filled in has the faults of its close.
            left = fault.rows[~numbers[fault.column].is_text[fault.rows]]
            if len(left):
                faults.append(replace(fault, rows=left))

    def place(row: int) -> str:
        return f"line {rows[row].line}" + ("" if np.isnat(days[row]) else f" ({days[row]})")

    return [
        (
            rows[fault.rows[0]].line,
            describe(replace(fault, column=fault.column and _label(layout, fault.column)), place),
        )
        for fault in faults
    ]


def _label(layout: Layout, name: str) -> str:
    column = layout.columns[name]
    return layout.labels[column] or f"column {column + 1}"


def _understood(text: CsvText, layout: Layout, dates: Dates, mark: str) -> list[str]:
    """Say how the file was read."""
    dropped = "; times of day and zones dropped, the date taken as written" if dates.has_time else ""
    lines = [f"date: `{_label(layout, 'date')}`, {dates.style}{dropped}"]
    named = [name for name in COLUMNS if name in layout.columns]
    lines.append("columns: " + ", ".join(f"{name} `{_label(layout, name)}`" for name in named))
    if "adj_close" not in named:
        lines.append("adj_close: none in the file, the close stands for it (no dividends)")
    used = set(layout.columns.values())
    ignored = [f"`{label}`" for column, label in enumerate(layout.labels) if column not in used and label]
    if ignored:
        more = f" and {len(ignored) - _SHOWN_IGNORED} more" if len(ignored) > _SHOWN_IGNORED else ""
        lines.append(f"ignored: {', '.join(ignored[:_SHOWN_IGNORED])}{more}")
    if text.separator != "," or mark != ".":
        lines.append(f"cells: between each other a {SEPARATORS[text.separator]}, before decimals a `{mark}`")
    if text.encoding not in ("utf-8", "utf-8-sig"):
        lines.append(f"encoding: {text.encoding}")
    if text.n_empty:
        lines.append(f"skipped: {_rows(text.n_empty)} of empty cells")
    return lines


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n} rows"
