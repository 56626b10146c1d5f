"""Fetch one ticker into the store.

New bars are added to the stored ones if the source is incremental and its past has not changed; otherwise
everything is fetched again. The ticker is locked from reading the store to writing it, so that two processes
neither lose nor mix bars. Prices of two sources are never mixed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches

import pandas as pd

from lstm_stock.config.interval import DAILY, INTERVALS
from lstm_stock.errors import DataError, SourceError, UnknownTickerError
from lstm_stock.prices.calendars import check_exchange, last_session_over, sessions_between
from lstm_stock.prices.fetch import fetch_prices, read_source, within
from lstm_stock.prices.incremental import (
    FetchRange,
    complete_bars,
    find_change,
    missing_from,
    plan_all,
    plan_full,
    plan_update,
    splice,
)
from lstm_stock.prices.quality import quality_warnings, session_mismatches, session_notes
from lstm_stock.prices.sources import SOURCES, Fetched, FetchOptions, fetch_command
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, counted, table_hash
from lstm_stock.prices.values import has_values

_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class FetchResult:
    """What the store has now.

    Attributes:
        history: As stored.
        n_new: Number of bars that the store did not have before.
        notes: Lines for the user: on this fetch, then on the prices.
        was_requested: Whether anything was requested from the source.
    """

    history: PriceHistory
    n_new: int
    notes: tuple[str, ...]
    was_requested: bool = True


def fetch_into(
    store: Store,
    ticker: str,
    options: FetchOptions,
) -> FetchResult:
    """Fetch one ticker and write it to the store.

    Args:
        store: Left unchanged if anything fails.
        ticker: In upper case.
        options: What to fetch.

    Raises:
        DataError: The prices are unusable, the store's file is damaged, or it has bars that this fetch would lose.
        SourceError: The source failed.
    """
    if options.start and options.end and options.start > options.end:
        raise DataError(f"start {options.start} is after end {options.end}", "swap them, or leave one out")
    source = SOURCES.get(options.source)
    if source is None or source.is_incremental:
        options = replace(options, interval=options.interval or DAILY.name)

        def fetch(dates: FetchOptions) -> Fetched:
            return fetch_prices(ticker, dates)
    else:
        whole = read_source(ticker, options)  # its dates show the interval, and so the file to lock
        named, options = options.exchange, replace(options, interval=whole.interval)

        def fetch(dates: FetchOptions) -> Fetched:
            # The exchange of stored bars may be known where the user names none.
            return within(whole if dates.exchange == named else read_source(ticker, dates), ticker, dates)

    store = store.at(options.interval)
    with store.locked(ticker, _LOCK_SECONDS + options.max_wait):
        stored, replaced = _stored(store, ticker, options)
        dates = _plan(stored, options)
        if dates is None and stored is not None:
            return FetchResult(stored, 0, ("up to date: nothing was requested",), was_requested=False)
        options = replace(options, exchange=_exchange(stored, options))
        try:
            result = _update(ticker, stored, dates or FetchRange(None, None, whole=True), options, fetch)
        except UnknownTickerError as error:
            raise _with_neighbours(error, ticker, store) from error
        store.write(result.history)
    return replace(result, notes=(*replaced, *result.notes))


def _stored(store: Store, ticker: str, options: FetchOptions) -> tuple[PriceHistory | None, list[str]]:
    """Return the stored prices that this fetch continues, and a note where it replaces those of another source."""
    if not store.has(ticker):
        return None, []
    try:
        stored = store.read(ticker)
    except DataError:
        if options.refresh:
            return None, []
        raise
    old, new = stored.provenance.source, options.source
    if old == new:
        return stored, []
    if options.refresh and options.names_source:
        last = pd.DatetimeIndex(stored.table.index)[-1].date()
        return None, [f"replaced: {counted(len(stored.table), 'bar')} from the source {old}, to {last}"]
    named = "--from-csv FILE" if new == "csv" else f"--source {new}"
    raise DataError(
        f"the store has {ticker} from the source {old}, not {new}, which may know another series by that name",
        f"{fetch_command(ticker, old)} reads newer bars of it; `{named} --refresh` replaces it by that of the "
        f"source {new}; `--data-dir` or LSTM_STOCK_DATA chooses another store",
    )


def _exchange(stored: PriceHistory | None, options: FetchOptions) -> str | None:
    """Return the exchange that the user named, now or for the stored bars."""
    if options.exchange is not None or stored is None or options.refresh:
        return options.exchange
    return stored.provenance.exchange


def _plan(stored: PriceHistory | None, options: FetchOptions) -> FetchRange | None:
    source = SOURCES.get(options.source)
    if stored is None or source is None or not source.is_incremental:
        return plan_all(stored, options.start, options.end)
    exchange_changed = (
        options.exchange is not None and check_exchange(options.exchange) != stored.provenance.exchange
    )
    if options.refresh or exchange_changed:
        return plan_full(stored, options.start, options.end)
    return plan_update(stored, options.start, options.end, options.now)


def _update(
    ticker: str,
    stored: PriceHistory | None,
    dates: FetchRange,
    options: FetchOptions,
    fetch: Callable[[FetchOptions], Fetched],
) -> FetchResult:
    """Fetch the planned dates, or everything where the fetched bars do not continue the stored ones."""
    fetched = fetch(replace(options, start=dates.start, end=dates.end))
    if stored is None:
        return _result(ticker, None, dates, fetched, options)
    if stored.has_values != has_values(fetched.table) and not options.refresh:
        kinds = ("a series of values", "prices") if stored.has_values else ("prices", "a series of values")
        raise DataError(
            f"the store has {ticker} as {kinds[0]}, and the file has {kinds[1]}",
            "give one of them another name; `--refresh` replaces what is stored",
        )
    old = complete_bars(stored)
    if has_values(fetched.table):
        if not options.refresh:
            _bars_to_keep(stored, dates, fetched, None)  # raises an error for dates that would be lost
        return _result(ticker, stored, dates, fetched, options)
    change = find_change(old, fetched.table)
    notes = []
    if change is not None and not dates.whole:
        notes.append(f"all bars were fetched again, because past bars changed: {change}")
        dates = plan_full(stored, options.start, options.end)
        fetched = fetch(replace(options, start=dates.start, end=dates.end))
        change = find_change(old, fetched.table)
    if not options.refresh:
        kept, more = _bars_to_keep(stored, dates, fetched, change)
        notes += more
        if len(kept) or not dates.whole:
            fetched = replace(fetched, table=splice(old, fetched.table, kept))
    return _result(ticker, stored, dates, replace(fetched, notes=(*notes, *fetched.notes)), options)


def _bars_to_keep(
    stored: PriceHistory, dates: FetchRange, fetched: Fetched, change: str | None
) -> tuple[pd.DatetimeIndex, list[str]]:
    """Decide which stored bars stay that the source no longer has, with notes for the user.

    Raises:
        DataError: A file lacks bars that the store has.
        SourceError: The source has changed the past, and the stored bars would not fit to it.
    """
    old, source = complete_bars(stored), stored.provenance.source
    lost = missing_from(old, fetched.table, dates.whole)
    if len(lost) == 0:
        return lost, []
    if not SOURCES[source].is_incremental:
        raise DataError(
            f"the store has {counted(len(lost), 'value' if stored.has_values else 'bar')} of {stored.ticker} that "
            f"this fetch lacks, the first of {lost[0]:%F}",
            "`--refresh` replaces the store's bars with the fetched ones",
        )
    # A bar on a day without a session was an error of the source: its absence is a correction.
    surplus = session_mismatches(old, fetched.exchange, INTERVALS[fetched.interval]).surplus
    gone = pd.DatetimeIndex(lost.intersection(surplus))
    lost = pd.DatetimeIndex(lost.difference(surplus))
    notes, n_lost = [], counted(len(lost), "bar")
    if len(gone):
        notes.append(
            f"removed {counted(len(gone), 'bar')} without a session, which {source} no longer has: {gone[0]:%F}"
        )
    if len(lost) and change is not None:
        raise SourceError(
            f"{source} has changed the past of {stored.ticker} ({change}), but no longer has {n_lost} that "
            f"the store has, the first of {lost[0]:%F}",
            "try again later, or take it as it is with `--refresh`; what is stored stays until then",
        )
    if len(lost):
        notes.append(f"kept {n_lost} that {source} no longer has, the first of {lost[0]:%F}")
    return lost, notes


def _result(
    ticker: str, stored: PriceHistory | None, dates: FetchRange, fetched: Fetched, options: FetchOptions
) -> FetchResult:
    """Check the new table, and describe its origin."""
    table, source = fetched.table, options.source
    mismatches = session_mismatches(table, fetched.exchange, INTERVALS[fetched.interval])
    confirmed = _confirmed(stored, dates, mismatches.dates)
    about = (
        *session_notes(mismatches, fetched.exchange, source, confirmed),
        *quality_warnings(table, fetched.exchange, INTERVALS[fetched.interval]),
    )
    late = _late(fetched, dates.end, options.now) if SOURCES[source].is_incremental else []
    start = None if dates.start is None else dates.start.isoformat()
    old_dates = table.index[:0]
    if stored is not None:
        start = start if dates.whole else stored.provenance.requested_start
        old_dates = complete_bars(stored).index
    provenance = PriceProvenance(
        source=source,
        fetched_at=options.now.astimezone(dt.UTC).isoformat(timespec="seconds"),
        requested_start=start,
        requested_end=None if dates.end is None else dates.end.isoformat(),
        currency=fetched.currency,
        exchange=fetched.exchange,
        hash=table_hash(table),
        partial=None if fetched.partial is None else fetched.partial.isoformat(),
        confirmed_mismatches=tuple(sorted(confirmed)),
        notes=about,
        column=fetched.column,
        interval=fetched.interval,
    )
    n_new = len(table.index.difference(old_dates))
    return FetchResult(PriceHistory(ticker, table, provenance), n_new, (*fetched.notes, *late, *about))


def _confirmed(stored: PriceHistory | None, dates: FetchRange, mismatches: frozenset[str]) -> frozenset[str]:
    """Return the mismatches that two fetches found: a third would be a waste."""
    if stored is None:
        return frozenset()
    before = session_mismatches(complete_bars(stored), stored.provenance.exchange, stored.interval).dates
    start = "" if dates.start is None else dates.start.isoformat()
    refetched = {date for date in before if date >= start}
    return mismatches & (refetched | set(stored.provenance.confirmed_mismatches))


def _late(fetched: Fetched, end: dt.date | None, now: dt.datetime) -> list[str]:
    """Note sessions that have ended since the newest bar and have no bar."""
    if fetched.exchange is None or fetched.interval != DAILY.name:
        return []
    over = last_session_over(fetched.exchange, now)
    newest = pd.DatetimeIndex(fetched.table.index)[-1].date()
    until = over if end is None else min(end, over)
    sessions = sessions_between(fetched.exchange, newest + dt.timedelta(days=1), until)
    if len(sessions) == 0:
        return []
    how_many = counted(len(sessions), "session")
    return [f"the newest bar is {newest}, but {how_many} of {fetched.exchange} have ended since"]


def _with_neighbours(error: UnknownTickerError, ticker: str, store: Store) -> UnknownTickerError:
    near = get_close_matches(ticker, [name for name in store.tickers() if name != ticker], n=3, cutoff=0.5)
    if not near:
        return error
    return UnknownTickerError(f"{error.message}; the store has {' and '.join(near)}", error.hint)
