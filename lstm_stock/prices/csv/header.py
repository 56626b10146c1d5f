"""Find the header of a CSV file: the rows that name the columns, below any title lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.dates import looks_like_date
from lstm_stock.prices.csv.names import FIELDS, plain, words_of
from lstm_stock.prices.csv.numbers import looks_like_number
from lstm_stock.prices.csv.text import Row
from lstm_stock.prices.sources import CsvOptions

_INDEX_LABELS = {"", "ticker", "price", "date", "datetime"}
_MAX_HEADER_ROWS = 3
_MAX_TITLE_ROWS = 30
_MIN_FIELDS = 3
_BARS = ("date", "open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Header:
    """The header of a file.

    Attributes:
        start: Its first row; the rows before are titles.
        end: The first row of data.
        line: The line of the file where it starts.
        texts: For each column, its text in each row of the header.
        labels: The name of each column.
    """

    start: int
    end: int
    line: int
    texts: tuple[tuple[str, ...], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of each column, an empty text if it has none."""
        return tuple(" ".join(dict.fromkeys(filter(None, one))) for one in self.texts)


def find_header(rows: Sequence[Row], name: str, options: CsvOptions) -> Header:
    """Find the header.

    Args:
        rows: All rows of the file.
        name: What to call the file in messages.
        options: A file without a header is read if `columns` gives each column by its number.

    Raises:
        DataError: There is none.
    """
    start = _title_rows(rows)
    row = rows[start]
    if is_data(row):
        if options.columns and all(label.isdigit() for _, label in options.columns):
            width = max(len(one.cells) for one in rows[:100])
            return Header(start, start, row.line, (("",),) * width)
        numbers = ",".join(f"{field}={i}" for i, field in enumerate(_BARS, 1))
        raise DataError(
            f"{name} has no header: line {row.line} is data already (`{row.cells[0][:40]}`, ...)",
            f"say which column is which, such as `--columns {numbers}`, or write their names in the first line",
        )
    end = start + 1
    for row in rows[end : start + _MAX_HEADER_ROWS]:
        if row.cells[0].lower() not in _INDEX_LABELS or is_data(row):
            break
        end += 1
    cells = [row.cells for row in rows[start:end]]
    width = max((i + 1 for one in cells for i, cell in enumerate(one) if cell), default=0)
    texts = tuple(list(zip_longest(*cells, fillvalue=""))[:width])
    return Header(start, end, rows[start].line, texts)


def is_data(row: Row) -> bool:
    """Return whether a row is below the header: it has a date, or at least half of its cells are numbers."""
    if any(looks_like_date(cell) for cell in row.cells):
        return True
    filled = [cell for cell in row.cells if cell]
    return 2 * sum(looks_like_number(cell) for cell in filled) >= len(filled)


def _title_rows(rows: Sequence[Row]) -> int:
    """Return the number of rows above the header: short ones above the first row that names fields."""
    named = next((i for i, row in enumerate(rows[:_MAX_TITLE_ROWS]) if _n_fields(row) >= _MIN_FIELDS), 0)
    width = _filled(rows[named])
    start = named
    # The tickers of several header rows may stand above the names of the fields.
    while start > 0 and named - start < _MAX_HEADER_ROWS - 1:
        above = rows[start - 1]
        if is_data(above) or 2 * _filled(above) <= width:
            break
        start -= 1
    return start


def _filled(row: Row) -> int:
    return sum(map(bool, row.cells))


def _n_fields(row: Row) -> int:
    """Return how many different fields the cells of a row name."""
    fields = set()
    for cell in row.cells:
        words = [plain(word) for word in words_of(cell)]
        names = (plain(cell), *("".join(words[:k]) for k in (1, 2)), *("".join(words[-k:]) for k in (1, 2)))
        fields.add(next((FIELDS[one] for one in names if one in FIELDS), None))
    return len(fields - {None})
