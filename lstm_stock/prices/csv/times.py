"""Parse the dates of a series of values: days, times of day, months (1958-03) or years (1958)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstm_stock.prices.csv.dates import looks_like_date, read_dates
from lstm_stock.prices.interval import Times
from lstm_stock.prices.sources import DateOrder

_YEAR = re.compile(r"(?P<y>[12][0-9]{3})(?:\.0*)?")
_MONTH = re.compile(r"(?P<y>[12][0-9]{3})[-/. ]?[Mm]?(?P<m>0?[1-9]|1[0-2])")
_QUARTER = re.compile(r"(?P<y>[12][0-9]{3})[-/. ]?[Qq](?P<q>[1-4])")
_CLOCK = re.compile(
    r"[T ,]+(?P<h>[0-9]{1,2}):(?P<min>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,][0-9]+)?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?$"
)


@dataclass(frozen=True)
class TimesRead:
    """A parsed column of dates.

    Attributes:
        times: `datetime64[s]`, NaT where a cell is no date like the others, shape `(n_cells,)`.
        style: How the dates are written, in words.
        open_between: The styles that fit equally well but give other dates; empty if there is one.
    """

    times: Times
    style: str
    open_between: tuple[str, ...] = ()


def looks_like_time(cell: str) -> bool:
    """Return whether a cell is written as a date, a month or a quarter; a year alone may be a number."""
    return (
        looks_like_date(cell)
        or bool(re.fullmatch(r"[12][0-9]{3}[-/](0[1-9]|1[0-2])", cell))
        or bool(_QUARTER.fullmatch(cell))
    )


def read_times(cells: Sequence[str], order: DateOrder | None = None) -> TimesRead:
    """Parse a column of dates; a month, quarter or year is dated by its first day.

    Times with an offset from UTC stay as written if all have the same one, and become times in UTC if they differ,
    as local times do where clocks are put forward.

    >>> str(read_times(["2024-01-01 05:00", "2024-01-01 06:00"]).times[1])
    '2024-01-01T06:00:00'
    >>> str(read_times(["1958-03", "1958-04"]).times[0]), str(read_times(["1700.0", "1701.0"]).times[0])
    ('1958-03-01T00:00:00', '1700-01-01T00:00:00')
    """
    for pattern, style in ((_YEAR, "years"), (_QUARTER, "quarters (1958Q1)"), (_MONTH, "months (1958-03)")):
        if cells and all(map(pattern.fullmatch, cells)):
            return TimesRead(np.array([_period(pattern, cell) for cell in cells], "datetime64[s]"), style)
    days = read_dates(cells, order)
    seconds, offsets = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int64)
    for i, cell in enumerate(cells):
        clock = _CLOCK.search(cell)
        if clock is not None:
            seconds[i], offsets[i] = _seconds(clock), _offset(clock["zone"])
    style, dated = days.style, ~np.isnat(days.days)
    if len(np.unique(offsets[dated])) > 1:
        seconds -= offsets
        style += ", times in UTC, as their offsets differ"
    elif seconds.any():
        style += ", with times of day as written"
    times: Times = days.days.astype("datetime64[s]") + seconds.astype("timedelta64[s]")
    return TimesRead(times, style, days.open_between)


def _period(pattern: re.Pattern[str], cell: str) -> str:
    found = pattern.fullmatch(cell)
    assert found is not None
    parts = found.groupdict()
    month = int(parts.get("m") or 3 * int(parts.get("q") or 1) - 2)
    return f"{parts['y']}-{month:02}-01"


def _seconds(clock: re.Match[str]) -> int:
    hour = int(clock["h"])
    if clock["half"]:
        hour = hour % 12 + (12 if clock["half"].lower() == "pm" else 0)
    return 3600 * hour + 60 * int(clock["min"]) + int(clock["s"] or 0)


def _offset(zone: str | None) -> int:
    if zone is None or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "")
    return (1 if zone[0] == "+" else -1) * (3600 * int(digits[:2]) + 60 * int(digits[2:]))
