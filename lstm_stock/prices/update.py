"""Fill the store from a source: what `fetch` does for one ticker.

What the store has is continued where the source can bring a part, and where the past is still the same; otherwise
all of it is fetched again. The ticker is locked from the first look at the store to the last byte written, so that
two processes neither lose nor mix bars. Prices of two sources are never mixed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from lstm_stock.errors import DataError, SourceError, UnknownTickerError
from lstm_stock.prices.calendars import check_exchange, last_session_over, sessions_between
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
from lstm_stock.prices.retry import Retry, ignore_retry
from lstm_stock.prices.sources import SOURCES, Fetched, FetchRequest, fetch_prices
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, Provenance, table_hash

_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class FetchOptions:
    """What the user asked for.

    Attributes:
        source: A key of `lstm_stock.prices.sources.SOURCES`.
        start: First date wanted, or None for where the store begins, or else the earliest there is.
        end: Last date wanted, inclusive, or None for the newest there is.
        csv_path: The file, for the source `csv`.
        day_first: How the file writes dates, where that is ambiguous.
        exchange: ISO code of the exchange, where the source does not know it.
        refresh: Whether to fetch everything again, and believe it.
        include_partial: Whether a bar whose session is not over is wanted too.
        timeout: Seconds that one HTTP request may take.
        max_wait: Seconds that may be spent on trying again; 0 for one try alone.
    """

    source: str
    start: dt.date | None = None
    end: dt.date | None = None
    csv_path: Path | None = None
    day_first: bool | None = None
    exchange: str | None = None
    refresh: bool = False
    include_partial: bool = False
    timeout: float = 30.0
    max_wait: float = 0.0


@dataclass(frozen=True)
class FetchResult:
    """What is in the store now, and what was noticed on the way.

    Attributes:
        history: As stored.
        n_new: How many of its bars the store did not have before.
        notes: Lines for the user: on this fetch, then on the prices.
        asked: Whether the source was asked at all.
    """

    history: PriceHistory
    n_new: int
    notes: tuple[str, ...]
    asked: bool = True


def fetch_into(
    store: Store,
    ticker: str,
    options: FetchOptions,
    on_retry: Callable[[Retry], None] = ignore_retry,
    now: dt.datetime | None = None,
) -> FetchResult:
    """Fetch one ticker and write it to the store.

    Args:
        store: Left as it was if anything fails.
        ticker: In upper case.
        options: What is wanted.
        on_retry: Called before each wait for another try.
        now: The present time with its zone, for tests.

    Raises:
        DataError: The prices are unusable, the store's file is damaged or has bars that this fetch would lose.
        SourceError: The source did not deliver.
    """
    if options.start and options.end and options.start > options.end:
        raise DataError(f"start {options.start} is after end {options.end}", "swap them, or leave one out")
    now = dt.datetime.now(dt.UTC) if now is None else now
    with store.locked(ticker, _LOCK_SECONDS + options.max_wait):
        stored = _stored(store, ticker, options)
        ask = _plan(stored, options, now)
        if ask is None and stored is not None:
            return FetchResult(stored, 0, ("up to date: nothing was asked for",), asked=False)
        request = FetchRequest(
            ticker=ticker,
            csv_path=options.csv_path,
            day_first=options.day_first,
            exchange=_exchange(stored, options),
            include_partial=options.include_partial,
            timeout=options.timeout,
            max_wait=options.max_wait,
            on_retry=on_retry,
            now=now,
        )
        try:
            result = _update(stored, ask or FetchRange(None, None, whole=True), request, options)
        except UnknownTickerError as error:
            raise _with_neighbours(error, ticker, store) from error
        store.write(result.history)
    return result


def _stored(store: Store, ticker: str, options: FetchOptions) -> PriceHistory | None:
    """Return what of the store's this fetch continues."""
    if ticker not in store.tickers():
        return None
    try:
        stored = store.read(ticker)
    except DataError:
        if options.refresh:
            return None  # A damaged file is healed by fetching anew.
        raise
    if stored.provenance.source == options.source:
        return stored
    if options.refresh:
        return None
    raise DataError(
        f"the store has {ticker} from the source {stored.provenance.source}, not {options.source}",
        "`--refresh` replaces it; `--data-dir` or LSTM_STOCK_DATA chooses another store",
    )


def _exchange(stored: PriceHistory | None, options: FetchOptions) -> str | None:
    """Return the exchange that the user named, now or for the bars that are continued."""
    if options.exchange is not None or stored is None or options.refresh:
        return options.exchange
    return stored.provenance.exchange


def _plan(stored: PriceHistory | None, options: FetchOptions, now: dt.datetime) -> FetchRange | None:
    source = SOURCES.get(options.source)
    if stored is None or source is None or not source.has_parts:
        return plan_all(stored, options.start, options.end)
    other = options.exchange is not None and check_exchange(options.exchange) != stored.provenance.exchange
    if options.refresh or other:
        return plan_full(stored, options.start, options.end)
    return plan_update(stored, options.start, options.end, now)


def _update(
    stored: PriceHistory | None, ask: FetchRange, request: FetchRequest, options: FetchOptions
) -> FetchResult:
    """Fetch what was planned, and all of it where that does not continue what is stored."""
    source = options.source
    fetched = fetch_prices(source, replace(request, start=ask.start, end=ask.end))
    if stored is None:
        return _result(None, ask, fetched, source, request)
    old = complete_bars(stored)
    change = find_change(old, fetched.table)
    notes = []
    if change is not None and not ask.whole:
        notes.append(f"all was fetched again, since the past has changed: {change}")
        ask = plan_full(stored, options.start, options.end)
        fetched = fetch_prices(source, replace(request, start=ask.start, end=ask.end))
        change = find_change(old, fetched.table)
    if not options.refresh:
        kept, more = _keep(stored, ask, fetched, change)
        notes += more
        if len(kept) or not ask.whole:
            fetched = replace(fetched, table=splice(old, fetched.table, kept))
    return _result(stored, ask, replace(fetched, notes=(*notes, *fetched.notes)), source, request)


def _keep(
    stored: PriceHistory, ask: FetchRange, fetched: Fetched, change: str | None
) -> tuple[pd.DatetimeIndex, list[str]]:
    """Decide about stored bars that should have come again and did not: which stay, and what to say.

    Raises:
        DataError: A file lacks bars that the store has.
        SourceError: The bars could stay only beside prices that have changed.
    """
    old, source = complete_bars(stored), stored.provenance.source
    lost = missing_from(old, fetched.table, ask.whole)
    if len(lost) == 0:
        return lost, []
    if not SOURCES[source].has_parts:
        raise DataError(
            f"the store has {len(lost)} bars of {stored.ticker} that this fetch lacks, the first of {lost[0]:%F}",
            "`--refresh` replaces the store's bars with the fetched ones",
        )
    # A day that has no session should never have had a bar: its absence is a correction.
    surplus = session_mismatches(old, fetched.exchange).surplus
    gone = pd.DatetimeIndex(lost.intersection(surplus))
    lost = pd.DatetimeIndex(lost.difference(surplus))
    notes = []
    if len(gone):
        notes.append(f"removed {_bars(gone)} without a session, which {source} no longer has: {gone[0]:%F}")
    if len(lost) and change is not None:
        raise SourceError(
            f"{source} has changed the past of {stored.ticker} ({change}), but no longer has {_bars(lost)} that "
            f"the store has, the first of {lost[0]:%F}",
            "try again later, or take it as it is with `--refresh`; what is stored stays until then",
        )
    if len(lost):
        notes.append(f"kept {_bars(lost)} that {source} no longer has, the first of {lost[0]:%F}")
    return lost, notes


def _result(
    stored: PriceHistory | None, ask: FetchRange, fetched: Fetched, source: str, request: FetchRequest
) -> FetchResult:
    """Look the new table over, and say where it comes from."""
    table = fetched.table
    odd = session_mismatches(table, fetched.exchange)
    asked_again = _asked_again(stored, ask, odd.dates)
    about = (*session_notes(odd, fetched.exchange, asked_again), *quality_warnings(table))
    late = _late(fetched, ask.end, request.now) if SOURCES[source].has_parts else []
    start = None if ask.start is None else ask.start.isoformat()
    known = table.index[:0]
    if stored is not None:
        start = start if ask.whole else stored.provenance.requested_start
        known = complete_bars(stored).index
    provenance = Provenance(
        source=source,
        fetched_at=request.now.astimezone(dt.UTC).isoformat(timespec="seconds"),
        requested_start=start,
        requested_end=None if ask.end is None else ask.end.isoformat(),
        currency=fetched.currency,
        exchange=fetched.exchange,
        hash=table_hash(table),
        partial=None if fetched.partial is None else fetched.partial.isoformat(),
        asked_again=tuple(sorted(asked_again)),
        notes=about,
    )
    n_new = len(table.index.difference(known))
    return FetchResult(
        PriceHistory(request.ticker, table, provenance), n_new, (*fetched.notes, *late, *about)
    )


def _asked_again(stored: PriceHistory | None, ask: FetchRange, odd: frozenset[str]) -> frozenset[str]:
    """Return the odd dates that have been asked for twice, in vain; more would be a waste."""
    if stored is None:
        return frozenset()
    before = session_mismatches(complete_bars(stored), stored.provenance.exchange).dates
    begin = "" if ask.start is None else ask.start.isoformat()
    twice = {date for date in before if date >= begin}
    return odd & (twice | set(stored.provenance.asked_again))


def _late(fetched: Fetched, end: dt.date | None, now: dt.datetime) -> list[str]:
    """Tell of sessions that are over and have no bar after the newest one."""
    if fetched.exchange is None:
        return []
    over = last_session_over(fetched.exchange, now)
    newest = pd.DatetimeIndex(fetched.table.index)[-1].date()
    until = over if end is None else min(end, over)
    sessions = sessions_between(fetched.exchange, newest + dt.timedelta(days=1), until)
    if len(sessions) == 0:
        return []
    how_many = "1 session" if len(sessions) == 1 else f"{len(sessions)} sessions"
    return [f"the newest bar is of {newest}, though {how_many} of {fetched.exchange} have ended since"]


def _with_neighbours(error: UnknownTickerError, ticker: str, store: Store) -> UnknownTickerError:
    near = get_close_matches(ticker, [name for name in store.tickers() if name != ticker], n=3, cutoff=0.5)
    if not near:
        return error
    return UnknownTickerError(f"{error.message}; the store has {' and '.join(near)}", error.hint)


def _bars(dates: pd.DatetimeIndex) -> str:
    return "1 bar" if len(dates) == 1 else f"{len(dates)} bars"
