"""Plan which dates to fetch, given the stored and the wanted ones, and join fetched bars to stored bars.

A narrower request never shrinks the store: the dates to fetch continue or include the stored ones. Nothing here
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
"""Number of stored bars that are fetched again for comparison."""

_CLOSE_TOLERANCE = 1e-4
_ADJ_CLOSE_TOLERANCE = 2e-5
_ROUNDING = 2e-6
"""Prices have six decimals: below a dollar, rounding alone moves a ratio by more than the tolerance."""

_VOLUME_TOLERANCE = 0.1
"""Sources correct single volumes by up to 4 %; a split multiplies all before it."""


@dataclass(frozen=True)
class FetchRange:
    """The dates to fetch.

    Attributes:
        start: First date, or None for the earliest that the source has.
        end: Last date, inclusive, or None for the newest that the source has.
        whole: Whether the range includes every stored bar.
    """

    start: dt.date | None
    end: dt.date | None
    whole: bool


def complete_bars(stored: PriceHistory) -> pd.DataFrame:
    """Return the stored bars without one that was fetched before its session was over."""
    table, partial = stored.table, stored.provenance.partial
    return table if partial is None else table[table.index != pd.Timestamp(partial)]


def plan_all(stored: PriceHistory | None, start: dt.date | None, end: dt.date | None) -> FetchRange:
    """Plan to fetch all dates that are wanted or stored.

    Args:
        stored: The stored prices, if any.
        start: First date wanted, or None for the earliest that the source has.
        end: Last date wanted, inclusive, or None for the newest that the source has.
    """
    if stored is not None:
        first, last = _first_and_last(stored.table)
        start = None if start is None else min(start, first)
        end = None if end is None else max(end, last)
    return FetchRange(start, end, whole=True)


def plan_full(stored: PriceHistory, start: dt.date | None, end: dt.date | None) -> FetchRange:
    """Plan to fetch all stored dates again, and the wanted ones beyond.

    Args:
        stored: The stored prices.
        start: First date wanted, or None for where the store begins.
        end: Last date wanted, inclusive, or None for the newest that the source has.
    """
    requested = _requested_start(stored.provenance)
    first, last = _first_and_last(stored.table)
    # A ticker fetched from its earliest date stays so.
    start = None if requested is None else min([first, requested, *([] if start is None else [start])])
    return FetchRange(start, None if end is None else max(end, last), whole=True)


def plan_update(
    stored: PriceHistory, start: dt.date | None, end: dt.date | None, now: dt.datetime
) -> FetchRange | None:
    """Plan to fetch the wanted dates that the store lacks, and `OVERLAP` stored bars to compare with.

    Args:
        stored: The stored prices.
        start: First date wanted, or None for where the store begins.
        end: Last date wanted, inclusive, or None for the newest that the source has.
        now: The present time, with its zone.

    Returns:
        None if the store has every wanted date and no new bar can exist.
    """
    table = complete_bars(stored)
    if len(table) == 0 or _lacks_start(stored, table, start):
        return plan_full(stored, start, end)
    first, last = _first_and_last(table)
    mismatches = session_mismatches(table, stored.provenance.exchange, stored.interval).dates
    to_refetch = mismatches - set(stored.provenance.confirmed_mismatches)
    if not to_refetch and not _lacks_end(stored, last, end, now):
        return None
    overlap: dt.date = pd.DatetimeIndex(table.index)[-min(OVERLAP, len(table))].date()
    begin = min([overlap, *(dt.date.fromisoformat(day) for day in to_refetch)])
    if begin <= first:
        return plan_full(stored, start, end)
    return FetchRange(begin, None if end is None else max(end, last), whole=False)


def find_change(stored: pd.DataFrame, fetched: pd.DataFrame) -> str | None:
    """Find out whether the source has changed stored bars, so that fetched ones cannot be added to them.

    Args:
        stored: A price table without an unfinished bar.
        fetched: A price table that was fetched later, with some dates of `stored`.

    Returns:
        The change, in words for the user; None if prices and volume of the common dates agree, and no fetched bar
        has a split or a dividend that would have changed stored ones.
    """
    common = stored.index.intersection(fetched.index)
    if len(common) == 0:
        return "the fetched dates do not overlap the stored ones"
    old, new = stored.loc[common], fetched.loc[common]
    for column, name, tolerance, cause in (
        ("close", "close", _CLOSE_TOLERANCE, "a split, or a correction"),
        ("adj_close", "adjusted close", _ADJ_CLOSE_TOLERANCE, "a dividend, or a correction"),
    ):
        rows = _changed_rows(old[column], new[column], tolerance)
        if len(rows):
            return _change(name, old[column], new[column], rows[0], cause)
    # The oldest common bar shows whether earlier bars were re-adjusted; later bars may follow the split.
    traded = np.flatnonzero((old["volume"] > 0) & (new["volume"] > 0))
    if (
        len(traded)
        and abs(new["volume"].iloc[traded[0]] / old["volume"].iloc[traded[0]] - 1) > _VOLUME_TOLERANCE
    ):
        return _change("volume", old["volume"], new["volume"], traded[0], "a split, or a correction")
    for column, name in (("splits", "split"), ("dividends", "dividend")):
        before = stored[column].reindex(fetched.index, fill_value=0.0).to_numpy(np.float64)
        other = ~np.isclose(before, fetched[column].to_numpy(np.float64), rtol=1e-6, atol=0)
        if other.any():
            return f"there is another {name} of {fetched.index[other][0]:%F}"
    return None


def missing_from(stored: pd.DataFrame, fetched: pd.DataFrame, whole: bool) -> pd.DatetimeIndex:
    """Return the stored dates that were fetched again without a bar.

    Args:
        stored: A price table.
        fetched: A price table that was fetched later.
        whole: Whether all dates of `stored` were requested; otherwise those from the first fetched one on.
    """
    requested = stored.index if whole else stored.index[stored.index >= fetched.index[0]]
    return pd.DatetimeIndex(requested.difference(fetched.index))


def splice(stored: pd.DataFrame, fetched: pd.DataFrame, kept: pd.DatetimeIndex) -> pd.DataFrame:
    """Join the stored bars before the first fetched one, the fetched bars, and some later stored ones.

    Args:
        stored: A price table.
        fetched: A price table that was fetched later; `find_change` finds no change.
        kept: Dates of `stored` that `fetched` lacks and that stay.
    """
    before = stored[stored.index < fetched.index[0]]
    extra = stored.loc[kept[kept > fetched.index[0]]]
    table: pd.DataFrame = pd.concat([before, fetched, extra]).sort_index()
    return table


def _changed_rows(old: pd.Series[float], new: pd.Series[float], tolerance: float) -> npt.NDArray[np.intp]:
    before, after = old.to_numpy(np.float64), new.to_numpy(np.float64)
    allowed = np.maximum(tolerance, _ROUNDING / np.minimum(before, after))
    return np.flatnonzero(np.abs(after / before - 1) > allowed)


def _change(name: str, old: pd.Series[float], new: pd.Series[float], row: int, cause: str) -> str:
    date = pd.DatetimeIndex(old.index)[row]
    return f"the {name} of {date:%F} was {old.iloc[row]:.6g} and is {new.iloc[row]:.6g} now ({cause})"


def _lacks_start(stored: PriceHistory, table: pd.DataFrame, start: dt.date | None) -> bool:
    requested, first = _requested_start(stored.provenance), _first_and_last(table)[0]
    if start is None or requested is None or start >= min(requested, first):
        return False
    until = min(requested, first) - dt.timedelta(days=1)
    return len(sessions_between(stored.provenance.exchange, start, until)) > 0


def _lacks_end(stored: PriceHistory, last: dt.date, end: dt.date | None, now: dt.datetime) -> bool:
    today = now.astimezone(dt.UTC).date()
    if end is None or end >= today:
        return True
    if end <= last:
        return False
    provenance = stored.provenance
    if provenance.exchange is not None:
        return len(sessions_between(provenance.exchange, last + dt.timedelta(days=1), end)) > 0
    # Without a calendar: a range that was fetched after it had ended is complete.
    fetched = dt.datetime.fromisoformat(provenance.fetched_at).astimezone(dt.UTC).date()
    requested_end = provenance.requested_end
    until = fetched if requested_end is None else dt.date.fromisoformat(requested_end)
    return not (end <= until and end < fetched - dt.timedelta(days=1))


def _requested_start(provenance: PriceProvenance) -> dt.date | None:
    start = provenance.requested_start
    return None if start is None else dt.date.fromisoformat(start)


def _first_and_last(table: pd.DataFrame) -> tuple[dt.date, dt.date]:
    dates = pd.DatetimeIndex(table.index)
    return dates[0].date(), dates[-1].date()
