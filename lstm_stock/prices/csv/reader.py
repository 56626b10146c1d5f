"""Read a CSV file of daily prices in any common layout.

Notes say how the file was read, so that a wrong guess is visible. An ambiguous date (03/04/2020) is an error
that asks for an option; invalid rows are reported with their lines, all at once. Only `adj_close`, `dividends`
and `splits` are filled in, and only splits that `adj_close` has and the prices lack are applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.columns import Layout, find_layout, same_ticker, several_tickers
from lstm_stock.prices.csv.dates import Dates, read_dates
from lstm_stock.prices.csv.numbers import Numbers, find_decimal_mark, read_numbers
from lstm_stock.prices.csv.text import SEPARATORS, CsvText, Row, read_csv_text
from lstm_stock.prices.sources import NOTHING_SAID, CsvOptions
from lstm_stock.prices.table import (
    COLUMNS,
    PRICES,
    Array,
    Days,
    InvalidRows,
    bullet_list,
    counted,
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


def read_csv(path: Path, options: CsvOptions = NOTHING_SAID, ticker: str | None = None) -> CsvPrices:
    """Read a CSV file of daily prices.

    Args:
        path: The file: any separator, encoding, order and naming of columns, one to three header rows.
        options: What the user says about the file.
        ticker: The one to read, where the file holds several.

    Returns:
        The prices, oldest first; `adj_close` is the close where the file has none, `dividends` and `splits` 0.

    Raises:
        DataError: The file cannot be read or understood, or its prices are not usable; the message has one line
            for each kind of invalid row, with the first line of the file that has it.
    """
    text = read_csv_text(path)
    layout = find_layout(text.rows, ticker, str(path))
    rows: Sequence[Row] = text.rows[layout.n_header_rows :]
    if not rows:
        raise DataError(f"{path} has a header but no prices below it", "fetch a file with rows of prices")
    rows, notes = _rows_of_ticker(rows, layout, ticker, str(path))
    rows, ragged = _whole_rows(rows, len(layout.labels))
    cells = {name: [row.cells[column] for row in rows] for name, column in layout.columns.items()}
    dates = read_dates(cells["date"], options.date_order)
    if dates.open_between:
        row = int(np.flatnonzero(~np.isnat(dates.days))[0])
        raise DataError(
            f"the dates in {path}, such as `{cells['date'][row]}` in line {rows[row].line}, may be "
            f"{' or '.join(dates.open_between)}, and no row decides",
            "say which: `--day-first`, `--month-first` or `--year-first`",
        )
    mark = _decimal_mark(path, cells)
    numbers = {name: read_numbers(cells[name], mark) for name in COLUMNS if name in cells}
    order = slice(None, None, -1 if _is_newest_first(dates.days) else 1)
    rows, days = rows[order], dates.days[order]
    numbers = {name: Numbers(one.values[order], one.is_text[order]) for name, one in numbers.items()}
    columns = _filled(numbers, len(rows))
    invalid = ragged + _invalid_rows(rows, layout, days, numbers, columns)
    if invalid:
        listed = bullet_list([line for _, line in sorted(invalid)])
        raise DataError(
            f"the prices in {path} are not usable:\n{listed}",
            "correct the file, then fetch it again; nothing is repaired silently",
        )
    notes += _understood(text, layout, dates, mark)
    if order.step < 0:
        notes.append("order: newest first, reversed")
    notes += _apply_splits(days, columns)
    return CsvPrices(price_table(days, columns), tuple(notes))


def _rows_of_ticker(
    rows: Sequence[Row], layout: Layout, ticker: str | None, name: str
) -> tuple[Sequence[Row], list[str]]:
    """Keep the rows of one ticker where a column names it; note which ticker the file names."""
    column = layout.columns.get("ticker")
    held = [layout.ticker] if layout.ticker else []
    if column is not None:
        tickers = [row.cells[column] if len(row.cells) > column else "" for row in rows]
        held = [one for one in dict.fromkeys(tickers) if one]
        if len(held) > 1:
            wanted = next((one for one in held if ticker is not None and same_ticker(one, ticker)), None)
            if wanted is None:
                raise several_tickers(held, ticker, name)
            kept = [row for row, one in zip(rows, tickers, strict=True) if one == wanted]
            return kept, [
                f"ticker: {counted(len(kept), 'row')} of {wanted}; the file holds {len(held)} tickers"
            ]
    if not held:
        return rows, []
    differs = ticker is not None and not same_ticker(held[0], ticker)
    return rows, [f"ticker: {held[0]} in the file" + (f", stored as {ticker}" if differs else "")]


def _whole_rows(rows: Sequence[Row], width: int) -> tuple[Sequence[Row], list[tuple[int, str]]]:
    """Keep the rows that have a cell for every column; separators after the last column are ignored."""
    n_cells = [
        max(len(row.cells[:width]), *(i + 1 for i, cell in enumerate(row.cells) if cell)) for row in rows
    ]
    whole = [row for row, n in zip(rows, n_cells, strict=True) if n == width]
    ragged = [(row.line, n) for row, n in zip(rows, n_cells, strict=True) if n != width]
    if not ragged:
        return whole, []
    line, n = ragged[0]
    more = f" (and {len(ragged) - 1} more)" if len(ragged) > 1 else ""
    return whole, [(line, f"line {line}: has {n} cells, the header has {width}{more}")]


def _is_newest_first(days: Days) -> bool:
    steps = np.diff(days[~np.isnat(days)]).astype(int)
    return bool(np.sum(np.sign(steps)) < 0)


def _decimal_mark(path: Path, cells: Mapping[str, Sequence[str]]) -> str:
    prices = [cell for name in PRICES for cell in cells.get(name, ())]
    counts = [cell for name in COLUMNS if name not in PRICES for cell in cells.get(name, ())]
    mark = find_decimal_mark(prices, counts)
    if mark is None:
        raise DataError(
            f"{path} has prices such as `1,234` alone, which may be 1234 or 1.234",
            "write them without thousands separators, with a dot before the decimals",
        )
    return mark


def _filled(numbers: Mapping[str, Numbers], n_rows: int) -> dict[str, Array]:
    """Return the columns of a price table, with those that the file lacks; a split of 1 is none."""
    columns = {name: one.values for name, one in numbers.items()}
    columns.setdefault("adj_close", columns["close"])
    for name in ("dividends", "splits"):
        columns.setdefault(name, np.zeros(n_rows))
    columns["splits"] = np.where(columns["splits"] == 1, 0.0, columns["splits"])
    return columns


def _apply_splits(days: Days, columns: dict[str, Array]) -> list[str]:
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


def _invalid_rows(
    rows: Sequence[Row],
    layout: Layout,
    days: Days,
    numbers: Mapping[str, Numbers],
    columns: Mapping[str, Array],
) -> list[tuple[int, str]]:
    """Describe the invalid rows; each line comes with the line of the file to sort it by."""

    def shown(row: int, name: str) -> str:
        text = rows[row].cells[layout.columns[name]]
        return f"`{text if len(text) <= 40 else text[:37] + '...'}`" if text else "empty"

    found = []
    undated = np.flatnonzero(np.isnat(days))
    if len(undated):
        others = " like the others" if len(undated) < len(rows) else ""
        found.append(InvalidRows(f"is {shown(undated[0], 'date')}, not a date{others}", undated, "date"))
    for name, one in numbers.items():
        texts = np.flatnonzero(one.is_text)
        if len(texts):
            found.append(InvalidRows(f"is {shown(texts[0], name)}, not a number", texts, name))
    for invalid in find_invalid_rows(days, columns):
        if invalid.column is None:
            found.append(invalid)
        elif invalid.column in numbers:  # a filled in `adj_close` is invalid where its close is
            left = invalid.rows[~numbers[invalid.column].is_text[invalid.rows]]
            if len(left):
                found.append(replace(invalid, rows=left))

    def place(row: int) -> str:
        return f"line {rows[row].line}" + ("" if np.isnat(days[row]) else f" ({days[row]})")

    labelled = [replace(one, column=one.column and _label(layout, one.column)) for one in found]
    return [(rows[one.rows[0]].line, describe(one, place)) for one in labelled]


def _label(layout: Layout, name: str) -> str:
    column = layout.columns[name]
    return layout.labels[column] or f"column {column + 1}"


def _understood(text: CsvText, layout: Layout, dates: Dates, mark: str) -> list[str]:
    """Describe how the file was read."""
    dropped = "; times of day and zones dropped, the date taken as written" if dates.has_time else ""
    lines = [f"date: `{_label(layout, 'date')}`, {dates.style}{dropped}"]
    named = [name for name in COLUMNS if name in layout.columns]
    lines.append("columns: " + ", ".join(f"{name} `{_label(layout, name)}`" for name in named))
    if "adj_close" not in named:
        lines.append("adj_close: none in the file, the close is used (no dividends)")
    used = set(layout.columns.values())
    ignored = [f"`{label}`" for column, label in enumerate(layout.labels) if column not in used and label]
    if ignored:
        more = f" and {len(ignored) - _SHOWN_IGNORED} more" if len(ignored) > _SHOWN_IGNORED else ""
        lines.append(f"ignored: {', '.join(ignored[:_SHOWN_IGNORED])}{more}")
    if text.separator != "," or mark != ".":
        lines.append(f"cells: separated by a {SEPARATORS[text.separator]}, decimals after a `{mark}`")
    if text.encoding not in ("utf-8", "utf-8-sig"):
        lines.append(f"encoding: {text.encoding}")
    if text.n_empty:
        lines.append(f"skipped: {counted(text.n_empty, 'row')} of empty cells")
    return lines
