"""Parse the cells of one CSV column as dates or as numbers.

One style is found per column and required of every cell. If the cells leave the style open, the result says so;
nothing is guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import numpy.typing as npt

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

_MISSING = {"", "nan", "null", "none", "na", "n/a", "#n/a", "nat", "-", "--", "."}
_INFINITE = re.compile(r"([+-]?)(inf|infinity|∞)", re.IGNORECASE)
_CURRENCY = re.compile(r"^([+-]?)\s*[$€£¥₹]\s*|\s*[$€£¥₹]$")
_SCALES = {"k": 3, "m": 6, "b": 9, "t": 12}
_NUMBERS = {
    mark: re.compile(
        rf"[+-]?(?:[0-9]{{1,3}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}|[0-9]+|(?={decimal}[0-9]))"
        rf"(?:{decimal}[0-9]*)?(?:[eE][+-]?[0-9]+)?"
    )
    for mark, decimal, group in ((".", r"\.", r"[,'’ \u00a0\u202f]"), (",", ",", r"[.'’ \u00a0\u202f]"))
}


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


@dataclass(frozen=True)
class Numbers:
    """A parsed column of numbers.

    Attributes:
        values: NaN where a cell is missing or no number, shape `(n_cells,)`.
        is_text: Where a cell is neither a number nor a word for a missing one, shape `(n_cells,)`.
    """

    values: npt.NDArray[np.float64]
    is_text: npt.NDArray[np.bool_]


def looks_like_date(cell: str) -> bool:
    """Return whether a cell is written as a date; digits alone may be a number and are not."""
    return any(pattern.fullmatch(cell) for style, pattern in _STYLES.items() if style != _COMPACT)


def looks_like_number(cell: str) -> bool:
    """Return whether a cell is a number, with either decimal mark."""
    return any(_number(cell, mark) is not None for mark in ".,")


def read_dates(cells: Sequence[str], day_first: bool | None = None) -> Dates:
    """Parse a column of dates as written; times of day and zones are dropped.

    The first cell that is a date in any style decides the style. If that leaves the order of day and month open,
    the other rows decide (a 13 is no month), else `day_first`.

    >>> str(read_dates(["02/01/2020", "13/01/2020"]).days[0])
    '2020-01-02'
    """
    found = next((s for cell in cells for s, pattern in _STYLES.items() if pattern.fullmatch(cell)), None)
    if found is None:
        return Dates(np.full(len(cells), "NaT", dtype="datetime64[D]"), "none found")
    styles = [found]
    if found in (_DAY_FIRST, _SHORT_YEAR_FIRST):
        styles = [_DAY_FIRST, _MONTH_FIRST, _SHORT_YEAR_FIRST]
        if day_first is not None:
            styles = [_DAY_FIRST if day_first else _MONTH_FIRST]
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


def find_decimal_mark(prices: Sequence[str], counts: Sequence[str]) -> str | None:
    """Find the decimal mark, `.` or `,`.

    `1,234.5` and `1.5` show the dot, `1.234,5` and `1,5` the comma.

    Args:
        prices: Cells that hold prices.
        counts: Cells that hold whole numbers.

    Returns:
        The mark, or None when prices such as `1,234` leave it open.
    """
    of_prices = Counter(map(_shown_mark, prices))
    votes = of_prices + Counter(map(_shown_mark, counts))
    if votes["."] == votes[","] == 0:
        return None if of_prices["open"] else "."
    return "." if votes["."] >= votes[","] else ","


def _shown_mark(cell: str) -> str:
    """Return the decimal mark that a cell shows, `open` for `1,234`, or nothing."""
    marks = re.sub("[^.,]", "", cell)
    if len(set(marks)) == 2:
        return marks[-1]
    if len(marks) > 1:
        return "," if marks[0] == "." else "."
    match = re.search(r"([0-9]*)[.,]([0-9]*)", cell)
    if match is None or not (match[1] or match[2]):
        return ""
    if len(match[2]) == 3 and re.fullmatch("[1-9][0-9]{0,2}", match[1]):
        return "open" if marks == "," else ""
    return marks


def read_numbers(cells: Sequence[str], mark: str) -> Numbers:
    """Parse a column of numbers: with thousands separators, a currency sign, or `48.09M`.

    >>> read_numbers(["$1,189.98", "48.09M", "null"], ".").values.tolist()
    [1189.98, 48090000.0, nan]

    Args:
        cells: Stripped of blanks.
        mark: The decimal mark, `.` or `,`.
    """
    numbers = [_number(cell, mark) for cell in cells]
    is_text = np.array([number is None for number in numbers], dtype=bool)
    return Numbers(
        np.array([np.nan if number is None else number for number in numbers], np.float64), is_text
    )


def _number(cell: str, mark: str) -> float | None:
    if cell.lower() in _MISSING:
        return np.nan
    text = _CURRENCY.sub(r"\1", cell)
    if infinite := _INFINITE.fullmatch(text):
        return -np.inf if infinite[1] == "-" else np.inf
    scale = _SCALES.get(text[-1:].lower(), 0)
    if scale:
        if "e" in text.lower():
            return None
        text = text[:-1].rstrip()
    if not _NUMBERS[mark].fullmatch(text):
        return None
    plain = re.sub(r"[,.'’ \u00a0\u202f]", lambda match: "." if match[0] == mark else "", text)
    # Decimal, because 48.09 * 1e6 is not 48090000 in floats.
    return float(Decimal(plain).scaleb(scale)) if scale else float(plain)
