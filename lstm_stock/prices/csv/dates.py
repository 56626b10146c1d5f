"""Parse the cells of one CSV column as dates.

One style is found per column and required of every cell. If neither the cells nor their order decide it, the
result says so; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_stock.prices.csv.names import plain
from lstm_stock.prices.sources import DateOrder

Days = npt.NDArray[np.datetime64]

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen sty янв",
            "feb fev lut фев",
            "mar mrz maa мар",
            "apr avr abr kwi апр",
            "may mai mag mei maj мая май",
            "jun juin giu cze июн",
            "jul juil lug lip июл",
            "aug aou ago sie авг",
            "sep set wrz сен",
            "oct okt out ott paz окт",
            "nov lis ноя",
            "dec dez dic gru дек",
        ),
        1,
    )
    for name in map(plain, names.split())
}
"""The first three letters of each month in a dozen languages, four where three are shared."""

_FIRST_YEAR, _LAST_YEAR = 1800, 2100
_TWO_DIGIT_PIVOT = 69  # as POSIX: 69-99 are 1969-1999
_MAX_CHARACTERS = 80

_ZONE = r"(?P<zone>Z|(?:UTC|GMT)?[+-][0-9]{2}:?[0-9]{2}|[A-Z]{3,4}|[A-Z][A-Za-z]+/[A-Za-z_/]+)?"
_TIME = (
    r"(?:[T ,]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]+)?)?"
    rf" ?(?P<half>[AaPp]\.?[Mm]\.?)? ?{_ZONE} ?(?:\([^)]*\)|\[[^]]*\])?)?"
)
_COMPACT_TIME = r"(?:[T ]?(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})?)?"
_ONE_OR_TWO, _YEAR, _LETTERS = "[0-9]{1,2}", "(?P<y>[0-9]{4}|[0-9]{2})", r"[^\W\d_]"
_WEEKDAY = rf"(?:{_LETTERS}{{2,13}}\.?,? )?"
_NTH = r"(?:st|nd|rd|th|\.)?"
_COMPACT, _DAY_FIRST, _MONTH_FIRST, _SHORT_YEAR_FIRST = (
    "digits alone (20200131)",
    "day first (31/01/2020)",
    "month first (01/31/2020)",
    "year first (20/01/31)",
)
_STYLES = {
    style: re.compile(_WEEKDAY + pattern + (_COMPACT_TIME if style == _COMPACT else _TIME))
    for style, pattern in (
        (
            "year first (2020-01-31)",
            rf"(?P<y>[0-9]{{4}})(?P<s>[-/.])(?P<m>{_ONE_OR_TWO})(?P=s)(?P<d>{_ONE_OR_TWO})",
        ),
        (_COMPACT, "(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})"),
        (
            "month by name (Jan 31, 2020)",
            rf"(?P<m>{_LETTERS}{{3,10}})\.?[ /-](?P<d>{_ONE_OR_TWO}){_NTH},?[ /-](?P<y>[0-9]{{4}})",
        ),
        (
            "month by name (31 Jan 2020)",
            rf"(?P<d>{_ONE_OR_TWO}){_NTH}(?: de)?[ /-](?P<m>{_LETTERS}{{3,10}})\.?,?(?: de)?[ /-]{_YEAR}",
        ),
        (
            "month by name (2020 Jan 31)",
            rf"(?P<y>[0-9]{{4}})[ /-](?P<m>{_LETTERS}{{3,10}})\.?[ /-](?P<d>{_ONE_OR_TWO})",
        ),
        (
            "year first (2020年1月31日)",
            rf"(?P<y>[0-9]{{4}})[年년] ?(?P<m>{_ONE_OR_TWO})[月월] ?(?P<d>{_ONE_OR_TWO})[日일]",
        ),
        (_DAY_FIRST, rf"(?P<d>{_ONE_OR_TWO})(?P<s>[-/.])(?P<m>{_ONE_OR_TWO})(?P=s){_YEAR}"),
        (_MONTH_FIRST, rf"(?P<m>{_ONE_OR_TWO})(?P<s>[-/.])(?P<d>{_ONE_OR_TWO})(?P=s){_YEAR}"),
        (_SHORT_YEAR_FIRST, rf"(?P<y>[0-9]{{2}})(?P<s>[-/.])(?P<m>{_ONE_OR_TWO})(?P=s)(?P<d>{_ONE_OR_TWO})"),
    )
}
"""Each way to write dates, with the groups `y`, `m` and `d`. Cells of the last three are alike."""

_ORDERED: Final[dict[str, DateOrder]] = {_DAY_FIRST: "day", _MONTH_FIRST: "month", _SHORT_YEAR_FIRST: "year"}

_EPOCH_UNITS = (
    (1e17, 1e9, "nanoseconds"),
    (1e14, 1e6, "microseconds"),
    (1e11, 1e3, "milliseconds"),
    (1e8, 1.0, "seconds"),
)
"""From the least size of the largest number of a column to units a second."""

_EPOCH = re.compile(r"-?[0-9]{1,19}(?:\.[0-9]{0,9})?(?:[eE]\+?[0-9]{1,2})?")
_AFTERNOON = 14 * 3600
_MIN_SUNDAYS, _MAX_OTHERS = 0.08, 0.005
_MIN_WEEKS = 3


class _Moment(NamedTuple):
    """A date, the second of the day and minutes east of UTC, NaN where the cell does not say them."""

    day: date | None
    second: float
    offset: float


_NO_DAY = _Moment(None, np.nan, np.nan)


@dataclass(frozen=True)
class Dates:
    """A parsed column of dates.

    Attributes:
        days: `datetime64[D]`, NaT where a cell has another style or is no day, shape `(n_cells,)`.
        style: How the dates are written, in words.
        seconds: The time of day, in seconds; NaN where the cell has none; shape `(n_cells,)`.
        offsets: Minutes east of UTC; NaN where the cell names no offset; shape `(n_cells,)`.
        open_between: The styles that fit equally well but give other dates; empty if there is one.
        notes: What was decided or changed, in words for the user.
    """

    days: Days
    style: str
    seconds: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float64]
    open_between: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_time(self) -> bool:
        """Whether a cell has a time of day."""
        return bool(np.isfinite(self.seconds).any())


def looks_like_date(cell: str) -> bool:
    """Return whether a cell is written as a date; digits alone may be a number and are not."""
    return len(cell) <= _MAX_CHARACTERS and any(
        pattern.fullmatch(cell) for style, pattern in _STYLES.items() if style != _COMPACT
    )


def read_dates(cells: Sequence[str], order: DateOrder | None = None) -> Dates:
    """Parse a column of dates.

    The first cell that is a date in any style decides the style. If that leaves the order of day, month and year
    open, the other rows decide: a 13 is no month, and dates rise or fall from row to row; else `order`. Dates are
    taken as written, but midnights east of Greenwich that were saved in UTC, as 22:00 of the day before, are
    moved to their own day. Numbers of nine digits and more are seconds since 1970, or parts of a second.

    >>> str(read_dates(["02/01/2020", "13/01/2020"]).days[0])
    '2020-01-02'
    """
    found = next((s for cell in cells for s, pattern in _STYLES.items() if _match(cell, pattern)), None)
    if found is None or found == _COMPACT:
        epochs = _read_epochs(cells)
        if epochs is not None and (found is None or np.isnat(_read(cells, found).days).any()):
            return _on_own_days(epochs)
    if found is None:
        nothing = np.full(len(cells), np.nan)
        return Dates(np.full(len(cells), "NaT", dtype="datetime64[D]"), "none found", nothing, nothing)
    if found not in (_DAY_FIRST, _SHORT_YEAR_FIRST):
        return _on_own_days(_read(cells, found))
    readings = [_read(cells, style) for style, first in _ORDERED.items() if order in (None, first)]
    n_read = [int(np.count_nonzero(~np.isnat(one.days))) for one in readings]
    best = [one for one, n in zip(readings, n_read, strict=True) if n == max(n_read)]
    if all(np.array_equal(best[0].days, one.days, equal_nan=True) for one in best):
        return _on_own_days(best[0])
    in_order = [one for one in best if _is_in_order(one.days)]
    if len(in_order) == 1:
        note = "only so are the dates in order"
        return _on_own_days(replace(in_order[0], notes=(note,)))
    return replace(best[0], open_between=tuple(one.style for one in in_order or best))


def look_a_day_early(days: Days) -> bool:
    """Return whether Sundays to Thursdays have bars, as of Mondays to Fridays in an eastern zone, saved in UTC.

    Args:
        days: `datetime64[D]`, shape `(n_days,)`.
    """
    weekdays = np.bincount((days[~np.isnat(days)].astype(int) + 3) % 7, minlength=7)  # Monday is 0
    n = weekdays.sum()
    return bool(
        n >= 5 * _MIN_WEEKS
        and weekdays[6] > _MIN_SUNDAYS * n
        and weekdays[4] <= _MAX_OTHERS * n
        and weekdays[5] <= _MAX_OTHERS * n
    )


def _match(cell: str, pattern: re.Pattern[str]) -> re.Match[str] | None:
    return pattern.fullmatch(cell) if len(cell) <= _MAX_CHARACTERS else None


def _read(cells: Sequence[str], style: str) -> Dates:
    moments = [_moment(cell, style) for cell in cells]
    return Dates(
        np.array([one.day for one in moments], "datetime64[D]"),
        style,
        np.array([one.second for one in moments], np.float64),
        np.array([one.offset for one in moments], np.float64),
    )


@lru_cache(maxsize=100_000)  # a file of many tickers has each date many times
def _moment(cell: str, style: str) -> _Moment:
    match = _match(cell, _STYLES[style])
    if match is None:
        return _NO_DAY
    year, month = int(match["y"]), match["m"]
    if len(match["y"]) == 2:
        year += 1900 if year >= _TWO_DIGIT_PIVOT else 2000
    number = int(month) if month.isdigit() else _month(month)
    try:
        day = date(year, number, int(match["d"]))
    except ValueError:
        return _NO_DAY
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return _NO_DAY
    if match["hour"] is None:
        return _Moment(day, np.nan, np.nan)
    hour = int(match["hour"])
    if half := match.groupdict().get("half"):
        hour = hour % 12 + (12 if half[0] in "Pp" else 0)
    second = 3600 * hour + 60 * int(match["minute"]) + int(match["second"] or 0)
    return _Moment(day, float(second), _offset(match.groupdict().get("zone")))


def _month(name: str) -> int:
    letters = plain(name)
    return _MONTHS.get(letters[:4]) or _MONTHS.get(letters[:3], 0)


def _offset(zone: str | None) -> float:
    if zone is None:
        return np.nan
    if zone in ("Z", "UTC", "GMT"):
        return 0.0
    digits = re.search(r"([+-])([0-9]{2}):?([0-9]{2})", zone)
    if digits is None:
        return np.nan
    return (-1 if digits[1] == "-" else 1) * float(60 * int(digits[2]) + int(digits[3]))


def _read_epochs(cells: Sequence[str]) -> Dates | None:
    """Parse seconds since 1970, or parts of a second; None if the cells are no such numbers."""
    numbers = np.array([float(cell) if _match(cell, _EPOCH) else np.nan for cell in cells], np.float64)
    known = np.isfinite(numbers)
    largest = np.max(np.abs(numbers[known]), initial=0.0)
    unit = next(((scale, name) for least, scale, name in _EPOCH_UNITS if largest >= least), None)
    if unit is None or 2 * np.count_nonzero(known) < len(cells):
        return None
    seconds = np.floor(numbers / unit[0])
    first, last = (np.datetime64(f"{year}", "s").astype(float) for year in (_FIRST_YEAR, _LAST_YEAR + 1))
    known &= (seconds >= first) & (seconds < last)
    moments = np.full(len(cells), "NaT", "datetime64[s]")
    moments[known] = seconds[known].astype("datetime64[s]")
    days = moments.astype("datetime64[D]")
    since = np.where(known, (moments - days).astype(float), np.nan)
    style = f"{unit[1]} since 1970, read as days in UTC"
    return Dates(days, style, since, np.where(known, 0.0, np.nan))


def _is_in_order(days: Days) -> bool:
    steps = np.diff(days[~np.isnat(days)]).astype(int)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _on_own_days(dates: Dates) -> Dates:
    """Move midnights east of Greenwich that were saved in UTC from the day before to their own day."""
    seconds = dates.seconds[~np.isnat(dates.days)]
    at_other_midnight = (seconds >= _AFTERNOON) & (seconds % 1800 == 0)
    in_utc = ~(np.abs(dates.offsets) > 0)
    if not (look_a_day_early(dates.days) and at_other_midnight.mean() > 1 - _MAX_OTHERS and in_utc.all()):
        return dates
    time = int(np.median(seconds)) // 60
    note = (
        f"moved to the next day: {time // 60:02}:{time % 60:02} on Sundays to Thursdays is midnight of Mondays to "
        "Fridays in the exchange's zone, saved in UTC"
    )
    return replace(dates, days=dates.days + np.timedelta64(1, "D"), notes=(*dates.notes, note))
