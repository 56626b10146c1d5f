"""On which days an exchange trades, and until when.

An exchange is an ISO code (`XNYS`), `24/7`, or None where it is unknown: then Monday to Friday. Nothing here
knows prices; which days a price table lacks is for its readers to ask.
"""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.errors import DataError

EVERY_DAY: Final = "24/7"
"""The code of what trades on weekends too."""


Days = npt.NDArray[np.datetime64]

SETTLING: Final = dt.timedelta(minutes=30)
"""How long after a session's end a source's bar of it may still change."""

_LEAST_WEEKEND_SHARE = 0.08
_LONG_CLOSURE_DAYS = 20


def check_exchange(code: str) -> str:
    """Return the code that the calendars use: `NYSE` and `xnas` are `XNYS`.

    Raises:
        DataError: There is no calendar of that name.
    """
    from exchange_calendars import get_calendar_names, resolve_alias
    from exchange_calendars.errors import InvalidCalendarName

    wanted = code.strip()
    for text in (wanted, wanted.upper()):
        try:
            return str(resolve_alias(text))
        except InvalidCalendarName:
            continue
    near = get_close_matches(wanted.upper(), get_calendar_names(), n=3)
    raise DataError(
        f"no calendar of an exchange `{code}`" + (f"; did you mean {' or '.join(near)}?" if near else ""),
        "use its ISO code, such as XNYS, XLON, XETR or XTKS, or 24/7 for what never closes",
    )


def guess_exchange(dates: pd.DatetimeIndex) -> str | None:
    """Return `24/7` when the bars show that Saturdays and Sundays trade, else None.

    Weekdays alone do not tell which exchange it is.
    """
    weekdays = np.bincount(dates.day_of_week, minlength=7)
    return EVERY_DAY if min(weekdays[5], weekdays[6]) > _LEAST_WEEKEND_SHARE * weekdays.sum() else None


def next_sessions(exchange: str | None, after: dt.date | pd.Timestamp, n: int) -> pd.DatetimeIndex:
    """Return the `n` sessions that follow a date, at any distance from today.

    Beyond the years for which an exchange's holidays are known (some calendars end with this year), every
    Monday to Friday counts as a session; `knows_holidays` tells.

    Args:
        exchange: A code, or None for Monday to Friday.
        after: A date; a session on it does not count.
        n: How many, at least 0.

    Returns:
        `datetime64[s]` without a zone, increasing, shape `(n,)`.

    Raises:
        DataError: The exchange is unknown to the calendars.
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

    In years whose holidays the exchange's calendar does not know, every Monday to Friday counts as a session.

    Raises:
        DataError: The exchange is unknown to the calendars.
    """
    first, last = pd.Timestamp(start).normalize(), pd.Timestamp(end).normalize()
    if first > last:
        return pd.DatetimeIndex([], dtype="datetime64[s]")
    if exchange is None or exchange == EVERY_DAY:
        return _days(first, last, every=exchange == EVERY_DAY)
    code = check_exchange(exchange)
    sessions, _ = _sessions_and_known_years(code, first, last)
    wanted = (sessions >= first.to_datetime64()) & (sessions <= last.to_datetime64())
    return pd.DatetimeIndex(sessions[wanted])


def recorded_sessions(
    exchange: str | None, days: pd.DatetimeIndex
) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Return the sessions between the first and the last of some days, without guessing.

    Args:
        exchange: A code, or None where it is unknown: then nothing is recorded.
        days: Increasing dates.

    Returns:
        The sessions of the years whose holidays the exchange's calendar knows, and those of `days` in these years.

    Raises:
        DataError: The exchange is unknown to the calendars.
    """
    if exchange is None or len(days) == 0:
        return days[:0], days[:0]
    sessions = sessions_between(exchange, days[0], days[-1])
    if exchange == EVERY_DAY:
        return sessions, days
    code = check_exchange(exchange)
    years = list(_sessions_and_known_years(code, days[0], days[-1])[1])
    return sessions[sessions.year.isin(years)], days[days.year.isin(years)]


def session_end(exchange: str | None, day: dt.date) -> dt.datetime | None:
    """Return when the session of a date ends, early closes included.

    Args:
        exchange: A code, or None where it is unknown.
        day: The session's date, at the exchange.

    Returns:
        A time with its zone; None where the exchange is unknown, has no session on that date, or where its
        calendar does not reach.

    Raises:
        DataError: The exchange is unknown to the calendars.
    """
    if exchange is None:
        return None
    date = pd.Timestamp(day)
    known = _calendar_around(check_exchange(exchange), date, date)
    if known is None:
        return None
    row = int(np.searchsorted(known.sessions, date.to_datetime64()))
    if row == len(known.sessions) or known.sessions[row] != date.to_datetime64():
        return None
    end: dt.datetime = known.ends[row].item()
    return end.replace(tzinfo=dt.UTC)


def session_ends(exchange: str, first_year: int, last_year: int) -> pd.Series:
    """Return when each session of some years ends, early closes included.

    Returns:
        Times in UTC, indexed by the session's date; empty where the calendar knows none of these years.

    Raises:
        DataError: The exchange is unknown to the calendars.
    """
    code, years = check_exchange(exchange), range(first_year, last_year + 1)
    whole = _calendar_around(code, _year(first_year)[0], _year(last_year)[1])
    parts = [whole] if whole is not None else [_calendar(code, *_year(year)) for year in years]
    known = [part for part in parts if part is not None]
    none = np.array([], "datetime64[s]")  # of no known year
    dates = pd.DatetimeIndex(np.concatenate([none, *(part.sessions for part in known)]))
    ends = pd.Series(np.concatenate([none, *(part.ends for part in known)]), dates)
    return ends[dates.year.isin(years)]


def last_session_over(exchange: str, now: dt.datetime) -> dt.date:
    """Return the newest session of which a source can have a bar that no longer changes.

    Args:
        exchange: A code.
        now: The present time, with its zone.

    Raises:
        DataError: The exchange is unknown to the calendars.
    """
    # The day after: east of us, it may have begun, and even ended.
    newest = now.astimezone(dt.UTC).date() + dt.timedelta(days=1)
    sessions = sessions_between(exchange, newest - dt.timedelta(days=_LONG_CLOSURE_DAYS), newest)
    for session in reversed(sessions):
        day: dt.date = session.date()
        end = session_end(exchange, day)
        if end is None:  # No calendar for this year: the day after is surely late enough.
            end = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + dt.timedelta(days=1, hours=12)
        if end + SETTLING <= now:
            return day
    return newest - dt.timedelta(days=_LONG_CLOSURE_DAYS)


def knows_holidays(exchange: str | None, dates: pd.DatetimeIndex) -> bool:
    """Say whether sessions around these dates follow a calendar, and are not merely all weekdays.

    Raises:
        DataError: The exchange is unknown to the calendars.
    """
    if exchange is None or exchange == EVERY_DAY or len(dates) == 0:
        return exchange is not None
    code = check_exchange(exchange)
    return all(_calendar_of_year(code, year) is not None for year in range(dates[0].year, dates[-1].year + 1))


def _sessions_and_known_years(
    code: str, first: pd.Timestamp, last: pd.Timestamp
) -> tuple[Days, frozenset[int]]:
    """Return at least the sessions of a range, and the years of it whose holidays are recorded.

    In the others, every Monday to Friday is taken for a session.
    """
    years = range(first.year, last.year + 1)
    known = _calendar_around(code, first, last)
    if known is not None:
        return known.sessions, frozenset(years)
    recorded = [year for year in years if year in _recorded_years(code)]
    middle = _calendar(code, _year(recorded[0])[0], _year(recorded[-1])[1]) if recorded else None
    if middle is None:
        sessions = np.concatenate([_sessions_of_year(code, year) for year in years])
        return sessions, frozenset(year for year in years if _calendar_of_year(code, year) is not None)
    before = _days(_year(years[0])[0], _year(recorded[0] - 1)[1], every=False)
    after = _days(_year(recorded[-1] + 1)[0], _year(years[-1])[1], every=False)
    return np.concatenate([before, middle.sessions, after]), frozenset(recorded)


@lru_cache(maxsize=64)
def _recorded_years(code: str) -> range:
    """Return the years that lie whole within what the exchange's calendar says it can be built for."""
    from exchange_calendars import get_calendar

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
        try:
            calendar = get_calendar(code)
        except (ValueError, NotImplementedError):
            return range(0)
        first, last = calendar.bound_min(), calendar.bound_max()
    begin = 1 if first is None else (first - pd.Timedelta(days=1)).year + 1
    end = 10_000 if last is None else (last + pd.Timedelta(days=1)).year
    return range(begin, end)


def _sessions_of_year(code: str, year: int) -> Days:
    known = _calendar_of_year(code, year)
    return _days(*_year(year), every=False).to_numpy() if known is None else known


@dataclass(frozen=True)
class _Calendar:
    sessions: Days
    ends: Days  # In UTC.


def _calendar_of_year(code: str, year: int) -> Days | None:
    known = _calendar(code, *_year(year))
    return None if known is None else known.sessions


def _calendar_around(code: str, first: pd.Timestamp, last: pd.Timestamp) -> _Calendar | None:
    """Return a calendar that holds the range, or None where none knows all of it.

    Building one takes a tenth of a second whatever its length, so whole decades are tried first: one calendar
    then serves many tickers.
    """
    decade, year, end = first.year // 10 * 10, first.year, pd.Timestamp(last.year, 12, 31)
    for start in (pd.Timestamp(decade, 1, 1), pd.Timestamp(year, 1, 1)):
        known = _calendar(code, start, end)
        if known is not None:
            return known
    return _calendar(code, first, last)


def _year(year: int) -> tuple[pd.Timestamp, pd.Timestamp]:
    return pd.Timestamp(year, 1, 1), pd.Timestamp(year, 12, 31)


@lru_cache(maxsize=1024)
def _calendar(code: str, first: pd.Timestamp, last: pd.Timestamp) -> _Calendar | None:
    """Ask the exchange's calendar, built for the range: the default one covers 20 years back and one ahead.

    Returns:
        Its sessions, or None where the calendar does not know all of the range.
    """
    from exchange_calendars import get_calendar
    from exchange_calendars.errors import NoSessionsError

    with warnings.catch_warnings():
        # It uses what pandas is about to change, and what is slow.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
        try:
            calendar = get_calendar(code, start=first, end=last)
            sessions: pd.DatetimeIndex = calendar.sessions
            ends = pd.DatetimeIndex(calendar.closes).tz_convert(None)
        except NoSessionsError:
            nothing = np.array([], dtype="datetime64[s]")
            return _Calendar(nothing, nothing)
        except (ValueError, NotImplementedError):
            # Beyond the recorded holidays; or an orthodox Easter, which not every pandas can compute for them.
            return None
    return _Calendar(*(days.to_numpy().astype("datetime64[s]") for days in (sessions, ends)))


def _days(first: pd.Timestamp, last: pd.Timestamp, every: bool) -> pd.DatetimeIndex:
    return pd.date_range(first, last, freq="D" if every else "B", unit="s")
