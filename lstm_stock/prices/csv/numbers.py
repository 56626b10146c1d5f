"""Parse the cells of one CSV column as numbers.

One style is found per column and required of every cell. If the cells leave the style open, the result says so;
nothing is guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstm_stock.errors import DataError
from lstm_stock.prices.sources import DecimalMark

_MISSING = {"", "nan", "null", "none", "na", "n/a", "#n/a", "nat", "-", "--", "."}
_INFINITE = re.compile(r"([+-]?)(inf|infinity|∞)", re.IGNORECASE)
_CURRENCY = re.compile(r"^([+-]?)\s*[$€£¥₹]\s*|\s*[$€£¥₹]$")
_TWO_DOTS = re.compile(r"\.[^.\n]*\.")
_PLAIN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_ALL_PLAIN = re.compile(rf"(?:{_PLAIN.pattern}\n)*{_PLAIN.pattern}")
_SCALES = {"k": 3, "m": 6, "b": 9, "t": 12}
_NUMBERS = {
    mark: re.compile(
        rf"[+-]?(?:[0-9]{{1,3}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}|[0-9]+|(?={decimal}[0-9]))"
        rf"(?:{decimal}[0-9]*)?(?:[eE][+-]?[0-9]+)?"
    )
    for mark, decimal, group in ((".", r"\.", r"[,'’ \u00a0\u202f]"), (",", ",", r"[.'’ \u00a0\u202f]"))
}


@dataclass(frozen=True)
class Numbers:
    """A parsed column of numbers.

    Attributes:
        values: NaN where a cell is missing or no number, shape `(n_cells,)`.
        is_text: Where a cell is neither a number nor a word for a missing one, shape `(n_cells,)`.
    """

    values: npt.NDArray[np.float64]
    is_text: npt.NDArray[np.bool_]


def looks_like_number(cell: str) -> bool:
    """Return whether a cell is a number, with either decimal mark."""
    return any(_number(cell, mark) is not None for mark in ".,")


def find_decimal_mark(
    prices: Sequence[str], counts: Sequence[str], others: Sequence[str] = ()
) -> DecimalMark | None:
    """Find the decimal mark, `.` or `,`.

    `1,234.5` and `1.5` show the dot, `1.234,5` and `1,5` the comma.

    Args:
        prices: Cells that hold prices.
        counts: Cells that hold whole numbers.
        others: Any other cells; those that are no numbers show nothing.

    Returns:
        The mark, or None when prices such as `1,234` or `1.234` leave it open.
    """
    cells = (*prices, *counts)
    text = "\n".join(cells)
    if "," not in text and not _TWO_DOTS.search(text) and any(_shown_mark(cell) == "." for cell in cells):
        return "."  # no cell can show a comma; most files end here, after a cell or two
    of_prices = Counter(map(_shown_mark, prices))
    votes = of_prices + Counter(map(_shown_mark, counts))
    if votes["."] == votes[","] == 0:
        texts = (cell.removesuffix("%").rstrip() for cell in others)
        votes += Counter(_shown_mark(text) for text in texts if looks_like_number(text))
    if votes["."] == votes[","] == 0:
        return None if of_prices["open"] else "."
    return "." if votes["."] >= votes[","] else ","


def open_mark(path: Path, cells: Sequence[str]) -> DataError:
    """Return the error for a file whose cells leave the decimal mark open, as `find_decimal_mark` finds."""
    shown = next(cell for cell in cells if "," in cell or "." in cell)
    return DataError(
        f"{path} has numbers such as `{shown}` alone, which may be {shown.replace(',', '').replace('.', '')} "
        f"or {shown.replace(',', '.')}",
        "say which: `--decimal .` or `--decimal ,` names the mark before the decimals",
    )


def _shown_mark(cell: str) -> str:
    """Return the decimal mark that a cell shows, `open` for `1,234` and `1.234`, or nothing."""
    marks = re.sub("[^.,]", "", cell)
    if len(set(marks)) == 2:
        return marks[-1]
    if len(marks) > 1:
        return "," if marks[0] == "." else "."
    match = re.search(r"([0-9]*)[.,]([0-9]*)", cell)
    if match is None or not (match[1] or match[2]):
        return ""
    if len(match[2]) == 3 and re.fullmatch("[1-9][0-9]{0,2}", match[1]):
        return "open"
    return marks


def read_numbers(cells: Sequence[str], mark: str) -> Numbers:
    """Parse a column of numbers: with thousands separators, a currency sign, or `48.09M`.

    >>> read_numbers(["$1,189.98", "48.09M", "null"], ".").values.tolist()
    [1189.98, 48090000.0, nan]

    Args:
        cells: Stripped of blanks.
        mark: The decimal mark, `.` or `,`.
    """
    if mark == "." and _ALL_PLAIN.fullmatch("\n".join(cells)):  # most columns; three times as fast
        return Numbers(np.array(list(map(float, cells)), np.float64), np.zeros(len(cells), dtype=bool))
    numbers = [_number(cell, mark) for cell in cells]
    is_text = np.array([number is None for number in numbers], dtype=bool)
    return Numbers(
        np.array([np.nan if number is None else number for number in numbers], np.float64), is_text
    )


def _number(cell: str, mark: str) -> float | None:
    if mark == "." and _PLAIN.fullmatch(cell):
        return float(cell)
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
