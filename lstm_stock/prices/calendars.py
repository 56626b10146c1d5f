"""Sessions of exchanges: on which days an exchange trades, from when and until when.

An exchange is an ISO code (`XNYS`) or `24/7`. An unknown exchange (None) trades Monday to Friday. Dates outside a
calendar's holidays are treated likewise. Nothing here reads prices.
"""

from __future__ import annotations

import datetime as dt
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd

from lstm_stock.errors import DataError
from lstm_stock.prices.built_calendars import calendar_of, read_calendar
from lstm_stock.prices.table import Days

EVERY_DAY: Final = "24/7"
"""The code of a market that is always open."""

SETTLING: Final = dt.timedelta(minutes=30)
"""Time after a session's end during which a source may still change its bar."""

_MIN_WEEKEND_SHARE = 0.08
_LONG_CLOSURE_DAYS = 20


@lru_cache(maxsize=64)
def check_exchange(code: str) -> str:
    """Return the code that the calendars use: `NYSE` and `xnas` become `XNYS`.

    Raises:
        DataError: There is no calendar of that name.
    """
    wanted = code.strip()
    if wanted == EVERY_DAY or read_calendar(wanted) is not None:
        return wanted
    # Imported here, since it takes a second and a code with a kept calendar does not need it.
    from exchange_calendars import get_calendar_names, resolve_alias
    from exchange_calendars.errors import InvalidCalendarName

    for text in (wanted, wanted.upper()):
        try:
            return str(resolve_alias(text))
        except InvalidCalendarName:
            continue
    near = get_close_matches(wanted.upper(), get_calendar_names(), n=3)
    raise DataError(
        f"no calendar of an exchange `{code}`" + (f"; did you mean {' or '.join(near)}?" if near else ""),
        "use its ISO code, such as XNYS, XLON, XETR or XTKS, or 24/7 for a market that never closes",
    )


def guess_exchange(dates: pd.DatetimeIndex) -> str | None:
    """Return `24/7` if Saturdays and Sundays have bars, else None.

    Bars on weekdays do not identify the exchange.
    """
    weekdays = np.bincount(dates.day_of_week, minlength=7)
    return EVERY_DAY if min(weekdays[5], weekdays[6]) > _MIN_WEEKEND_SHARE * weekdays.sum() else None


def next_sessions(exchange: str | None, after: dt.date | pd.Timestamp, n: int) -> pd.DatetimeIndex:
    """Return the `n` sessions that follow a date, at any distance from today.

    `knows_holidays` says whether they follow a calendar.

    Args:
        exchange: A code, or None for Monday to Friday.
        after: A date; a session on it does not count.
        n: Number of sessions, at least 0.

    Returns:
        `datetime64[s]` without a zone, increasing, shape `(n,)`.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    start = pd.Timestamp(after).normalize() + pd.Timedelta(days=1)
    end = start + pd.Timedelta(days=2 * n + _LONG_CLOSURE_DAYS)
    sessions = sessions_between(exchange, start, end)
    while len(sessions) < n:
        end += pd.Timedelta(days=n + _LONG_CLOSURE_DAYS)
        sessions = sessions_between(exchange, start, end)
    return sessions[:n]


def sessions_between(
    exchange: str | None, start: dt.date | pd.Timestamp, end: dt.date | pd.Timestamp
) -> pd.DatetimeIndex:
    """Return the sessions from `start` to `end`, both inclusive.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    first, last = pd.Timestamp(start).normalize(), pd.Timestamp(end).normalize()
    calendar = None if exchange is None or exchange == EVERY_DAY else calendar_of(check_exchange(exchange))
    if calendar is None:
        return pd.DatetimeIndex(_days(first, last) if exchange == EVERY_DAY else _weekdays(first, last))
    sessions, day = calendar.between(first, last), pd.Timedelta(days=1)
    if first < calendar.first or last > calendar.last:
        before = _weekdays(first, min(last, calendar.first - day))
        after = _weekdays(max(first, calendar.last + day), last)
        sessions = np.concatenate([before, sessions, after])
    return pd.DatetimeIndex(sessions)


def recorded_sessions(
    exchange: str | None, days: pd.DatetimeIndex
) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Return the sessions between the first and the last of some days, where the calendar has holidays.

    Args:
        exchange: A code, or None if unknown, which has no recorded sessions.
        days: Increasing dates.

    Returns:
        The sessions on dates that the exchange's calendar covers, and those of `days` that it covers.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    if exchange == EVERY_DAY and len(days):
        return sessions_between(exchange, days[0], days[-1]), days
    calendar = None if exchange is None else calendar_of(check_exchange(exchange))
    if calendar is None or len(days) == 0:
        return days[:0], days[:0]
    covered = days[(days >= calendar.first) & (days <= calendar.last)]
    return pd.DatetimeIndex(calendar.between(days[0], days[-1])), covered


def session_end(exchange: str | None, day: dt.date) -> dt.datetime | None:
    """Return when the session of a date ends, early closes included.

    Args:
        exchange: A code, or None if unknown.
        day: The session's date, at the exchange.

    Returns:
        A time with its zone; None if the exchange is unknown, has no session on that date, or its calendar does
        not cover it.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    calendar = None if exchange is None else calendar_of(check_exchange(exchange))
    return None if calendar is None else calendar.time_of(day, calendar.ends)


def session_start(exchange: str | None, day: dt.date) -> dt.datetime | None:
    """Return when the session of a date starts, late starts included; arguments and results as of `session_end`.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    calendar = None if exchange is None else calendar_of(check_exchange(exchange))
    return None if calendar is None else calendar.time_of(day, calendar.starts)


def zone_of(exchange: str) -> str:
    """Return the IANA time zone of an exchange's clock; UTC if its calendar cannot be built, or it never closes.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    calendar = None if exchange == EVERY_DAY else calendar_of(check_exchange(exchange))
    return "UTC" if calendar is None else calendar.zone


def session_ends(exchange: str, first_year: int, last_year: int) -> pd.Series:
    """Return when each session of some years ends, early closes included.

    Returns:
        Times in UTC, indexed by the session's date; empty if the calendar covers none of these years.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    calendar = calendar_of(check_exchange(exchange))
    if calendar is None:
        return pd.Series([], pd.DatetimeIndex([]), dtype="datetime64[s]")
    first, after = (
        np.searchsorted(calendar.sessions, np.datetime64(f"{year}")) for year in (first_year, last_year + 1)
    )
    return pd.Series(calendar.ends[first:after], pd.DatetimeIndex(calendar.sessions[first:after]))


def last_session_over(exchange: str, now: dt.datetime) -> dt.date:
    """Return the newest session whose bar no longer changes.

    Args:
        exchange: A code.
        now: The present time, with its zone.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    # The UTC date of tomorrow: in the east, that session may already be over.
    newest = now.astimezone(dt.UTC).date() + dt.timedelta(days=1)
    sessions = sessions_between(exchange, newest - dt.timedelta(days=_LONG_CLOSURE_DAYS), newest)
    for session in reversed(sessions):
        day: dt.date = session.date()
        end = session_end(exchange, day)
        if end is None:  # not in the calendar: noon UTC of the next day is late enough for any exchange
            end = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + dt.timedelta(days=1, hours=12)
        if end + SETTLING <= now:
            return day
    return newest - dt.timedelta(days=_LONG_CLOSURE_DAYS)


def knows_holidays(exchange: str | None, dates: pd.DatetimeIndex) -> bool:
    """Return whether the sessions of these dates follow a calendar, and are not merely all weekdays.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    if exchange is None or exchange == EVERY_DAY or len(dates) == 0:
        return exchange is not None
    calendar = calendar_of(check_exchange(exchange))
    return calendar is not None and calendar.first <= dates[0] and dates[-1] <= calendar.last


def _days(first: pd.Timestamp, last: pd.Timestamp) -> Days:
    """Return the dates from `first` to `last`, both inclusive; `date_range` of pandas takes longer."""
    start, end = (np.datetime64(one, "D") for one in (first, last))
    return np.arange(start, max(start, end + 1)).astype("datetime64[s]")


def _weekdays(first: pd.Timestamp, last: pd.Timestamp) -> Days:
    days = _days(first, last)
    return days[np.is_busday(days.astype("datetime64[D]"))]
