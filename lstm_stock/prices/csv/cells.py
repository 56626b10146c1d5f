"""Turn the text of CSV cells into dates and numbers.

One style is found for a whole column and then demanded of every cell; a style that the cells leave open is said
to be open, never guessed. Nothing here knows files or columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import numpy.typing as npt

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIRST_YEAR, _LAST_YEAR = 1800, 2100
_TWO_DIGIT_PIVOT = 69  # As POSIX: 69-99 are 1969-1999.

_TIME = (
    r"(?:[T ,]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
    r"\s*(?:[AaPp][Mm])?\s*(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})" + _TIME)
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_NUMERIC = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})" + _TIME)
_MONTH_NAMED_FIRST = re.compile(r"([A-Za-z]{3,9})\.?[ -]([0-9]{1,2}),?[ -]([0-9]{4})" + _TIME)
_DAY_THEN_MONTH_NAME = re.compile(r"([0-9]{1,2})[ -]([A-Za-z]{3,9})\.?,?[ -]([0-9]{4}|[0-9]{2})" + _TIME)

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
_ONE_MARK = re.compile(r"([0-9]*)([.,])([0-9]*)")


@dataclass(frozen=True)
class Dates:
    """What a column of dates was read as.

    Attributes:
        days: `datetime64[D]`, NaT where a cell has another style or is no day, shape `(n_cells,)`.
        style: How the dates are written, in words.
        open_between: The styles that fit equally well but give other dates; empty when there is one.
        has_time: Whether any cell has a time of day, which is dropped.
    """

    days: npt.NDArray[np.datetime64]
    style: str
    open_between: tuple[str, ...] = ()
    has_time: bool = False


@dataclass(frozen=True)
class Numbers:
    """What a column of numbers was read as.

    Attributes:
        values: NaN where a cell is missing or is no number, shape `(n_cells,)`.
        is_text: Where a cell is neither a number nor a word for a missing one.
    """

    values: npt.NDArray[np.float64]
    is_text: npt.NDArray[np.bool_]


_Order = Callable[[re.Match[str]], tuple[str, str, str]]

# Each style gives, from a match, the texts of year, month and day.
_DAY_FIRST: tuple[str, _Order] = ("day first (31/01/2020)", lambda m: (m[4], m[3], m[1]))
_MONTH_FIRST: tuple[str, _Order] = ("month first (01/31/2020)", lambda m: (m[4], m[1], m[3]))
_SHORT_YEAR_FIRST: tuple[str, _Order] = ("year first (20/01/31)", lambda m: (m[1], m[3], m[4]))
_PLAIN_STYLES: tuple[tuple[re.Pattern[str], str, _Order], ...] = (
    (_YEAR_FIRST, "year first (2020-01-31)", lambda m: (m[1], m[3], m[4])),
    (_COMPACT, "digits alone (20200131)", lambda m: (m[1], m[2], m[3])),
    (_MONTH_NAMED_FIRST, "month by name (Jan 31, 2020)", lambda m: (m[3], m[1], m[2])),
    (_DAY_THEN_MONTH_NAME, "month by name (31 Jan 2020)", lambda m: (m[3], m[2], m[1])),
)


def looks_like_date(cell: str) -> bool:
    """Say whether a cell is written as dates are; digits alone are not, they may be a number."""
    patterns = (_YEAR_FIRST, _NUMERIC, _MONTH_NAMED_FIRST, _DAY_THEN_MONTH_NAME)
    return any(pattern.fullmatch(cell) for pattern in patterns)


def looks_like_number(cell: str) -> bool:
    """Say whether a cell is a number, with either decimal mark."""
    return not read_numbers([cell], ".").is_text[0] or not read_numbers([cell], ",").is_text[0]


def read_dates(cells: Sequence[str], day_first: bool | None = None) -> Dates:
    """Read a column of dates; the date is taken as written, with no regard to a time or a zone behind it.

    The first cell that is a date of any style decides between the styles. Where the order of day and month is
    open, the rows decide (a 13 is no month), else `day_first`.

    >>> str(read_dates(["02/01/2020", "13/01/2020"]).days[0])
    '2020-01-02'
    """
    has_time = any(":" in cell for cell in cells)
    for cell in cells:
        for pattern, style, order in _PLAIN_STYLES:
            if pattern.fullmatch(cell):
                return Dates(_days(cells, pattern, order), style, has_time=has_time)
        if _NUMERIC.fullmatch(cell):
            return _read_numeric_dates(cells, day_first, has_time)
    return Dates(np.full(len(cells), "NaT", dtype="datetime64[D]"), "none found")


def _read_numeric_dates(cells: Sequence[str], day_first: bool | None, has_time: bool) -> Dates:
    if day_first is not None:
        style, order = _DAY_FIRST if day_first else _MONTH_FIRST
        return Dates(_days(cells, _NUMERIC, order), style, has_time=has_time)
    short = any((match := _NUMERIC.fullmatch(cell)) and len(match[4]) == 2 for cell in cells)
    styles = [_DAY_FIRST, _MONTH_FIRST, *([_SHORT_YEAR_FIRST] if short else [])]
    readings = [(_days(cells, _NUMERIC, order), style) for style, order in styles]
    n_read = [int(np.count_nonzero(~np.isnat(days))) for days, _ in readings]
    best = [reading for reading, n in zip(readings, n_read, strict=True) if n == max(n_read)]
    days, style = best[0]
    same = all(np.array_equal(days.view("i8"), other.view("i8")) for other, _ in best)
    return Dates(days, style, () if same else tuple(name for _, name in best), has_time)


def _days(cells: Sequence[str], pattern: re.Pattern[str], order: _Order) -> npt.NDArray[np.datetime64]:
    days: list[date | None] = []
    for cell in cells:
        match = pattern.fullmatch(cell)
        days.append(_day(*order(match)) if match else None)
    return np.array(days, dtype="datetime64[D]")


def _day(year: str, month: str, day: str) -> date | None:
    number = int(year)
    if len(year) == 2:
        number += 1900 if number >= _TWO_DIGIT_PIVOT else 2000
    try:
        month_number = int(month) if month.isdigit() else _MONTHS.index(month[:3].lower()) + 1
        found = date(number, month_number, int(day))
    except ValueError:
        return None
    return found if _FIRST_YEAR <= number <= _LAST_YEAR else None


def find_decimal_mark(prices: Sequence[str], others: Sequence[str]) -> str | None:
    """Find out whether the decimals stand behind `.` or `,`.

    `1,234.5` and `1.5` speak for the dot, `1.234,5` and `1,5` for the comma.

    Args:
        prices: Cells that hold prices.
        others: Cells that hold counts.

    Returns:
        The mark, or None when prices such as `1,234` may be either.
    """
    votes = {".": 0, ",": 0}
    is_open = False
    for position, cell in enumerate((*prices, *others)):
        vote = _mark_vote(cell)
        if vote in votes:
            votes[vote] += 1
        elif vote == "open":
            is_open |= position < len(prices)
    if votes["."] == votes[","] == 0:
        return None if is_open else "."
    return max(votes, key=votes.__getitem__)


def _mark_vote(cell: str) -> str:
    """Return the decimal mark that a cell shows, `open` for `1,234`, or nothing."""
    dots, commas = cell.count("."), cell.count(",")
    if not commas and not dots:
        return ""
    if commas and dots:
        return "," if cell.rindex(",") > cell.rindex(".") else "."
    if dots > 1 or commas > 1:
        return "," if dots else "."
    match = _ONE_MARK.search(cell)
    if match is None or match[0] in (".", ","):
        return ""
    whole, mark, rest = match.groups()
    if len(rest) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0"):
        return "open" if mark == "," else ""
    return mark


def read_numbers(cells: Sequence[str], mark: str) -> Numbers:
    """Read a column of numbers: with thousands separators, a currency sign, or `48.09M`.

    >>> read_numbers(["$1,189.98", "48.09M", "null"], ".").values.tolist()
    [1189.98, 48090000.0, nan]

    Args:
        cells: Stripped of blanks.
        mark: The decimal mark, `.` or `,`.
    """
    values = np.full(len(cells), np.nan)
    is_text = np.zeros(len(cells), dtype=bool)
    for row, cell in enumerate(cells):
        number = _number(cell, mark)
        if number is None:
            is_text[row] = True
        else:
            values[row] = number
    return Numbers(values, is_text)


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
    # Through Decimal, because 48.09 times 1e6 is not 48090000 in floats.
    return float(Decimal(plain).scaleb(scale)) if scale else float(plain)
