"""The spacing of a series' dates: which interval it is, and the dates that come next.

Dates are `datetime64[s]` without a zone, in local time. Nothing here knows an exchange: the days on which a series
has values are passed as a function, or read from its own past.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from lstm_stock.config.interval import DAILY, DAY_SECONDS, INTERVALS, Interval

Times = npt.NDArray[np.datetime64]

DaysBetween = Callable[[np.datetime64, np.datetime64], Times]
"""The days of a series from a first to a last day, both inclusive: `datetime64[D]`, increasing."""

Rule = Callable[[np.datetime64], np.datetime64]
"""The date of a period: of a week by its Monday, of a month by itself."""

Opens = Callable[[Times], Times]
"""Which of the times of one day exist: all, or those before an early close."""

MIN_GAPS: Final = 5
"""Gaps that must exist before dates count as other than daily: few dates show no spacing."""

MIN_SHARE: Final = 0.8
"""Share of the gaps that must have the length of an interval."""

RECENT: Final = 60
"""Newest dates, or days of an intraday series, whose pattern the next dates follow."""

MIN_DAYS: Final = 3
"""Days that an intraday series needs to show its times of day; a shorter one goes on without a break."""

_MAX_DAYS_OF_DAILY = 3
_DAYS: Final = {"1wk": (6, 8), "1mo": (27, 32), "1q": (88, 94), "1y": (359, 372)}
"""Days from one date to the next, at least and at most: the last session of a month may be its 27th day."""


def find_interval(times: Times) -> Interval | None:
    """Find the interval of a series from the gaps between its dates.

    Gaps of twice an interval and more do not count against it: values may be missing, nights and weekends are.

    Args:
        times: Increasing, shape `(n,)`.

    Returns:
        `DAILY` also for fewer than `MIN_GAPS` gaps of a day or more; None if the gaps are those of no interval.
    """
    seconds = np.diff(times.astype("datetime64[s]")).astype(np.int64)
    seconds = seconds[seconds > 0]
    if len(seconds) == 0:
        return DAILY
    median = float(np.median(seconds))
    if is_intraday(times):
        return _intraday(seconds)
    if len(seconds) < MIN_GAPS or median <= _MAX_DAYS_OF_DAILY * DAY_SECONDS:
        return DAILY
    days = np.round(seconds / DAY_SECONDS)
    for name, (least, most) in _DAYS.items():
        fits = (days >= least) & (days <= most)
        if np.mean(fits | (days >= 2 * least)) >= MIN_SHARE and np.mean(fits) > 0.5:
            return INTERVALS[name]
    return None


def is_intraday(times: Times) -> bool:
    """Return whether more than half of the gaps between dates are shorter than a day.

    Args:
        times: Increasing, shape `(n,)`.
    """
    seconds = np.diff(times.astype("datetime64[s]")).astype(np.int64)
    return bool(np.sum((seconds > 0) & (seconds < DAY_SECONDS)) > 0.5 * np.sum(seconds > 0))


def _intraday(seconds: npt.NDArray[np.int64]) -> Interval | None:
    within = seconds[seconds < DAY_SECONDS]
    lengths, counts = np.unique(within, return_counts=True)
    step = int(lengths[np.argmax(counts)])
    found = next((one for one in INTERVALS.values() if one.is_intraday and one.seconds == step), None)
    return found if np.mean(within % step == 0) >= MIN_SHARE else None


def spacing(times: Times) -> str:
    """Return the median gap between dates in words, such as `7 days` or `10 minutes`."""
    median = int(np.median(np.diff(times.astype("datetime64[s]")).astype(np.int64)))
    units = ((DAY_SECONDS, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    length, word = next((unit for unit in units if median >= unit[0]), units[-1])
    n = median / length
    return f"{n:g} {word}" + ("" if n == 1 else "s")


def next_times(
    times: Times,
    interval: Interval,
    n: int,
    days: DaysBetween | None = None,
    is_open: Opens | None = None,
) -> Times:
    """Return the dates of the `n` values after the last one, dated as the series dates its own.

    A weekly series may be dated on one weekday, or on the first or last session of a week; a monthly, quarterly or
    yearly one on the first or last day, on one day, or on the first or last session of a month. An intraday series
    continues with the times of day that its recent days have, each weekday with its own.

    Args:
        times: Increasing, shape `(n_dates,)`, at least one.
        interval: The series' interval.
        n: Number of dates.
        days: The days on which there are values; None takes the weekdays of the recent past.
        is_open: Of an intraday series: keeps those times of a day that exist; None keeps all.

    Returns:
        `datetime64[s]`, increasing, shape `(n,)`.
    """
    times = times.astype("datetime64[s]")
    if interval.months:
        found = _next_months(times, interval.months, n, days)
    elif interval.is_intraday:
        found = _next_intraday(times, interval.seconds, n, days or _own_weekdays(times), is_open)
    elif interval.is_daily:
        found = _next_days(times[-1].astype("datetime64[D]"), n, days or _own_weekdays(times))
    else:
        found = _next_weeks(times, n, days)
    return found.astype("datetime64[s]")


def _own_weekdays(times: Times) -> DaysBetween:
    """Return the days whose weekday recent dates have, or have had no occasion to have."""
    recent = np.unique(times.astype("datetime64[D]"))[-RECENT:]
    absent = np.setdiff1d(np.arange(recent[0], recent[-1] + 1), recent)
    weekdays = np.setdiff1d(_weekday(absent), _weekday(recent))

    def between(first: np.datetime64, last: np.datetime64) -> Times:
        found = _days(first, last)
        return found[~np.isin(_weekday(found), weekdays)]

    return between


def _days(first: np.datetime64, last: np.datetime64) -> Times:
    found: Times = first + np.arange(int((last - first).astype(np.int64)) + 1)
    return found


def _next_days(last: np.datetime64, n: int, days: DaysBetween) -> Times:
    span = 2 * n + 20
    found = days(last + 1, last + span)
    while len(found) < n:
        span *= 2
        found = days(last + 1, last + span)
    return found[:n]


def _next_intraday(times: Times, seconds: int, n: int, days: DaysBetween, is_open: Opens | None) -> Times:
    own_days, last = times.astype("datetime64[D]"), times[-1]
    recent = np.unique(own_days)[-RECENT:]
    if len(recent) < MIN_DAYS:
        following: Times = last + seconds * np.arange(1, n + 1)
        return following
    newest = times[(own_days >= recent[0]) & (own_days < recent[-1])]  # the last day may not be over
    usual = _usual_times(newest)
    by_weekday = {int(k): _usual_times(newest[_weekday(newest) == k]) for k in np.unique(_weekday(newest))}
    found, n_found, day = [], 0, recent[-1]
    while n_found < n:
        if len(days(day, day)):
            on_day = day + by_weekday.get(int(_weekday(day)), usual)
            on_day = on_day if is_open is None else is_open(on_day)
            found.append(on_day[on_day > last])
            n_found += len(found[-1])
        day = day + 1
    return np.concatenate(found)[:n]


def _usual_times(times: Times) -> npt.NDArray[np.timedelta64]:
    """Return the times of day that at least half of the days have."""
    days = times.astype("datetime64[D]")
    of_day, counts = np.unique(times - days, return_counts=True)
    return of_day[2 * counts >= len(np.unique(days))]


def _next_weeks(times: Times, n: int, days: DaysBetween | None) -> Times:
    recent = times[-RECENT:].astype("datetime64[D]")
    mondays = (recent.astype(np.int64) - _weekday(recent)).astype("datetime64[D]")
    offset = _most_common(_weekday(recent))
    rules: list[Rule] = [lambda monday: monday + offset]
    if days is not None:
        rules += [_session_of(days, lambda monday: (monday, monday + 6), side) for side in (0, -1)]
    rule = _best(rules, mondays, recent)
    return np.array([rule(mondays[-1] + 7 * k) for k in range(1, n + 1)])


def _next_months(times: Times, step: int, n: int, days: DaysBetween | None) -> Times:
    recent = times[-RECENT:].astype("datetime64[D]")
    months = recent.astype("datetime64[M]")
    offset = _most_common((recent - months.astype("datetime64[D]")).astype(np.int64))

    def ends(month: np.datetime64) -> tuple[np.datetime64, np.datetime64]:
        return month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]") - 1

    def same_day(month: np.datetime64) -> np.datetime64:
        first, last = ends(month)
        return min(first + offset, last)

    rules: list[Rule] = [lambda month: ends(month)[0], lambda month: ends(month)[1], same_day]
    if days is not None:
        rules += [_session_of(days, ends, side) for side in (0, -1)]
    rule = _best(rules, months, recent)
    return np.array([rule(months[-1] + step * k) for k in range(1, n + 1)])


def _session_of(
    days: DaysBetween, ends: Callable[[np.datetime64], tuple[np.datetime64, np.datetime64]], side: int
) -> Rule:
    """Return the rule that dates a period by its first (0) or last (-1) session, by its first day without any."""

    def rule(period: np.datetime64) -> np.datetime64:
        first, last = ends(period)
        found = days(first, last)
        day: np.datetime64 = found[side] if len(found) else first
        return day

    return rule


def _best(rules: Sequence[Rule], periods: Times, dates: Times) -> Rule:
    """Return the rule that dates most of the periods as they are dated, the first of equals."""
    hits = [sum(rule(period) == date for period, date in zip(periods, dates, strict=True)) for rule in rules]
    return rules[int(np.argmax(hits))]


def _weekday(times: Times | np.datetime64) -> npt.NDArray[np.int64]:
    """Return the days since Monday."""
    # 1970-01-01 was a Thursday.
    return np.asarray((times.astype("datetime64[D]").astype(np.int64) + 3) % 7)


def _most_common(numbers: npt.NDArray[np.int64]) -> int:
    values, counts = np.unique(numbers, return_counts=True)
    return int(values[np.argmax(counts)])
