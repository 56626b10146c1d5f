"""Tables for a terminal about prices: what was fetched, what is in the store, the bars of a ticker.

Everything here turns what others know into text; nothing is read, fetched or computed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from lstm_stock.prices.table import PriceHistory
from lstm_stock.prices.update import FetchResult

_NOTE_WIDTH = 70
_TAIL_DIGITS = 6


@dataclass(frozen=True)
class FetchOutcome:
    """What became of one of several tickers.

    Attributes:
        ticker: As it was named.
        result: What is in the store now, or None where fetching failed.
        failure: Why it failed, or empty.
    """

    ticker: str
    result: FetchResult | None
    failure: str = ""


def fetch_table(outcomes: Sequence[FetchOutcome]) -> Table:
    """Show what became of each ticker."""
    table = _table(["ticker", "rows", "from", "to", "new rows", "notes"], right=(1, 4))
    for one in outcomes:
        if one.result is None:
            table.add_row(
                escape(one.ticker), "-", "-", "-", "-", escape(_shorten([f"failed: {one.failure}"]))
            )
        else:
            bars = one.result.history.table
            table.add_row(one.ticker, *_span(bars), str(one.result.n_new), escape(_shorten(one.result.notes)))
    return table


def store_rows(histories: Sequence[PriceHistory | str], now: dt.datetime) -> list[dict[str, Any]]:
    """Describe each ticker of the store, as numbers and text.

    Args:
        histories: What was read, or the ticker alone where its file cannot be.
        now: The present time with its zone.
    """
    return [
        {"ticker": one, "notes": "damaged; `fetch --refresh` writes it anew"}
        if isinstance(one, str)
        else {
            "ticker": one.ticker,
            "rows": len(one.table),
            "from": f"{one.table.index[0]:%F}",
            "to": f"{one.table.index[-1]:%F}",
            "source": one.provenance.source,
            "age": age(one, now),
            "notes": "; ".join(notes_of(one)),
        }
        for one in histories
    ]


def store_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Show what `store_rows` describes."""
    names = ["ticker", "rows", "from", "to", "source", "age", "notes"]
    table = _table(names, right=(1, 5))
    for row in rows:
        cells = [str(row.get(name, "-")) for name in names[:-1]]
        table.add_row(*cells, escape(_shorten([row["notes"]] if row["notes"] else [])))
    return table


def bars_table(bars: pd.DataFrame) -> Table:
    """Show bars, one a line."""
    names = [str(name) for name in bars.columns]
    table = _table(["date", *names], right=range(1, len(names) + 1))
    for date, values in zip(pd.DatetimeIndex(bars.index), bars.to_numpy(), strict=True):
        cells = (
            f"{value:.0f}" if name == "volume" else f"{value:.{_TAIL_DIGITS}g}"
            for name, value in zip(names, values, strict=True)
        )
        table.add_row(f"{date:%F}", *cells)
    return table


def facts(history: PriceHistory, now: dt.datetime) -> list[str]:
    """Say in lines where a ticker's prices come from, and what there is to know about them."""
    origin = history.provenance
    asked = f"{origin.requested_start or 'the earliest'} to {origin.requested_end or 'the newest'}"
    n_bars, first, last = _span(history.table)
    return [
        f"{history.ticker}: {n_bars} bars, {first} to {last}; asked for: {asked}",
        f"source {origin.source}, fetched {origin.fetched_at} ({age(history, now)} ago)",
        f"currency {origin.currency or 'unknown'}, exchange {origin.exchange or 'unknown'}",
        f"hash {origin.hash}",
        *(f"note: {note}" for note in notes_of(history)),
    ]


def notes_of(history: PriceHistory) -> list[str]:
    """Return what there is to tell of stored prices."""
    partial = history.provenance.partial
    notes = [] if partial is None else [f"the bar of {partial} was fetched before its session was over"]
    return [*notes, *history.provenance.notes]


def age(history: PriceHistory, now: dt.datetime) -> str:
    """Say how long ago prices were fetched, in one number."""
    then = dt.datetime.fromisoformat(history.provenance.fetched_at)
    seconds = max(0.0, (now - then.replace(tzinfo=then.tzinfo or dt.UTC)).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _span(bars: pd.DataFrame) -> tuple[str, str, str]:
    return str(len(bars)), f"{bars.index[0]:%F}", f"{bars.index[-1]:%F}"


def _shorten(notes: Sequence[str]) -> str:
    """Put the first note into a cell, and count the others."""
    if not notes:
        return ""
    first = notes[0].splitlines()[0]
    if len(first) > _NOTE_WIDTH:
        first = first[: _NOTE_WIDTH - 3].rstrip() + "..."
    return first + (f" (+{len(notes) - 1})" if len(notes) > 1 else "")


def _table(header: Sequence[str], right: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i in right else "left", no_wrap=True)
    return table
