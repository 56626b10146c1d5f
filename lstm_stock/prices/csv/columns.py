"""Find which column of a CSV file is which field.

Handles headers of one to three rows, prefixed names (`AAPL.Close`, `Close AAPL`), and several tickers side by side
or below one another. Only the header is read, and the first row of data where no name tells the date.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product, zip_longest
from typing import NamedTuple

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.dates import looks_like_date
from lstm_stock.prices.csv.names import FIELDS, NAMES, NEEDED, plain
from lstm_stock.prices.csv.numbers import looks_like_number
from lstm_stock.prices.csv.text import Row

_PRICES = frozenset(NEEDED[:4])
_SHARED = ("volume", "adj_close", "dividends", "splits")
"""Fields that a ticker's columns take from columns without a ticker."""

_INDEX_LABELS = {"", "ticker", "price", "date", "datetime"}
_MAX_HEADER_ROWS = 3
_HEADER_HINT = "the first line must name the columns, such as `Date,Open,High,Low,Close,Adj Close,Volume`"


@dataclass(frozen=True)
class Layout:
    """The columns of a file.

    Attributes:
        columns: From a field (`date open high low close volume`, and where the file has them `adj_close dividends
            splits ticker`) to the position of its column.
        labels: The name of every column, as the file has it.
        n_header_rows: Number of rows before the data.
        ticker: The ticker in the names of the chosen columns, or an empty text.
    """

    columns: dict[str, int]
    labels: tuple[str, ...]
    n_header_rows: int
    ticker: str


class _Column(NamedTuple):
    """A column whose name tells its field, and perhaps its ticker; `rank` is the name's place in `NAMES`."""

    ticker: str
    field: str
    rank: int
    position: int


def find_layout(rows: Sequence[Row], ticker: str | None, name: str) -> Layout:
    """Find the columns of a file.

    Args:
        rows: All rows of the file.
        ticker: The wanted one, where the file holds several.
        name: What to call the file in messages.

    Raises:
        DataError: There is no header, a column is missing or there twice, or the file holds several tickers
            and not the wanted one.
    """
    n_header = _count_header_rows(rows, name)
    header = [row.cells for row in rows[:n_header]]
    width = max((i + 1 for cells in header for i, cell in enumerate(cells) if cell), default=0)
    texts = list(zip_longest(*header, fillvalue=""))[:width]
    labels = tuple(" ".join(dict.fromkeys(filter(None, one))) for one in texts)
    first = rows[n_header].cells if n_header < len(rows) else ()
    date = _find_date(texts, first)
    groups: dict[str, list[_Column]] = {}
    for one in _best_reading(texts, date):
        groups.setdefault(plain(one.ticker), []).append(one)
    bare = groups.pop("", [])
    chosen = _choose(list(groups.values()), bare, ticker, name)
    columns = _positions([one for one in bare if one.field in _SHARED], labels, name)
    columns |= _positions(chosen, labels, name)
    columns.pop("ticker", None)
    if date is not None:
        columns["date"] = date
    missing = [field for field in ("date", *NEEDED) if field not in columns]
    if missing:
        found = ", ".join(f"`{label}`" for label in labels if label)
        raise DataError(
            f"{name} has no column for {', '.join(f'`{field}`' for field in missing)}; it has {found}",
            _HEADER_HINT,
        )
    if n_header == 1:
        columns |= _positions([one for one in bare if one.field == "ticker"], labels, name)
    return Layout(columns, labels, n_header, chosen[0].ticker if chosen else "")


def same_ticker(one: str, other: str) -> bool:
    """Compare tickers without case and punctuation: BRK.B, brk-b and BRK_B are the same."""
    return bool(plain(one)) and plain(one) == plain(other)


def several_tickers(found: Sequence[str], wanted: str | None, name: str) -> DataError:
    """Return the error for a file of several tickers without the wanted one."""
    shown = ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "")
    return DataError(
        f"{name} holds {len(found)} tickers, {shown}, "
        + (f"but not {wanted}" if wanted else "and none is chosen"),
        f"fetch one of them by its name: `lstm-stock fetch {found[0]} --from-csv {name}`",
    )


def _count_header_rows(rows: Sequence[Row], name: str) -> int:
    if _is_data(rows[0]):
        raise DataError(
            f"{name} has no header: line {rows[0].line} is data already (`{rows[0].cells[0][:40]}`, ...)",
            _HEADER_HINT,
        )
    n = 1
    for row in rows[1:_MAX_HEADER_ROWS]:
        if row.cells[0].lower() not in _INDEX_LABELS or _is_data(row):
            break
        n += 1
    return n


def _is_data(row: Row) -> bool:
    """Return whether a row is below the header: it has a date, or at least half of its cells are numbers."""
    if any(looks_like_date(cell) for cell in row.cells):
        return True
    filled = [cell for cell in row.cells if cell]
    return 2 * sum(looks_like_number(cell) for cell in filled) >= len(filled)


def _find_date(texts: Sequence[tuple[str, ...]], first: Sequence[str]) -> int | None:
    """Find the date column: by its name, else the first one whose first cell is a date."""
    names = NAMES["date"]
    named = [(plain(text), position) for position, one in enumerate(texts) for text in one]
    ranked = [(names.index(text), position) for text, position in named if text in names]
    if ranked:
        return min(ranked)[1]
    return next((i for i, cell in enumerate(first[: len(texts)]) if looks_like_date(cell)), None)


def _best_reading(texts: Sequence[tuple[str, ...]], date: int | None) -> list[_Column]:
    """Split each column's name into ticker and field.

    A ticker may be called LOW or OPEN, so all readings of the header are tried: field names in the first header
    row or in a later one, ticker first or last. The one that gives the most fields to one ticker wins.
    """
    best: list[_Column] = []
    best_score = 0
    for row, ticker_first in product(range(len(texts[0]) if texts else 0), (True, False)):
        columns = [_read_name(texts[i], i, row, ticker_first) for i in range(len(texts)) if i != date]
        reading = [one for one in columns if one is not None]
        fields = {(plain(one.ticker), one.field) for one in reading}
        score = max((sum(key == ticker for key, _ in fields) for ticker, _ in fields), default=0)
        if score > best_score:
            best, best_score = reading, score
    return [one for one in best if one.field != "date"]


def _read_name(texts: tuple[str, ...], position: int, row: int, ticker_first: bool) -> _Column | None:
    """Split one column's names into ticker and field, where `row` is the header row that holds the field."""

    def column(ticker: str, name: str) -> _Column:
        field = FIELDS[name]
        return _Column(ticker, field, NAMES[field].index(name), position)

    label = texts[row]
    if (bare := plain(label)) in FIELDS:
        return column(" ".join(text for i, text in enumerate(texts) if i != row and text), bare)
    words = [word for word in re.split(r"[\s._:|/,'\"()\[\]-]+", label) if word]
    for k in range(1, len(words)):
        # The longest name of a field first: `Adj Close`, not `Close`.
        ticker, name = (words[:k], words[k:]) if ticker_first else (words[-k:], words[:-k])
        joined = "".join(map(plain, name))
        if len(joined) > 1 and FIELDS.get(joined) not in (None, "date", "ticker"):
            return column(" ".join(ticker), joined)
    return None


def _choose(
    groups: Sequence[list[_Column]], bare: list[_Column], ticker: str | None, name: str
) -> list[_Column]:
    """Choose the wanted ticker's columns, else those without a ticker: a prefix may mark a helper (`Adj Open`)."""

    def fields(group: Sequence[_Column]) -> set[str]:
        return {one.field for one in group}

    whole = [group for group in groups if fields(group) >= _PRICES]
    for group in whole:
        if ticker is not None and same_ticker(group[0].ticker, ticker):
            return group
    if fields(bare) >= _PRICES:
        return bare
    if not whole:
        return bare or max(groups, key=lambda group: len(fields(group)), default=[])
    if len(whole) > 1:
        raise several_tickers([group[0].ticker for group in whole], ticker, name)
    return whole[0]


def _positions(group: Sequence[_Column], labels: Sequence[str], name: str) -> dict[str, int]:
    """Return the position of each field; the name of the lowest rank wins."""
    columns: dict[str, _Column] = {}
    for one in sorted(group, key=lambda column: column.rank):
        best = columns.setdefault(one.field, one)
        if best is not one and best.rank == one.rank and one.field in (*NEEDED, "adj_close"):
            first, second = (f"`{labels[i]}` (column {i + 1})" for i in (best.position, one.position))
            raise DataError(
                f"{name} has two columns for `{one.field}`: {first} and {second}",
                "delete or rename one of them",
            )
    return {field: one.position for field, one in columns.items()}
