"""Tables of prices: fetched tickers, the store, the bars of one ticker.

Nothing here reads, fetches or computes prices.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.markup import escape
from rich.table import Table

from lstm_stock.config.interval import DAILY
from lstm_stock.prices.table import PriceHistory
from lstm_stock.prices.update import FetchResult
from lstm_stock.prices.values import interval_of, interval_text
from lstm_stock.report.table import new_table
from lstm_stock.report.text import date_text

_NOTE_WIDTH = 70
_SIGNIFICANT_DIGITS = 6


@dataclass(frozen=True)
class FetchOutcome:
    """The result of fetching one ticker.

    Attributes:
        ticker: As the user typed it.
        result: The stored prices, or None after a failure.
        failure: The error text; empty after a success.
    """

    ticker: str
    result: FetchResult | None
    failure: str = ""


def fetch_table(outcomes: Sequence[FetchOutcome]) -> Table:
    """Return the table of fetched tickers, one row each."""
    table = new_table(
        ["ticker", "rows", "from", "to", "new rows", "notes"], left=("ticker", "from", "to", "notes")
    )
    for outcome in outcomes:
        if outcome.result is None:
            note = escape(_shorten([f"failed: {outcome.failure}"]))
            table.add_row(escape(outcome.ticker), "-", "-", "-", "-", note)
        else:
            bars, n_new = outcome.result.history.table, str(outcome.result.n_new)
            table.add_row(outcome.ticker, *_span(bars), n_new, escape(_shorten(outcome.result.notes)))
    return table


def store_rows(histories: Sequence[PriceHistory | str], now: dt.datetime) -> list[dict[str, Any]]:
    """Return the row of each ticker of the store: `ticker interval rows from to source age notes`.

    Args:
        histories: The stored prices; the ticker alone where its file is damaged.
        now: The present time, with its time zone.
    """
    return [
        {"ticker": history, "notes": "damaged; `fetch --refresh` replaces it"}
        if isinstance(history, str)
        else {
            "ticker": history.ticker,
            "interval": history.interval.name,
            "rows": len(history.table),
            "from": date_text(history.table.index[0]),
            "to": date_text(history.table.index[-1]),
            "source": history.provenance.source,
            "age": age(history, now),
            "notes": "; ".join(notes_of(history)),
        }
        for history in histories
    ]


def store_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the table of the rows of `store_rows`; the interval is shown where some bars are not daily."""
    has_others = any(row.get("interval", DAILY.name) != DAILY.name for row in rows)
    names = ["ticker", *["interval"] * has_others, "rows", "from", "to", "source", "age", "notes"]
    table = new_table(names, left=("ticker", "interval", "from", "to", "source", "notes"))
    for row in rows:
        cells = [str(row.get(name, "-")) for name in names[:-1]]
        table.add_row(*cells, escape(_shorten([row["notes"]] if row["notes"] else [])))
    return table


def bars_table(bars: pd.DataFrame) -> Table:
    """Return the table of bars, one row each."""
    names = [str(name) for name in bars.columns]
    table = new_table(["date", *names], left=("date",))
    for date, values in zip(pd.DatetimeIndex(bars.index), bars.to_numpy(), strict=True):
        cells = (
            f"{value:.0f}" if name == "volume" else f"{value:.{_SIGNIFICANT_DIGITS}g}"
            for name, value in zip(names, values, strict=True)
        )
        table.add_row(date_text(date), *cells)
    return table


def facts(history: PriceHistory, now: dt.datetime) -> list[str]:
    """Return the origin of a ticker's prices and the notes on them, as lines of text."""
    origin = history.provenance
    requested = f"{origin.requested_start or 'the earliest'} to {origin.requested_end or 'the newest'}"
    n_rows, first, last = _span(history.table)
    bars = "" if history.interval.is_daily else f"{history.interval.adjective} bars, "
    about = f"{bars}currency {origin.currency or 'unknown'}, exchange {origin.exchange or 'unknown'}"
    if history.has_values:
        interval = interval_text(interval_of(history.table), history.table)
        about = f"a series of values, {interval}, column `{origin.column}` of the file"
    return [
        f"{history.ticker}: {n_rows} {'values' if history.has_values else 'bars'}, {first} to {last}; requested: "
        f"{requested}",
        f"source {origin.source}, fetched {origin.fetched_at} ({age(history, now)} ago)",
        about,
        f"hash {origin.hash}",
        *(f"note: {note}" for note in notes_of(history)),
    ]


def notes_of(history: PriceHistory) -> list[str]:
    """Return the notes on stored prices."""
    partial = history.provenance.partial
    notes = [] if partial is None else [f"the bar of {partial} was fetched before its session was over"]
    return [*notes, *history.provenance.notes]


def age(history: PriceHistory, now: dt.datetime) -> str:
    """Return how long ago prices were fetched, such as `3 d`."""
    fetched = dt.datetime.fromisoformat(history.provenance.fetched_at)
    seconds = max(0.0, (now - fetched.replace(tzinfo=fetched.tzinfo or dt.UTC)).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _span(bars: pd.DataFrame) -> tuple[str, str, str]:
    return str(len(bars)), date_text(bars.index[0]), date_text(bars.index[-1])


def _shorten(notes: Sequence[str]) -> str:
    """Return the first note, shortened, and the number of the others."""
    if not notes:
        return ""
    first = notes[0].splitlines()[0]
    if len(first) > _NOTE_WIDTH:
        first = first[: _NOTE_WIDTH - 3].rstrip() + "..."
    return first + (f" (+{len(notes) - 1})" if len(notes) > 1 else "")
