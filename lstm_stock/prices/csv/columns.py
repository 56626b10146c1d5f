"""Find which column of a CSV file is which field.

Handles lines above the header, headers of one to three rows, prefixed names (`AAPL.Close`, `Close AAPL`), several
tickers side by side or below one another, and columns that the user names. Only the header is read, and the first
row of data where no name tells the date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final, NamedTuple

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.dates import looks_like_date
from lstm_stock.prices.csv.header import Header, find_header
from lstm_stock.prices.csv.named import name_columns
from lstm_stock.prices.csv.names import FIELDS, NAMES, NEEDED, plain, words_of
from lstm_stock.prices.csv.text import Row
from lstm_stock.prices.sources import NOTHING_SAID, CsvOptions

_PRICES = frozenset(NEEDED)
_SHARED = ("volume", "adj_close", "dividends", "splits")
"""Fields that a ticker's columns take from columns without a ticker."""

_QUOTES: Final = ("bid", "ask")
_MIN_SENTENCE = 3
"""Words after a field's name that are an explanation of it."""


@dataclass(frozen=True)
class Layout:
    """The columns of a file.

    Attributes:
        columns: From a field (`date open high low close`, and where the file has them `volume adj_close dividends
            splits ticker`) to the position of its column.
        labels: The name of every column, as the file has it.
        n_header_rows: Number of rows before the data.
        ticker: The ticker in the names of the chosen columns, or an empty text.
        n_title_rows: How many of the rows before the data stand above the header.
        volumes: The positions of all columns that may be the volume, the likeliest first.
        asks: From a price to the column of its ask, where `columns` has the bid and the middle is wanted.
    """

    columns: dict[str, int]
    labels: tuple[str, ...]
    n_header_rows: int
    ticker: str
    n_title_rows: int = 0
    volumes: tuple[int, ...] = ()
    asks: dict[str, int] = field(default_factory=dict)

    def label(self, name: str) -> str:
        """Return the name that the file has for a field's column."""
        return self.label_at(self.columns[name])

    def label_at(self, position: int) -> str:
        """Return the name that the file has for a column."""
        return self.labels[position] or f"column {position + 1}"


class _Column(NamedTuple):
    """A column whose name tells its field, and perhaps its ticker; `rank` is the name's place in `NAMES`."""

    ticker: str
    field: str
    rank: int
    position: int


def find_layout(
    rows: Sequence[Row], ticker: str | None, name: str, options: CsvOptions = NOTHING_SAID
) -> Layout:
    """Find the columns of a file.

    Args:
        rows: All rows of the file.
        ticker: The wanted one, where the file holds several.
        name: What to call the file in messages.
        options: What the user says about the file.

    Raises:
        DataError: There is no header, a column is missing or there twice, the file holds several tickers
            and not the wanted one, or bids and asks and no word which.
    """
    header = find_header(rows, name, options)
    texts, labels = header.texts, header.labels
    said = name_columns(options.columns, labels, name)
    first = rows[header.end].cells if header.end < len(rows) else ()
    date = said.get("date", _find_date(texts, first))
    groups: dict[str, list[_Column]] = {}
    for one in _best_reading(texts, date):
        groups.setdefault(plain(one.ticker), []).append(one)
    bare = groups.pop("", [])
    if set(said) >= _PRICES:  # nothing is left to choose
        chosen, asks = bare, dict[str, int]()
    else:
        chosen, asks = _choose(groups, bare, ticker, name, options)
    columns = _positions([one for one in bare if one.field in _SHARED], labels, name)
    columns |= _positions(chosen, labels, name)
    volumes = _volumes(chosen, bare, groups)
    if volumes:
        columns["volume"] = volumes[0]
    columns.pop("ticker", None)
    if date is not None:
        columns["date"] = date
    columns |= said
    missing = [one for one in ("date", *NEEDED) if one not in columns]
    if missing:
        raise _missing_columns(missing, columns, header, name)
    if header.end - header.start == 1 and "ticker" not in columns:
        columns |= _positions([one for one in bare if one.field == "ticker"], labels, name)
    volumes = (columns["volume"],) if "volume" in said else volumes
    own = chosen[0].ticker if chosen and plain(chosen[0].ticker) not in _QUOTES else ""
    return Layout(columns, labels, header.end, own, header.start, volumes, asks)


def same_ticker(one: str, other: str) -> bool:
    """Compare tickers without case and punctuation: BRK.B, brk-b and BRK_B are the same."""
    return bool(plain(one)) and plain(one) == plain(other)


class SeveralTickersError(DataError):
    """A file of several tickers without the wanted one.

    Attributes:
        tickers: Those that it holds.
    """

    def __init__(self, message: str, hint: str, tickers: Sequence[str]) -> None:
        super().__init__(message, hint)
        self.tickers = tuple(tickers)


def several_tickers(found: Sequence[str], wanted: str | None, name: str) -> SeveralTickersError:
    """Return the error for a file of several tickers without the wanted one."""
    shown = ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "")
    return SeveralTickersError(
        f"{name} holds {len(found)} tickers, {shown}, "
        + (f"but not {wanted}" if wanted else "and none is chosen"),
        f"`lstm-stock fetch {found[0]} --from-csv {name}` reads one of them, without a name all",
        found,
    )


class NoPricesError(DataError):
    """A file without a column of prices, or with closes alone."""


def _missing_columns(missing: Sequence[str], columns: dict[str, int], header: Header, name: str) -> DataError:
    labels = [label for i, label in enumerate(header.labels) if label and i not in columns.values()]
    found = ", ".join(f"`{label}`" for label in header.labels if label)
    message = f"{name} has no column for {', '.join(f'`{one}`' for one in missing)}; it has {found}"
    has = set(NEEDED) - set(missing)
    if has == {"close"} and "date" in columns:
        close = header.labels[columns["close"]]
        return NoPricesError(message, f'`--value "{close}"` keeps the closes alone, as a series of values')
    example = f"{missing[0]}={labels[0] if labels else 2}"
    hint = (
        f'name them by label or number, such as `--columns "{example},..."`; the header is line {header.line}'
    )
    return DataError(message, hint) if has else NoPricesError(message, hint)


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
    row or in a later one, ticker first or last. The one that gives the most fields to one ticker wins, and among
    these the one that reads the most columns.
    """
    best: list[_Column] = []
    best_score = (0, 0)
    for row, ticker_first in product(range(len(texts[0]) if texts else 0), (True, False)):
        columns = [_read_name(texts[i], i, row, ticker_first) for i in range(len(texts)) if i != date]
        reading = [one for one in columns if one is not None]
        fields = {(plain(one.ticker), one.field) for one in reading}
        most = max((sum(key == ticker for key, _ in fields) for ticker, _ in fields), default=0)
        score = (most, len(reading))
        if score > best_score:
            best, best_score = reading, score
    return [one for one in best if one.field != "date"]


def _read_name(texts: tuple[str, ...], position: int, row: int, ticker_first: bool) -> _Column | None:
    """Split one column's names into ticker and field, where `row` is the header row that holds the field."""

    def column(ticker: str, name: str) -> _Column:
        field = FIELDS[name]
        return _Column(ticker, field, NAMES[field].index(name), position)

    words = words_of(texts[row])
    label = " ".join(words)
    others = " ".join(text for i, text in enumerate(texts) if i != row and text)
    if (bare := plain(label)) in FIELDS:
        return column(others, bare)
    for quote in _QUOTES:  # `BidOpen`, `openAsk`
        name = bare.removeprefix(quote) if bare.startswith(quote) else bare.removesuffix(quote)
        if name != bare and len(name) > 1 and FIELDS.get(name) in NEEDED:
            return column(quote.title(), name)
    for k in (2, 1):  # `Close Close price adjusted for splits.`: the name, then a sentence about it
        name = "".join(map(plain, words[:k]))
        if len(words) - k >= _MIN_SENTENCE and len(name) > 1 and name in FIELDS:
            return column(others, name)
    for k in range(1, len(words)):
        # The longest name of a field first: `Adj Close`, not `Close`.
        ticker, names = (words[:k], words[k:]) if ticker_first else (words[-k:], words[:-k])
        name = "".join(map(plain, names))
        if len(name) > 1 and FIELDS.get(name) not in (None, "date", "ticker"):
            return column(" ".join(ticker), name)
    return None


def _choose(
    groups: dict[str, list[_Column]], bare: list[_Column], ticker: str | None, name: str, options: CsvOptions
) -> tuple[list[_Column], dict[str, int]]:
    """Choose the wanted ticker's columns, else those without a ticker: a prefix may mark a helper (`Adj Open`).

    Returns:
        The columns, and the positions of the asks where these are the bids and the middle is wanted.
    """

    def fields(group: Sequence[_Column]) -> set[str]:
        return {one.field for one in group}

    whole = {key: group for key, group in groups.items() if fields(group) >= _PRICES}
    if ticker is not None and (own := whole.get(plain(ticker))):
        return own, {}
    if fields(bare) >= _PRICES:
        return bare, {}
    if whole and set(whole) <= set(_QUOTES):
        return _choose_quote(whole, name, options)
    if not whole:
        return bare or max(groups.values(), key=lambda group: len(fields(group)), default=[]), {}
    if len(whole) > 1:
        raise several_tickers([group[0].ticker for group in whole.values()], ticker, name)
    return next(iter(whole.values())), {}


def _choose_quote(
    whole: dict[str, list[_Column]], name: str, options: CsvOptions
) -> tuple[list[_Column], dict[str, int]]:
    """Choose between bids and asks."""
    if len(whole) == 1:
        return next(iter(whole.values())), {}
    if options.quote is None:
        raise DataError(
            f"{name} has two sets of prices, `{whole['bid'][0].ticker} ...` and `{whole['ask'][0].ticker} ...`",
            "say which: `--quote bid`, `--quote ask`, or `--quote middle` for their mean",
        )
    if options.quote == "ask":
        return whole["ask"], {}
    asks = {one.field: one.position for one in whole["ask"] if one.field in _PRICES}
    return whole["bid"], asks if options.quote == "middle" else {}


def _volumes(
    chosen: Sequence[_Column], bare: Sequence[_Column], groups: dict[str, list[_Column]]
) -> tuple[int, ...]:
    """Return the columns that may be the volume: by name, else named after a currency (`Volume BTC`)."""
    named = [one for one in chosen if one.field == "volume"] or [one for one in bare if one.field == "volume"]
    if not named and not any(one.ticker for one in chosen):
        named = [one for group in groups.values() for one in group if one.field == "volume"]
        return tuple(one.position for one in named)
    return tuple(one.position for one in sorted(named, key=lambda one: one.rank))


def _positions(group: Sequence[_Column], labels: Sequence[str], name: str) -> dict[str, int]:
    """Return the position of each field; the name of the lowest rank wins."""
    columns: dict[str, _Column] = {}
    for one in sorted(group, key=lambda column: column.rank):
        best = columns.setdefault(one.field, one)
        if best is not one and best.rank == one.rank and one.field in (*NEEDED, "volume", "adj_close"):
            first, second = (f"`{labels[i]}` (column {i + 1})" for i in (best.position, one.position))
            raise DataError(
                f"{name} has two columns for `{one.field}`: {first} and {second}",
                f"say which, such as `--columns {one.field}={one.position + 1}`, or delete one of them",
            )
    return {field: one.position for field, one in columns.items()}
