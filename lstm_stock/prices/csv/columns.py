"""Find out which column of a CSV file is which, whatever the columns are called.

Headers of one to three rows, prefixed names (`AAPL.Close`, `Close AAPL`), several tickers side by side or below
one another. Only names are looked at here, and the first row of data where no name tells the date.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.cells import looks_like_date, looks_like_number
from lstm_stock.prices.csv.text import Row

NEEDED = ("open", "high", "low", "close", "volume")
"""The columns without which a file is of no use."""

_NAMES = {
    "date": ("date", "datetime", "timestamp", "tradedate", "tradingdate", "tradingday", "day", "time"),
    "open": ("open", "openprice", "openingprice", "opening", "o"),
    "high": ("high", "highprice", "highest", "h"),
    "low": ("low", "lowprice", "lowest", "l"),
    "close": (
        "close",
        "closelast",
        "closeprice",
        "closingprice",
        "closing",
        "last",
        "lastprice",
        "price",
        "c",
    ),
    "adj_close": (
        "adjclose",
        "adjustedclose",
        "adjusted",
        "closeadj",
        "closeadjusted",
        "adjcloseprice",
        "adj",
    ),
    "volume": ("volume", "vol", "tradevolume", "sharevolume", "v"),
    "dividends": ("dividends", "dividend"),
    "splits": ("stocksplits", "splits"),
    "ticker": ("ticker", "symbol", "name"),
}
"""What each field is called, letters and digits alone; the earlier name wins where a file has two."""

_FIELDS = {name: key for key, names in _NAMES.items() for name in names}
_BARE_MAY_FILL = ("volume", "adj_close", "dividends", "splits")
_INDEX_LABELS = {"", "ticker", "price", "date", "datetime"}
_MAX_HEADER_ROWS = 3
_HEADER_HINT = "the first line must name the columns, such as `Date,Open,High,Low,Close,Adj Close,Volume`"


@dataclass(frozen=True)
class Layout:
    """Where everything stands in a file.

    Attributes:
        columns: From a field (`date open high low close volume`, and where the file has them `adj_close dividends
            splits ticker`) to the position of its column.
        labels: The name of every column, as the file has it.
        n_header_rows: How many rows come before the data.
        ticker: The ticker that the chosen columns' names hold, or an empty text.
    """

    columns: dict[str, int]
    labels: tuple[str, ...]
    n_header_rows: int
    ticker: str


@dataclass
class _Group:
    """The columns whose names hold the same ticker; `name` is empty for bare names."""

    name: str
    columns: dict[str, int] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)

    def has(self, fields: Sequence[str]) -> bool:
        return all(one in self.columns for one in fields)


def find_layout(rows: Sequence[Row], ticker: str | None, name: str) -> Layout:
    """Find the columns of a file.

    Args:
        rows: All of its rows.
        ticker: The one wanted, where the file holds several.
        name: What to call the file in messages.

    Raises:
        DataError: There is no header, a column is missing or there twice, or the file holds several tickers
            and not the one wanted.
    """
    n_header = _count_header_rows(rows, name)
    header = [row.cells for row in rows[:n_header]]
    width = max(_width(cells) for cells in header)
    parts = [tuple(cells[i] if i < len(cells) else "" for cells in header) for i in range(width)]
    labels = tuple(" ".join(dict.fromkeys(filter(None, one))) for one in parts)
    first = rows[n_header].cells if n_header < len(rows) else ()

    date_column = _find_date(parts, first)
    identified = _identify(parts, date_column)
    groups = _groups(identified, labels, name)
    bare = groups.pop("", _Group(""))
    chosen = _choose(groups, bare, ticker, name)
    columns = dict(chosen.columns)
    for one in _BARE_MAY_FILL:
        if one not in columns and one in bare.columns:
            columns[one] = bare.columns[one]
    missing = [one for one in NEEDED if one not in columns]
    if date_column is None:
        missing.insert(0, "date")
    else:
        columns["date"] = date_column
    if missing:
        found = ", ".join(f"`{label}`" for label in labels if label)
        raise DataError(
            f"{name} has no column for {', '.join(f'`{one}`' for one in missing)}; it has {found}",
            _HEADER_HINT,
        )
    if "ticker" in bare.columns and n_header == 1:
        columns["ticker"] = bare.columns["ticker"]
    return Layout(columns, labels, n_header, chosen.name)


def same_ticker(one: str, other: str) -> bool:
    """Compare tickers as column names write them: BRK.B, brk-b and BRK_B are one."""
    return bool(_plain(one)) and _plain(one) == _plain(other)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _width(cells: Sequence[str]) -> int:
    """Count the columns up to the last named one."""
    return max((i + 1 for i, cell in enumerate(cells) if cell), default=0)


def _count_header_rows(rows: Sequence[Row], name: str) -> int:
    if _is_data(rows[0]):
        raise DataError(
            f"{name} has no header: line {rows[0].line} is data already (`{rows[0].cells[0][:40]}`, ...)",
            _HEADER_HINT,
        )
    n = 1
    while n < min(len(rows), _MAX_HEADER_ROWS):
        row = rows[n]
        if row.cells[0].lower() not in _INDEX_LABELS or _is_data(row):
            break
        n += 1
    return n


def _is_data(row: Row) -> bool:
    """Say whether a row is below the header: it has a date, or is mostly numbers."""
    if any(looks_like_date(cell) for cell in row.cells):
        return True
    filled = [cell for cell in row.cells if cell]
    return 2 * sum(looks_like_number(cell) for cell in filled) >= len(filled)


def _find_date(parts: Sequence[tuple[str, ...]], first: Sequence[str]) -> int | None:
    """Find the date column: by its name, else the first one whose first cell is a date."""
    names = _NAMES["date"]
    ranked = [
        (names.index(plain), column)
        for column, texts in enumerate(parts)
        for plain in map(_plain, texts)
        if plain in names
    ]
    if ranked:
        return min(ranked)[1]
    return next((column for column, cell in enumerate(first[: len(parts)]) if looks_like_date(cell)), None)


def _identify(parts: Sequence[tuple[str, ...]], date_column: int | None) -> list[tuple[str, str, int] | None]:
    """Find for each column its ticker (or nothing), its field and the rank of the name it goes by.

    A ticker may be called LOW or OPEN, so all readings of the header are tried, and the one that gives the most
    fields to one ticker is taken: names in the first header row or in a later one, ticker first or last.
    """
    best: list[tuple[str, str, int] | None] = []
    best_score = -1
    for row in range(len(parts[0]) if parts else 0):
        for ticker_first in (True, False):
            reading = [
                None if column == date_column else _read_label(texts, row, ticker_first)
                for column, texts in enumerate(parts)
            ]
            fields: dict[str, set[str]] = {}
            for one in filter(None, reading):
                fields.setdefault(_plain(one[0]), set()).add(one[1])
            score = max(map(len, fields.values()), default=0)
            if score > best_score:
                best, best_score = reading, score
    return best


def _read_label(texts: tuple[str, ...], row: int, ticker_first: bool) -> tuple[str, str, int] | None:
    """Split one column's names into ticker and field, where `row` is the header row that holds the field."""
    label = texts[row]
    others = " ".join(text for i, text in enumerate(texts) if i != row and text)
    if (bare := _plain(label)) in _FIELDS:
        return others, _FIELDS[bare], _rank(bare)
    words = [word for word in re.split(r"[\s._:|/,'\"()\[\]-]+", label) if word]
    for k in range(1, len(words)):
        # The longest name of a field first: `Adj Close`, not `Close`.
        whose, name = (words[:k], words[k:]) if ticker_first else (words[-k:], words[:-k])
        plain = "".join(map(_plain, name))
        if len(plain) > 1 and _FIELDS.get(plain) not in (None, "date", "ticker"):
            return " ".join(whose), _FIELDS[plain], _rank(plain)
    return None


def _rank(name: str) -> int:
    return _NAMES[_FIELDS[name]].index(name)


def _groups(
    identified: Sequence[tuple[str, str, int] | None], labels: Sequence[str], name: str
) -> dict[str, _Group]:
    """Gather the columns by ticker; where two may be the same field the better name wins."""
    groups: dict[str, _Group] = {}
    clashes: list[tuple[_Group, str, int, int]] = []
    for column, one in enumerate(identified):
        if one is None or one[1] == "date":
            continue
        ticker, key, rank = one
        group = groups.setdefault(_plain(ticker), _Group(ticker))
        held = group.columns.get(key)
        if held is None or rank < group.ranks[key]:
            group.columns[key], group.ranks[key] = column, rank
        elif rank == group.ranks[key]:
            clashes.append((group, key, held, column))
    for group, key, held, column in clashes:
        if group.columns[key] == held and key in (*NEEDED, "adj_close"):
            raise DataError(
                f"{name} has two columns for `{key}`: `{labels[held]}` (column {held + 1}) and `{labels[column]}` "
                f"(column {column + 1})",
                "delete or rename one of them",
            )
    return groups


def _choose(groups: dict[str, _Group], bare: _Group, ticker: str | None, name: str) -> _Group:
    """Choose the wanted ticker's columns, else the bare ones: what has a prefix may be a helper (`Adj Open`)."""
    prices = NEEDED[:4]
    whole = [group for group in groups.values() if group.has(prices)]
    for group in whole:
        if ticker is not None and same_ticker(group.name, ticker):
            return group
    if bare.has(prices) or not whole:
        return (
            bare if bare.columns or not groups else max(groups.values(), key=lambda group: len(group.columns))
        )
    if len(whole) > 1:
        raise several_tickers([group.name for group in whole], ticker, name)
    return whole[0]


def several_tickers(found: Sequence[str], wanted: str | None, name: str) -> DataError:
    """Make the error for a file of several tickers of which none is the wanted one."""
    shown = ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "")
    return DataError(
        f"{name} holds {len(found)} tickers, {shown}, "
        + (f"but not {wanted}" if wanted else "and none is chosen"),
        f"fetch one of them by its name: `lstm-stock fetch {found[0]} --from-csv {name}`",
    )
