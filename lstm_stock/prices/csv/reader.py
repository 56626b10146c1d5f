"""Read a CSV file of daily prices in any common layout.

Notes say how the file was read, so that a wrong guess is visible. What the file leaves open (03/04/2020, `1.234`)
is an error that asks for an option; invalid rows are reported with their lines, all at once. Rows without prices
are left out (see `bars`), and nothing else is repaired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.config.interval import DAILY, INTERVALS
from lstm_stock.errors import DataError
from lstm_stock.prices.csv.bars import apply_splits, filled, surplus_rows
from lstm_stock.prices.csv.columns import Layout, SeveralTickersError, find_layout
from lstm_stock.prices.csv.dates import Dates, look_a_day_early, read_dates
from lstm_stock.prices.csv.intraday import intraday_times
from lstm_stock.prices.csv.numbers import Numbers, find_decimal_mark, open_mark, read_numbers
from lstm_stock.prices.csv.rows import by_ticker, data_rows, rows_of_ticker, whole_rows
from lstm_stock.prices.csv.text import SEPARATORS, CsvText, Row, read_csv_text
from lstm_stock.prices.sources import NOTHING_SAID, CsvOptions, DecimalMark
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
_SAMPLED_ROWS = 200


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
        The prices, oldest first; `adj_close` is the close where the file has none, `dividends`, `splits` and the
        volume 0.

    Raises:
        DataError: The file cannot be read or understood, or its prices are not usable; the message has one line
            for each kind of invalid row, with the first line of the file that has it.
    """
    return CsvFile(path, options).prices(ticker)


class CsvFile:
    """A file of prices, which is read once for all of its tickers.

    Args:
        path: The file.
        options: What the user says about it.

    Raises:
        DataError: It cannot be read.
    """

    def __init__(self, path: Path, options: CsvOptions = NOTHING_SAID) -> None:
        self.path = path
        self._options = options
        self._text = read_csv_text(path)
        self._groups: dict[int | None, tuple[dict[str, list[Row]], list[str]]] = {}

    def prices(self, ticker: str | None = None, zone: str | None = None) -> CsvPrices:
        """Return the prices of a ticker; arguments, result and errors as of `read_csv`.

        Args:
            ticker: The one to read, where the file holds several.
            zone: IANA time zone of its exchange, to which times with an offset are converted; None if unknown.
        """
        layout = find_layout(self._text.rows, ticker, str(self.path), self._options)
        groups, skipped = self._rows_by_ticker(layout)
        rows, notes = rows_of_ticker(groups, layout, ticker, str(self.path))
        return _read_rows(self.path, self._text, layout, rows, ((self._options, zone), [*skipped, *notes]))

    def tickers(self) -> list[str]:
        """Return the tickers that the file names, in order; none if it holds one series without a name.

        Raises:
            DataError: The file has no columns of prices.
        """
        try:
            layout = find_layout(self._text.rows, None, str(self.path), self._options)
        except SeveralTickersError as several:
            return list(several.tickers)
        groups, _ = self._rows_by_ticker(layout)
        return [one for one in groups if one] or ([layout.ticker] if layout.ticker else [])

    def _rows_by_ticker(self, layout: Layout) -> tuple[dict[str, list[Row]], list[str]]:
        column = layout.columns.get("ticker")
        if column not in self._groups:
            rows, notes = data_rows(self._text.rows, layout)
            if not rows:
                raise DataError(
                    f"{self.path} has a header but no prices below it", "fetch a file with rows of prices"
                )
            self._groups[column] = ({"": rows} if column is None else by_ticker(rows, column), notes)
        return self._groups[column]


def _read_rows(
    path: Path,
    text: CsvText,
    layout: Layout,
    rows: Sequence[Row],
    said: tuple[tuple[CsvOptions, str | None], list[str]],
) -> CsvPrices:
    """Read the rows of one ticker; `said` is what the user says, and notes so far."""
    (options, zone), notes = said
    rows, ragged = whole_rows(rows, len(layout.labels))
    cells = {name: [row.cells[column] for row in rows] for name, column in layout.columns.items()}
    dates = read_dates(cells["date"], options.date_order)
    if dates.open_between:
        row = int(np.flatnonzero(~np.isnat(dates.days))[0])
        raise DataError(
            f"the dates in {path}, such as `{cells['date'][row]}` in line {rows[row].line}, may be "
            f"{' or '.join(dates.open_between)}, and no row decides",
            "say which: `--day-first`, `--month-first` or `--year-first`",
        )
    mark = options.decimal or text.mark or _decimal_mark(path, text, layout, rows)
    layout, numbers, more = _read_columns(rows, layout, mark)
    intraday = intraday_times(dates, zone)
    days = dates.days
    if intraday is not None:
        days, told = intraday
        dates = replace(dates, notes=(*dates.notes, told))
    order = slice(None, None, -1 if _is_newest_first(days) else 1)
    rows, days, seconds = rows[order], days[order], dates.seconds[order]
    numbers = {name: Numbers(one.values[order], one.is_text[order]) for name, one in numbers.items()}
    columns, completed = filled(numbers, len(rows))
    texts = np.isnat(days) | np.any([one.is_text for one in numbers.values()], axis=0)
    surplus, left_out = surplus_rows(days, seconds, columns, texts)
    invalid = ragged + _invalid_rows(rows, layout, days, numbers, columns, surplus)
    if invalid:
        listed = bullet_list([line for _, line in sorted(invalid)])
        raise DataError(
            f"the prices in {path} are not usable:\n{listed}",
            "correct the file, then fetch it again; nothing is repaired silently",
        )
    notes += [*_understood(text, layout, dates, mark), *more, *completed]
    if order.step < 0:
        notes.append("order: newest first, reversed")
    days, columns = days[~surplus], {name: values[~surplus] for name, values in columns.items()}
    notes += [*left_out, *apply_splits(days, columns)]
    return CsvPrices(price_table(days, columns), tuple(notes))


def _is_newest_first(days: Days) -> bool:
    steps = np.diff(days[~np.isnat(days)]).astype(int)
    return bool(np.sum(np.sign(steps)) < 0)


def _decimal_mark(path: Path, text: CsvText, layout: Layout, rows: Sequence[Row]) -> DecimalMark:
    columns = {name: place for name, place in layout.columns.items() if name not in ("date", "ticker")}
    prices = [row.cells[place] for name, place in columns.items() if name in PRICES for row in rows]
    counts = [row.cells[place] for name, place in columns.items() if name not in PRICES for row in rows]
    unused = set(range(len(layout.labels))) - set(layout.columns.values())
    others = [row.cells[place] for place in unused for row in rows[:_SAMPLED_ROWS]]
    mark = find_decimal_mark(prices, counts, others)
    if mark is None and text.separator == ";" and any("," in cell for cell in prices):
        return ","  # semicolons separate cells where commas stand before decimals
    if mark is None:
        raise open_mark(path, prices)
    return mark


def _read_columns(
    rows: Sequence[Row], layout: Layout, mark: str
) -> tuple[Layout, dict[str, Numbers], list[str]]:
    """Parse the columns of numbers; choose a volume that is not 0 throughout; take the middle of bid and ask."""

    def read(place: int) -> Numbers:
        return read_numbers([row.cells[place] for row in rows], mark)

    notes = []
    numbers = {name: read(layout.columns[name]) for name in COLUMNS if name in layout.columns}
    for place in layout.volumes:
        volume = read(place)
        if place != layout.columns["volume"] and _has_values(volume) and not _has_values(numbers["volume"]):
            empty = layout.label("volume")
            notes.append(f"volume: `{layout.label_at(place)}`, as `{empty}` is 0 or empty throughout")
            layout = replace(layout, columns=layout.columns | {"volume": place})
            numbers["volume"] = volume
    for name, place in layout.asks.items():
        bid, ask = numbers[name], read(place)
        numbers[name] = Numbers((bid.values + ask.values) / 2, bid.is_text | ask.is_text)
    if layout.asks:
        notes.append("prices: the mean of bid and ask")
    return layout, numbers, notes


def _has_values(numbers: Numbers) -> bool:
    return bool((np.nan_to_num(numbers.values) != 0).any())


def _invalid_rows(
    rows: Sequence[Row],
    layout: Layout,
    days: Days,
    numbers: Mapping[str, Numbers],
    columns: Mapping[str, Array],
    surplus: npt.NDArray[np.bool_],
) -> list[tuple[int, str]]:
    """Describe the invalid rows but those left out; each line comes with the line of the file to sort it by."""

    def shown(row: int, name: str) -> str:
        text = rows[row].cells[layout.columns[name]]
        return f"`{text if len(text) <= 40 else text[:37] + '...'}`" if text else "empty"

    found = []
    undated = np.flatnonzero(np.isnat(days))
    if len(undated):
        others = " like the others" if len(undated) < len(rows) else ""
        found.append(InvalidRows(f"is {shown(undated[0], 'date')}, not a date{others}", undated, "date"))
    for name, column in numbers.items():
        texts = np.flatnonzero(column.is_text)
        if len(texts):
            found.append(InvalidRows(f"is {shown(texts[0], name)}, not a number", texts, name))
    kept = np.flatnonzero(~surplus)
    valid = {name: values[kept] for name, values in columns.items()}
    has_times = days.dtype == np.dtype("datetime64[s]")
    for one in find_invalid_rows(days[kept], valid, INTERVALS["1h"] if has_times else DAILY):
        invalid = replace(one, rows=kept[one.rows])
        if invalid.column is None:
            found.append(invalid)
        elif invalid.column in numbers:  # a filled in `adj_close` is invalid where its close is
            left = invalid.rows[~numbers[invalid.column].is_text[invalid.rows]]
            if len(left):
                found.append(replace(invalid, rows=left))

    def place(row: int) -> str:
        return f"line {rows[row].line}" + ("" if np.isnat(days[row]) else f" ({days[row]})")

    labelled = [replace(one, column=one.column and layout.label(one.column)) for one in found]
    return [(rows[one.rows[0]].line, describe(one, place)) for one in labelled]


def _understood(text: CsvText, layout: Layout, dates: Dates, mark: str) -> list[str]:
    """Describe how the file was read."""
    said = list(dates.notes)
    if dates.has_time and not said and "1970" not in dates.style:
        said.append("times of day and zones dropped, the date taken as written")
    lines = ["; ".join((f"date: `{layout.label('date')}`, {dates.style}", *said))]
    if look_a_day_early(dates.days) and not said:
        lines.append(
            "suspicious: Sundays have bars and Fridays have none, as if the dates were a day early (Tel Aviv and "
            "Riyadh trade so)"
        )
    named = [name for name in COLUMNS if name in layout.columns]
    lines.append("columns: " + ", ".join(f"{name} `{layout.label(name)}`" for name in named))
    used = {*layout.columns.values(), *layout.asks.values()}
    ignored = [f"`{label}`" for column, label in enumerate(layout.labels) if column not in used and label]
    if ignored:
        more = f" and {len(ignored) - _SHOWN_IGNORED} more" if len(ignored) > _SHOWN_IGNORED else ""
        lines.append(f"ignored: {', '.join(ignored[:_SHOWN_IGNORED])}{more}")
    if text.kind:
        lines.insert(0, f"file: {text.kind}")
    if text.separator != "," or mark != ".":
        lines.append(f"cells: separated by a {SEPARATORS[text.separator]}, decimals after a `{mark}`")
    if text.encoding not in ("utf-8", "utf-8-sig"):
        lines.append(f"encoding: {text.encoding}")
    if text.n_empty:
        lines.append(f"skipped: {counted(text.n_empty, 'row')} of empty cells")
    return lines
