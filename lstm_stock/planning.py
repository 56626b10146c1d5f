"""Decide which dates a source is to be asked for, given what the store has and what is wanted.

A narrower request never shrinks the store: what is asked for continues or includes what is there. Nothing here
fetches or stores.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from lstm_stock.audit import odd_sessions
from lstm_stock.calendars import sessions_between
from lstm_stock.prices import PriceHistory, Provenance
from lstm_stock.splicing import OVERLAP


@dataclass(frozen=True)
class Ask:
    """What to ask a source for.

    Attributes:
        start: First date, or None for the earliest there is.
        end: Last date, inclusive, or None for the newest there is.
        whole: Whether this includes every bar that the store has.
    """

    start: dt.date | None
    end: dt.date | None
    whole: bool


def finished(stored: PriceHistory) -> pd.DataFrame:
    """Return the stored bars without one that was fetched before its session was over."""
    table, partial = stored.table, stored.provenance.partial
    return table if partial is None else table[table.index != pd.Timestamp(partial)]


def plan_all(stored: PriceHistory | None, start: dt.date | None, end: dt.date | None) -> Ask:
    """Ask for all dates that are wanted or stored.

    Args:
        stored: What the store has.
        start: First date wanted, or None for the earliest there is.
        end: Last date wanted, inclusive, or None for the newest there is.
    """
    if stored is not None:
        first, last = _ends(stored.table)
        start = None if start is None else min(start, first)
        end = None if end is None else max(end, last)
    return Ask(start, end, whole=True)


def plan_again(stored: PriceHistory, start: dt.date | None, end: dt.date | None) -> Ask:
    """Ask again for the dates that the store has, and for those wanted beyond.

    Args:
        stored: What the store has.
        start: First date wanted, or None for where the store begins.
        end: Last date wanted, inclusive, or None for the newest there is.
    """
    covered = _asked_start(stored.provenance)
    first, last = _ends(stored.table)
    # Where everything from the beginning was asked for once, it is asked for again.
    start = None if covered is None else min([first, covered, *([] if start is None else [start])])
    return Ask(start, None if end is None else max(end, last), whole=True)


def plan_update(
    stored: PriceHistory, start: dt.date | None, end: dt.date | None, now: dt.datetime
) -> Ask | None:
    """Ask for what the store lacks of the dates wanted, and some bars more to compare with.

    Args:
        stored: What the store has.
        start: First date wanted, or None for where the store begins.
        end: Last date wanted, inclusive, or None for the newest there is.
        now: The present time, with its zone.

    Returns:
        None where the store has it all: of a range that is closed, nothing new can come.
    """
    table = finished(stored)
    if len(table) == 0 or _lacks_start(stored, table, start):
        return plan_again(stored, start, end)
    first, last = _ends(table)
    odd = odd_sessions(table, stored.provenance.exchange).dates - set(stored.provenance.asked_again)
    if not odd and not _lacks_end(stored, last, end, now):
        return None
    overlap: dt.date = pd.DatetimeIndex(table.index)[-min(OVERLAP, len(table))].date()
    begin = min([overlap, *(dt.date.fromisoformat(day) for day in odd)])
    if begin <= first:
        return plan_again(stored, start, end)
    return Ask(begin, None if end is None else max(end, last), whole=False)


def _lacks_start(stored: PriceHistory, table: pd.DataFrame, start: dt.date | None) -> bool:
    covered, first = _asked_start(stored.provenance), _ends(table)[0]
    if start is None or covered is None or start >= min(covered, first):
        return False
    until = min(covered, first) - dt.timedelta(days=1)
    return len(sessions_between(stored.provenance.exchange, start, until)) > 0


def _lacks_end(stored: PriceHistory, last: dt.date, end: dt.date | None, now: dt.datetime) -> bool:
    today = now.astimezone(dt.UTC).date()
    if end is None or end >= today:
        return True
    if end <= last:
        return False
    exchange, asked = stored.provenance.exchange, stored.provenance
    if exchange is not None:
        return len(sessions_between(exchange, last + dt.timedelta(days=1), end)) > 0
    # Without a calendar: what was asked for when it was over has been answered.
    fetched = dt.datetime.fromisoformat(asked.fetched_at).astimezone(dt.UTC).date()
    until = fetched if asked.requested_end is None else dt.date.fromisoformat(asked.requested_end)
    return not (end <= until and end < fetched - dt.timedelta(days=1))


def _asked_start(provenance: Provenance) -> dt.date | None:
    start = provenance.requested_start
    return None if start is None else dt.date.fromisoformat(start)


def _ends(table: pd.DataFrame) -> tuple[dt.date, dt.date]:
    dates = pd.DatetimeIndex(table.index)
    return dates[0].date(), dates[-1].date()
