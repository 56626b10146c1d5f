"""Calendars of `exchange_calendars`, built once and kept in the user's cache folder.

The package takes a second to import, and a calendar tenths of a second to build (Korea: many seconds); a kept one
is read in milliseconds. There is one file of a few kilobytes per exchange and per version of the packages that
build it, so that a new version, with new holidays, builds it again. A file that is damaged or cannot be written
costs only time. The clock changes are those of the time zone data that it was built with.
"""

from __future__ import annotations

import datetime as dt
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zipfile import BadZipFile
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.atomic import write_file
from lstm_stock.prices.table import Days
from lstm_stock.readback import open_file

_FIRST, _LAST = pd.Timestamp(1900, 1, 1), pd.Timestamp(2100, 12, 31)
"""The dates that calendars are built for, where they have holidays for all of them."""

_FORMAT: Final = "3"

_FARTHEST: Final = 2 * 24 * 3600
"""Seconds, more than between midnight UTC of a session's date and its start or end, which may be before it."""


@dataclass(frozen=True)
class Calendar:
    """Sessions from `first` to `last`, their starts and ends in UTC: `datetime64[s]`, each of shape `(n,)`.

    `zone` is the IANA name of the exchange's time zone.
    """

    first: pd.Timestamp
    last: pd.Timestamp
    sessions: Days
    starts: Days
    ends: Days
    zone: str = "UTC"

    def between(self, first: pd.Timestamp, last: pd.Timestamp) -> Days:
        """Return the sessions from `first` to `last`, both inclusive."""
        start = np.searchsorted(self.sessions, first.to_datetime64())
        return self.sessions[start : np.searchsorted(self.sessions, last.to_datetime64(), side="right")]

    def time_of(self, day: dt.date, times: Days) -> dt.datetime | None:
        """Return the time of a date's session, of `starts` or `ends`; None if there is no session."""
        date = pd.Timestamp(day).to_datetime64()
        row = int(np.searchsorted(self.sessions, date))
        if row == len(self.sessions) or self.sessions[row] != date:
            return None
        time: dt.datetime = times[row].item()
        return time.replace(tzinfo=dt.UTC)


@lru_cache(maxsize=64)
def calendar_of(code: str) -> Calendar | None:
    """Return an exchange's calendar for all dates that it covers; None if it cannot be built.

    Args:
        code: A name of `exchange_calendars` that is no alias.
    """
    calendar = read_calendar(code)
    if calendar is None:
        calendar = _build(code)
        _keep(code, calendar)
    return calendar if len(calendar.sessions) else None


def read_calendar(code: str) -> Calendar | None:
    """Return the kept calendar of a code; None if there is no file, or one that is not valid.

    A calendar that cannot be built is kept without sessions.
    """
    try:
        # Opened here: NumPy does not close a file that is damaged.
        with open_file(_path(code)) as raw, np.load(raw, allow_pickle=False) as file:
            # A file system that ignores case finds XNYS for xnys, which is no code.
            about = file["about"].tolist()
            if about[:2] != [_FORMAT, code]:
                return None
            zone = ZoneInfo(about[2]).key
            return replace(_decode(file["span"], file["gaps"], file["starts"], file["ends"]), zone=zone)
    except (OSError, ValueError, LookupError, TypeError, EOFError, MemoryError, BadZipFile, zlib.error):
        return None


def _path(code: str) -> Path:
    from platformdirs import user_cache_path

    versions = f"exchange_calendars-{metadata.version('exchange_calendars')}-pandas-{pd.__version__}"
    return user_cache_path("lstm-stock", False) / "calendars" / versions / f"{quote(code, safe='')}.npz"


def _keep(code: str, calendar: Calendar) -> None:
    """Write a calendar, unless the folder cannot be written to or another process is writing the same."""
    from filelock import FileLock, Timeout

    arrays: dict[str, Any] = {
        "about": np.array([_FORMAT, code, calendar.zone]),
        "span": np.array([calendar.first.to_datetime64(), calendar.last.to_datetime64()], "datetime64[D]"),
        # Small numbers that repeat, which compress to a hundredth; the first gap is that from 1970.
        "gaps": np.diff(calendar.sessions.astype("datetime64[D]").astype(np.int32), prepend=np.int32(0)),
        "starts": (calendar.starts - calendar.sessions).astype(np.int32),
        "ends": (calendar.ends - calendar.sessions).astype(np.int32),
    }
    path = _path(code)
    with suppress(OSError, Timeout):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=0):
            write_file(path, lambda file: np.savez_compressed(file, **arrays), fsync=False)


def _decode(span: NDArray[Any], gaps: NDArray[Any], starts: NDArray[Any], ends: NDArray[Any]) -> Calendar:
    """Return the calendar of the arrays of a file; ValueError if they are none."""
    numbers = (gaps, starts, ends)
    types = [array.dtype for array in (span, *numbers)]
    if types != [np.dtype("datetime64[D]"), *[np.dtype(np.int32)] * 3]:
        raise ValueError(f"the types are {types}")
    if span.shape != (2,) or {array.shape for array in numbers} != {(gaps.size,)}:
        raise ValueError(f"the shapes are {[array.shape for array in (span, *numbers)]}")
    days = np.cumsum(gaps, dtype=np.int64).astype("datetime64[D]")
    if not (span[0] <= span[1] and (span[0] <= days).all() and (days <= span[1]).all()):  # also where NaT
        raise ValueError("the sessions are not within their span")
    if (gaps[1:] <= 0).any():
        raise ValueError("the sessions do not increase")
    if (np.abs([starts, ends]) > _FARTHEST).any():
        raise ValueError("a session starts or ends days away")
    if (starts >= ends).any():
        raise ValueError("a session ends before it starts")
    sessions = days.astype("datetime64[s]")
    return Calendar(
        pd.Timestamp(span[0]), pd.Timestamp(span[1]), sessions, sessions + starts, sessions + ends
    )


def _build(code: str) -> Calendar:
    """Build a calendar; without sessions if this version cannot build it."""
    from exchange_calendars import get_calendar

    first, last = _FIRST, _LAST
    calendar: Any
    with warnings.catch_warnings():
        # exchange_calendars uses deprecated and slow pandas functions.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
        try:
            try:
                calendar = get_calendar(code, start=first, end=last)
            except ValueError:  # it covers fewer dates
                calendar = get_calendar(code)
                first = max(first, calendar.bound_min() or first)
                last = min(last, calendar.bound_max() or last)
                calendar = get_calendar(code, start=first, end=last)
        except (
            ValueError,
            NotImplementedError,
        ):  # the orthodox Easter, and Tel Aviv, fail with some versions
            none = np.empty(0, "datetime64[s]")
            return Calendar(_FIRST, _LAST, none, none, none)
        times = [pd.DatetimeIndex(each).tz_convert(None) for each in (calendar.opens, calendar.closes)]
    sessions, starts, ends = (each.to_numpy().astype("datetime64[s]") for each in (calendar.sessions, *times))
    return Calendar(first, last, sessions, starts, ends, str(calendar.tz))
