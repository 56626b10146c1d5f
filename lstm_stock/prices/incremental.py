"""Decide which dates a source is to be asked for, given what the store has and what is wanted.

A narrower request never shrinks the store: what is asked for continues or includes what is there. Nothing here
fetches or stores.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.prices.calendars import sessions_between
from lstm_stock.prices.quality import session_mismatches
from lstm_stock.prices.table import PriceHistory, PriceProvenance

OVERLAP: Final = 30
"""How many stored bars are fetched again to be compared."""

_CLOSE_TOLERANCE = 1e-4
_ADJ_CLOSE_TOLERANCE = 2e-5
_ROUNDING = 2e-6
"""Prices come with six decimals: below a dollar these alone move a ratio by more than the tolerance."""

Array = npt.NDArray[np.float64]


def find_change(stored: pd.DataFrame, fetched: pd.DataFrame) -> str | None:
    """Say why stored bars cannot be continued with fetched ones, in words for the user.

    Args:
        stored: A price table without a bar that was unfinished.
        fetched: A price table that was fetched later, with some dates of `stored`.

    Returns:
        None if prices of the dates that both have are the same, and no fetched bar brings a split or a dividend
        that would have changed stored ones.
    """
    common = stored.index.intersection(fetched.index)
    if len(common) == 0:
        return "no fetched bar is of a date that the store has"
    old, new = stored.loc[common], fetched.loc[common]
    moved = _differs(old["close"], new["close"], _CLOSE_TOLERANCE)
    if moved.any():
        return _told("the close", common, moved, old["close"], new["close"], "a split, or a correction")
    moved = _differs(old["adj_close"], new["adj_close"], _ADJ_CLOSE_TOLERANCE)
    if moved.any():
        return _told(
            "the adjusted close",
            common,
            moved,
            old["adj_close"],
            new["adj_close"],
            "a dividend, or a correction",
        )
    for name, word in (("splits", "split"), ("dividends", "dividend")):
        before = stored[name].reindex(fetched.index, fill_value=0.0).to_numpy(np.float64)
        other = ~np.isclose(before, fetched[name].to_numpy(np.float64), rtol=1e-6, atol=0)
        if other.any():
            return f"there is another {word} of {fetched.index[other][0]:%F}"
    return None


def missing_from(stored: pd.DataFrame, fetched: pd.DataFrame, whole: bool) -> pd.DatetimeIndex:
    """Return the stored dates that should have been fetched again, and were not.

    Args:
        stored: A price table.
        fetched: A price table that was fetched later.
        whole: Whether all dates of `stored` were asked for; otherwise those from the first one fetched on.
    """
    asked = stored.index if whole else stored.index[stored.index >= fetched.index[0]]
    return pd.DatetimeIndex(asked.difference(fetched.index))


def splice(stored: pd.DataFrame, fetched: pd.DataFrame, kept: pd.DatetimeIndex) -> pd.DataFrame:
    """Join the stored bars before the first fetched one, the fetched ones, and some more stored ones.

    Args:
        stored: A price table.
        fetched: A price table that was fetched later, for which `find_change` found nothing.
        kept: Dates of `stored` that `fetched` lacks and that stay.
    """
    before = stored[stored.index < fetched.index[0]]
    extra = stored.loc[kept[kept > fetched.index[0]]]
    table: pd.DataFrame = pd.concat([before, fetched, extra]).sort_index()
    return table


def _differs(old: pd.Series[float], new: pd.Series[float], tolerance: float) -> npt.NDArray[np.bool_]:
    before, after = old.to_numpy(np.float64), new.to_numpy(np.float64)
    allowed = np.maximum(tolerance, _ROUNDING / np.minimum(before, after))
    return np.asarray(np.abs(after / before - 1) > allowed)


def _told(
    what: str,
    dates: pd.Index,
    moved: npt.NDArray[np.bool_],
    old: pd.Series[float],
    new: pd.Series[float],
    cause: str,
) -> str:
    row = int(np.flatnonzero(moved)[0])
    date = pd.DatetimeIndex(dates)[row]
    return f"{what} of {date:%F} was {old.iloc[row]:.6g} and is {new.iloc[row]:.6g} now ({cause})"


@dataclass(frozen=True)
class FetchRange:
    """What to ask a source for.

    Attributes:
        start: First date, or None for the earliest there is.
        end: Last date, inclusive, or None for the newest there is.
        whole: Whether this includes every bar that the store has.
    """

    start: dt.date | None
    end: dt.date | None
    whole: bool


def complete_bars(stored: PriceHistory) -> pd.DataFrame:
    """Return the stored bars without one that was fetched before its session was over."""
    table, partial = stored.table, stored.provenance.partial
    return table if partial is None else table[table.index != pd.Timestamp(partial)]


def plan_all(stored: PriceHistory | None, start: dt.date | None, end: dt.date | None) -> FetchRange:
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
    return FetchRange(start, end, whole=True)


def plan_full(stored: PriceHistory, start: dt.date | None, end: dt.date | None) -> FetchRange:
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
    return FetchRange(start, None if end is None else max(end, last), whole=True)


def plan_update(
    stored: PriceHistory, start: dt.date | None, end: dt.date | None, now: dt.datetime
) -> FetchRange | None:
    """Ask for what the store lacks of the dates wanted, and some bars more to compare with.

    Args:
        stored: What the store has.
        start: First date wanted, or None for where the store begins.
        end: Last date wanted, inclusive, or None for the newest there is.
        now: The present time, with its zone.

    Returns:
        None where the store has it all: of a range that is closed, nothing new can come.
    """
    table = complete_bars(stored)
    if len(table) == 0 or _lacks_start(stored, table, start):
        return plan_full(stored, start, end)
    first, last = _ends(table)
    mismatches = session_mismatches(table, stored.provenance.exchange).dates
    to_refetch = mismatches - set(stored.provenance.confirmed_mismatches)
    if not to_refetch and not _lacks_end(stored, last, end, now):
        return None
    overlap: dt.date = pd.DatetimeIndex(table.index)[-min(OVERLAP, len(table))].date()
    begin = min([overlap, *(dt.date.fromisoformat(day) for day in to_refetch)])
    if begin <= first:
        return plan_full(stored, start, end)
    return FetchRange(begin, None if end is None else max(end, last), whole=False)


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


def _asked_start(provenance: PriceProvenance) -> dt.date | None:
    start = provenance.requested_start
    return None if start is None else dt.date.fromisoformat(start)


def _ends(table: pd.DataFrame) -> tuple[dt.date, dt.date]:
    dates = pd.DatetimeIndex(table.index)
    return dates[0].date(), dates[-1].date()
