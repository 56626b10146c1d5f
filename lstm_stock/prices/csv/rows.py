"""Choose the rows of a CSV file that hold the bars of one ticker; say which lines are skipped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lstm_stock.prices.csv.columns import Layout, same_ticker, several_tickers
from lstm_stock.prices.csv.header import is_data
from lstm_stock.prices.csv.text import Row
from lstm_stock.prices.table import counted

_MAX_FOOTER_ROWS = 30
_EVENT = re.compile(r"dividends?\b|(stock )?splits?\b", re.IGNORECASE)


def data_rows(rows: Sequence[Row], layout: Layout) -> tuple[list[Row], list[str]]:
    """Return the rows of prices: without titles, headers, footers, and lines on dividends and splits.

    Args:
        rows: All rows of the file.
        layout: Its columns.

    Returns:
        The rows, and notes on what was skipped.
    """
    header = set(rows[layout.n_title_rows : layout.n_header_rows])
    headers = {row.cells for row in header}
    below = rows[layout.n_header_rows :]
    kept = [row for row in below if row.cells not in headers]
    notes = []
    if layout.n_title_rows:
        above = counted(layout.n_title_rows, "line")
        notes.append(f"skipped: {above} above the header, the first `{_shown(rows[0])}`")
    if len(kept) < len(below):
        notes.append(f"skipped: {counted(len(below) - len(kept), 'line')} that repeat the header")
    n = len(kept)
    while n > 1 and len(kept) - n < _MAX_FOOTER_ROWS and _is_footer(kept[n - 1], layout):
        n -= 1
    if n < len(kept):
        notes.append(
            f"skipped: {counted(len(kept) - n, 'line')} below the prices, the first `{_shown(kept[n])}`"
        )
        kept = kept[:n]
    bars = [row for row in kept if not _is_event(row, layout)]
    if len(bars) < len(kept):
        notes.append(f"skipped: {counted(len(kept) - len(bars), 'line')} on dividends or splits")
    return bars, notes


def by_ticker(rows: Sequence[Row], column: int) -> dict[str, list[Row]]:
    """Return the rows of each ticker that a column names, in order; under an empty text those of none."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.cells[column] if len(row.cells) > column else "", []).append(row)
    return groups


def rows_of_ticker(
    groups: Mapping[str, Sequence[Row]], layout: Layout, ticker: str | None, name: str
) -> tuple[Sequence[Row], list[str]]:
    """Return the rows of one ticker, and notes on which ticker the file names.

    Args:
        groups: The rows by ticker; one group under an empty text, if no column names it.
        layout: The columns.
        ticker: The wanted one.
        name: What to call the file in messages.

    Raises:
        DataError: The file holds several tickers and not the wanted one.
    """
    held = [one for one in groups if one]
    if len(held) > 1:
        wanted = next((one for one in held if ticker is not None and same_ticker(one, ticker)), None)
        if wanted is None:
            raise several_tickers(held, ticker, name)
        rows = groups[wanted]
        return rows, [f"ticker: {counted(len(rows), 'row')} of {wanted}; the file holds {len(held)} tickers"]
    rows = [row for group in groups.values() for row in group]
    own = held[0] if held else layout.ticker
    if not own:
        return rows, []
    differs = ticker is not None and not same_ticker(own, ticker)
    return rows, [f"ticker: {own} in the file" + (f", stored as {ticker}" if differs else "")]


def whole_rows(rows: Sequence[Row], width: int) -> tuple[Sequence[Row], list[tuple[int, str]]]:
    """Keep the rows that have a cell for every column; separators after the last column are ignored.

    Returns:
        The rows, and a description of the others with the line to sort it by.
    """
    n_cells = [_n_cells(row, width) for row in rows]
    whole = [row for row, n in zip(rows, n_cells, strict=True) if n == width]
    ragged = [(row.line, n) for row, n in zip(rows, n_cells, strict=True) if n != width]
    if not ragged:
        return whole, []
    line, n = ragged[0]
    more = f" (and {len(ragged) - 1} more)" if len(ragged) > 1 else ""
    return whole, [(line, f"line {line}: has {n} cells, the header has {width}{more}")]


def _n_cells(row: Row, width: int) -> int:
    if len(row.cells) == width:
        return width
    return max(len(row.cells[:width]), *(i + 1 for i, cell in enumerate(row.cells) if cell))


def _is_footer(row: Row, layout: Layout) -> bool:
    """Return whether a row has words alone, in no more than two cells."""
    filled = sum(map(bool, row.cells))
    return filled <= min(2, len(layout.labels) - 1) and not is_data(row)


def _is_event(row: Row, layout: Layout) -> bool:
    """Return whether a row has a date and a word on a dividend or a split, as in the table of Yahoo's page."""
    if all(row.cells[:3]) and len(row.cells) > 2:
        return False
    filled = [cell for cell in row.cells if cell]
    return len(filled) == 2 < len(layout.labels) and bool(_EVENT.search(filled[1]))


def _shown(row: Row) -> str:
    text = " ".join(filter(None, row.cells))
    return text if len(text) <= 60 else text[:57] + "..."
