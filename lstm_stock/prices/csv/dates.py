"""Parse the cells of one CSV column as dates.

One style is found per column and required of every cell. If the cells leave the style open, the result says so;
nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from lstm_stock.prices.sources import DateOrder

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIRST_YEAR, _LAST_YEAR = 1800, 2100
_TWO_DIGIT_PIVOT = 69  # as POSIX: 69-99 are 1969-1999

_TIME = (
    r"(?:[T ,]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
    r"\s*(?:[AaPp][Mm])?\s*(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_ONE_OR_TWO, _YEAR = "[0-9]{1,2}", "(?P<y>[0-9]{4}|[0-9]{2})"
_COMPACT, _DAY_FIRST, _MONTH_FIRST, _SHORT_YEAR_FIRST = (
    "digits alone (20200131)",
    "day first (31/01/2020)",
    "month first (01/31/2020)",
    "year first (20/01/31)",
)
_STYLES = {
    style: re.compile(pattern + _TIME)
    for style, pattern in (
        (
            "year first (2020-01-31)",
            rf"(?P<y>[0-9]{{4}})(?P<s>[-/.])(?P<m>{_ONE_OR_TWO})(?P=s)(?P<d>{_ONE_OR_TWO})",
        ),
        (_COMPACT, "(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})"),
        (
            "month by name (Jan 31, 2020)",
            rf"(?P<m>[A-Za-z]{{3,9}})\.?[ -](?P<d>{_ONE_OR_TWO}),?[ -](?P<y>[0-9]{{4}})",
        ),
        ("month by name (31 Jan 2020)", rf"(?P<d>{_ONE_OR_TWO})[ -](?P<m>[A-Za-z]{{3,9}})\.?,?[ -]{_YEAR}"),
        (_DAY_FIRST, rf"(?P<d>{_ONE_OR_TWO})(?P<s>[-/.])(?P<m>{_ONE_OR_TWO})(?P=s){_YEAR}"),
        (_MONTH_FIRST, rf"(?P<m>{_ONE_OR_TWO})(?P<s>[-/.])(?P<d>{_ONE_OR_TWO})(?P=s){_YEAR}"),
        (_SHORT_YEAR_FIRST, rf"(?P<y>[0-9]{{2}})(?P<s>[-/.])(?P<m>{_ONE_OR_TWO})(?P=s)(?P<d>{_ONE_OR_TWO})"),
    )
}
"""Each way to write dates, with the groups `y`, `m` and `d`. Cells of the last three are alike."""


@dataclass(frozen=True)
class Dates:
    """A parsed column of dates.

    Attributes:
        days: `datetime64[D]`, NaT where a cell has another style or is no day, shape `(n_cells,)`.
        style: How the dates are written, in words.
        open_between: The styles that fit equally well but give other dates; empty if there is one.
        has_time: Whether any cell has a time of day, which is dropped.
    """

    days: npt.NDArray[np.datetime64]
    style: str
    open_between: tuple[str, ...] = ()
    has_time: bool = False


def looks_like_date(cell: str) -> bool:
    """Return whether a cell is written as a date; digits alone may be a number and are not."""
    return any(pattern.fullmatch(cell) for style, pattern in _STYLES.items() if style != _COMPACT)


def read_dates(cells: Sequence[str], order: DateOrder | None = None) -> Dates:
    """Parse a column of dates as written; times of day and zones are dropped.

    The first cell that is a date in any style decides the style. If that leaves the order of day and month open,
    the other rows decide (a 13 is no month), else `order`.

    >>> str(read_dates(["02/01/2020", "13/01/2020"]).days[0])
    '2020-01-02'
    """
    found = next((s for cell in cells for s, pattern in _STYLES.items() if pattern.fullmatch(cell)), None)
    if found is None:
        return Dates(np.full(len(cells), "NaT", dtype="datetime64[D]"), "none found")
    styles = [found]
    if found in (_DAY_FIRST, _SHORT_YEAR_FIRST):
        styles = [_DAY_FIRST, _MONTH_FIRST, _SHORT_YEAR_FIRST]
        if order is not None:
            styles = [{"day": _DAY_FIRST, "month": _MONTH_FIRST, "year": _SHORT_YEAR_FIRST}[order]]
    readings = {style: np.array([_day(cell, style) for cell in cells], "datetime64[D]") for style in styles}
    n_read = {style: int(np.count_nonzero(~np.isnat(days))) for style, days in readings.items()}
    best = [style for style in styles if n_read[style] == max(n_read.values())]
    days = readings[best[0]]
    same = all(np.array_equal(days, readings[style], equal_nan=True) for style in best)
    return Dates(days, best[0], () if same else tuple(best), any(":" in cell for cell in cells))


def _day(cell: str, style: str) -> date | None:
    match = _STYLES[style].fullmatch(cell)
    if match is None:
        return None
    year, month = int(match["y"]), match["m"]
    if len(match["y"]) == 2:
        year += 1900 if year >= _TWO_DIGIT_PIVOT else 2000
    try:
        number = int(month) if month.isdigit() else _MONTHS.index(month[:3].lower()) + 1
        day = date(year, number, int(match["d"]))
    except ValueError:
        return None
    return day if _FIRST_YEAR <= year <= _LAST_YEAR else None
