"""The dates of the bars after a series, by the calendar of its exchange, and when a bar is over.

A bar is dated as its series dates its own: a week by its Monday or its last session, an hour by its start or end.
Times of day are those of the exchange's clock.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.config.interval import Interval
from lstm_stock.prices import calendars
from lstm_stock.prices.interval import RECENT, DaysBetween, Times, next_times

INTRADAY_SETTLING: Final = dt.timedelta(minutes=15)
"""Time after an intraday bar's end during which a source may still change it: many quotes are delayed so long."""

Dating = Literal["start", "end", "both"]
"""The time of an intraday bar: its start, its end, or its start and in the closing auction its end."""

_SHOWN_DAYS = 20
"""Newest days of an intraday series that show how its bars are dated."""

_MIN_SHARE = 0.98
"""Share of their bars that must be within the sessions."""


def next_bars(dates: pd.DatetimeIndex, interval: Interval, exchange: str | None, n: int) -> pd.DatetimeIndex:
    """Return the dates of the `n` bars after some bars.

    Args:
        dates: Dates of the bars so far, increasing, at least one.
        interval: Their interval.
        exchange: A code, or None if unknown: Monday to Friday, of intraday bars their own weekdays.
        n: Number of dates.

    Returns:
        `datetime64[s]` without a zone, increasing, shape `(n,)`.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    if interval.is_daily:
        return calendars.next_sessions(exchange, dates[-1], n)
    times = dates.to_numpy().astype("datetime64[s]")
    days: DaysBetween | None = partial(_sessions, exchange)
    is_open = None
    if interval.is_intraday:
        days = None if exchange is None else partial(_open_days, exchange, _weekdays_without(exchange, times))
        if exchange is not None:
            is_open = Hours(exchange, interval, times).within
    return pd.DatetimeIndex(next_times(times, interval, n, days, is_open))


def bar_end(
    label: pd.Timestamp, dates: pd.DatetimeIndex, interval: Interval, exchange: str | None
) -> dt.datetime:
    """Return when a bar is over, early closes included.

    Args:
        label: Its date.
        dates: The dates of its series, from which the way of dating is read.
        interval: Its interval.
        exchange: The code of the exchange; None, if unknown, is Monday to Friday, and none of intraday bars.

    Raises:
        DataError: The calendars do not know the exchange.
        ValueError: The exchange of intraday bars is unknown.
    """
    time = label.to_datetime64().astype("datetime64[s]")
    if interval.is_intraday:
        if exchange is None:
            raise ValueError("the clock of an unknown exchange")
        return Hours(exchange, interval, dates.to_numpy().astype("datetime64[s]")).end_of(time)
    first, after = _period(label, interval)
    sessions = calendars.sessions_between(exchange, first, after - pd.Timedelta(days=1))
    last = sessions[-1].date() if len(sessions) else (after - pd.Timedelta(days=1)).date()
    end = calendars.session_end(exchange, last)
    return end or dt.datetime(last.year, last.month, last.day, tzinfo=dt.UTC) + dt.timedelta(days=1, hours=12)


def _period(label: pd.Timestamp, interval: Interval) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first day of a bar's week, month, quarter or year, and the first day after it.

    A bar of the first half of a month is dated by the start of its period, another one by the end of it.
    """
    if not interval.months:
        monday = label.normalize() - pd.Timedelta(days=label.day_of_week)
        # A week that is dated by Tuesday to Thursday may end with that day or start there: the later is safe.
        ends_later = label.day_of_week in (1, 2, 3)
        return monday, (label + pd.Timedelta(days=7) if ends_later else monday + pd.Timedelta(days=7))
    month = label.normalize().replace(day=1)
    is_start = label.day <= 15
    after = month + pd.DateOffset(months=interval.months if is_start else 1)
    return after - pd.DateOffset(months=interval.months), after


def _sessions(exchange: str | None, first: np.datetime64, last: np.datetime64) -> Times:
    found = calendars.sessions_between(exchange, pd.Timestamp(first), pd.Timestamp(last))
    return found.to_numpy().astype("datetime64[D]")


def _weekdays_without(exchange: str, times: Times) -> frozenset[int]:
    """Return the weekdays with bars on which the calendar has no session: futures trade on Sunday evenings."""
    days = pd.DatetimeIndex(np.unique(times.astype("datetime64[D]"))[-RECENT:])
    sessions = calendars.sessions_between(exchange, days[0], days[-1])
    return frozenset(days.day_of_week) - frozenset(sessions.day_of_week)


def _open_days(exchange: str, more: frozenset[int], first: np.datetime64, last: np.datetime64) -> Times:
    days = pd.date_range(pd.Timestamp(first), pd.Timestamp(last), freq="D", unit="s")
    others = days[np.isin(days.day_of_week, list(more))].to_numpy().astype("datetime64[D]")
    return np.union1d(_sessions(exchange, first, last), others)


@dataclass(frozen=True)
class Hours:
    """The session times of an exchange, and how an intraday series dates its bars in them.

    Attributes:
        exchange: The code of the exchange.
        interval: The interval of the bars.
        times: Their dates, shape `(n_bars,)`.
    """

    exchange: str
    interval: Interval
    times: Times

    def session(self, day: np.datetime64) -> tuple[np.datetime64, np.datetime64] | None:
        """Return start and end of the session of a day on the exchange's clock; None if there is none."""
        date = day.astype("datetime64[D]").item()
        start = calendars.session_start(self.exchange, date)
        end = calendars.session_end(self.exchange, date)
        if start is None or end is None:
            return None
        zone = ZoneInfo(calendars.zone_of(self.exchange))
        local_start, local_end = (
            np.datetime64(time.astimezone(zone).replace(tzinfo=None), "s") for time in (start, end)
        )
        return local_start, local_end

    @cached_property
    def _dating(self) -> Dating | None:
        """How the newest bars are dated; None where they extend beyond the sessions."""
        days = self.times.astype("datetime64[D]")
        newest = np.unique(days)[-_SHOWN_DAYS:]
        sessions = [(self.times[days == day], session) for day in newest if (session := self.session(day))]
        for dating in get_args(Dating) if sessions else ():
            exist = [self._exist(times, session, dating) for times, session in sessions]
            if np.concatenate(exist).mean() >= _MIN_SHARE:
                found: Dating = dating
                return found
        return None

    def _exist(
        self, times: Times, session: tuple[np.datetime64, np.datetime64], dating: Dating
    ) -> npt.NDArray[np.bool_]:
        """Return which times are those of bars that overlap a session."""
        (start, end), step = session, np.timedelta64(self.interval.seconds, "s")
        if dating == "start":
            return np.asarray((times + step > start) & (times < end))
        if dating == "end":
            return np.asarray((times > start) & (times - step < end))
        return np.asarray((times >= start) & (times <= end))

    def within(self, on_day: Times) -> Times:
        """Keep the times of one day at which its session has bars, which ends early on some days."""
        session = self.session(on_day[0]) if len(on_day) else None
        if session is None or self._dating is None:
            return on_day
        return on_day[self._exist(on_day, session, self._dating)]

    def end_of(self, label: np.datetime64) -> dt.datetime:
        """Return when a bar is over."""
        end = label if self._dating == "end" else label + self.interval.seconds
        session = self.session(label)
        if session is not None and self._dating in ("start", "both"):
            end = min(end, max(session[1], label))
        zone = ZoneInfo(calendars.zone_of(self.exchange))
        local: dt.datetime = end.astype("datetime64[s]").item()
        return local.replace(tzinfo=zone).astimezone(dt.UTC)
