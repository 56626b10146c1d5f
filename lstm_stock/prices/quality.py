"""What a valid price table may still have wrong: told to the user, never changed.

Sessions without a bar and bars without a session; jumps that look like a split or a change of unit; opens of 0;
volume that stays 0; prices outside of the day's range. It is suspicion and no more: true days look like each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.prices.calendars import recorded_sessions
from lstm_stock.prices.sources import SOURCES

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_SPLIT_RATIOS: Final = np.array([1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50])
_UNIT: Final = 100.0
_UNIT_TOLERANCE = 0.3
"""As a log: a price that moved by a third while its unit changed is still seen."""

_LEAST_JUMP = float(np.log(1.4))
_LEVEL_BARS = 10
_LEAST_ZERO_RUN = 5
_RANGE_TOLERANCE = 1e-4
_SHOWN_DATES = 3


@dataclass(frozen=True)
class SessionMismatches:
    """Where bars and the exchange's sessions differ.

    Attributes:
        missing: Sessions between the first and the last bar that have no bar.
        surplus: Bars on days without a session.
    """

    missing: pd.DatetimeIndex
    surplus: pd.DatetimeIndex

    @property
    def dates(self) -> frozenset[str]:
        """Both, as ISO dates."""
        return frozenset(f"{date:%F}" for date in (*self.missing, *self.surplus))


def session_mismatches(table: pd.DataFrame, exchange: str | None) -> SessionMismatches:
    """Compare a table's dates with an exchange's calendar.

    Years whose holidays are not recorded are left out, and all are where the exchange is unknown.

    Raises:
        DataError: The exchange is unknown to the calendars.
    """
    sessions, days = recorded_sessions(exchange, pd.DatetimeIndex(table.index))
    return SessionMismatches(
        pd.DatetimeIndex(sessions.difference(days)), pd.DatetimeIndex(days.difference(sessions))
    )


def session_notes(
    mismatches: SessionMismatches, exchange: str | None, source: str, confirmed: frozenset[str]
) -> list[str]:
    """Describe session mismatches in lines for the user.

    Args:
        mismatches: Of one ticker's bars.
        exchange: The exchange that the bars were compared with.
        source: The source of the bars; only an incremental one is asked again for these dates.
        confirmed: Dates (ISO) that a second fetch did not change.
    """
    notes = []
    for dates, word, subject in (
        (mismatches.missing, "session", f"of {exchange} without a bar"),
        (mismatches.surplus, "bar", f"on a day without a session of {exchange}"),
    ):
        if len(dates) == 0:
            continue
        if source not in SOURCES or not SOURCES[source].is_incremental:
            outcome = f"not asked again: the source {source} is read whole each time"
        elif all(f"{date:%F}" in confirmed for date in dates):
            outcome = "asking again changed nothing"
        else:
            outcome = "the next fetch asks again"
        notes.append(f"{_count(len(dates), word)} {subject}: {_some(dates)}; {outcome}")
    return notes


def quality_warnings(table: pd.DataFrame) -> list[str]:
    """Find what deserves a second look, in lines for the user with the dates.

    Args:
        table: A valid price table.
    """
    dates = pd.DatetimeIndex(table.index)
    columns = {name: table[name].to_numpy(np.float64) for name in table.columns}
    found = [
        *_jumps(dates, columns),
        *_ranges(dates, columns),
        *_zero_opens(dates, columns["open"]),
        *_zero_volumes(dates, columns["volume"]),
    ]
    return [f"suspicious: {text}" for text in found]


def _jumps(dates: pd.DatetimeIndex, columns: dict[str, Array]) -> list[str]:
    """Find closes that jump by a ratio of splits, or by the 100 that lies between pounds and pence."""
    close, open_ = columns["close"], columns["open"]
    if len(close) < 2:
        return []
    moves = np.diff(np.log(close))
    usual = float(np.median(np.abs(moves)))
    by_unit = np.abs(np.abs(moves) - np.log(_UNIT)) < _UNIT_TOLERANCE
    notes = []
    if by_unit.any():
        rows = np.flatnonzero(by_unit) + 1
        notes.append(
            f"the close jumps 100-fold, as if its unit changed, on {_count(len(rows), 'date')}: "
            f"{_some(dates[rows])}"
        )
    for row in (np.flatnonzero((np.abs(moves) > _LEAST_JUMP) & ~by_unit) + 1).tolist():
        ratio = _split_ratio(moves[row - 1], usual)
        # A split comes between two sessions: the open has jumped with the close.
        gap = np.log(open_[row] / close[row - 1]) if open_[row] > 0 else moves[row - 1]
        if ratio is None or abs(gap - moves[row - 1]) > max(0.1, 4 * usual):
            continue
        if not _stays(close, row, moves[row - 1]):
            continue
        event = columns["splits"][row]
        told = (
            "no split is recorded"
            if event in (0, 1)
            else f"the split of {event:g} is recorded, but not applied"
        )
        notes.append(
            f"the close jumps from {close[row - 1]:.6g} to {close[row]:.6g} on {dates[row]:%F}, as at a split of "
            f"{ratio}, and {told}"
        )
    return notes


def _split_ratio(move: float, usual: float) -> str | None:
    ratios = np.log(_SPLIT_RATIOS)
    if move > 0:  # Shares are put together by whole numbers.
        ratios = np.where(_SPLIT_RATIOS % 1 == 0, ratios, np.inf)
    nearest = int(np.argmin(np.abs(np.abs(move) - ratios)))
    if abs(abs(move) - ratios[nearest]) > 0.02 + usual:
        return None
    new, old = (_SPLIT_RATIOS[nearest], 1) if move < 0 else (1, _SPLIT_RATIOS[nearest])
    if _SPLIT_RATIOS[nearest] % 1:
        new, old = 2 * new, 2 * old
    return f"{new:g}:{old:g}"


def _stays(close: Array, row: int, move: float) -> bool:
    """Say whether the level after a jump is the new one: a wrong bar is back the next day."""
    before = np.median(np.log(close[max(0, row - _LEVEL_BARS) : row]))
    after = np.median(np.log(close[row : row + _LEVEL_BARS]))
    return bool(abs(after - before) > abs(move) / 2)


def _ranges(dates: pd.DatetimeIndex, columns: dict[str, Array]) -> list[str]:
    high = columns["high"] * (1 + _RANGE_TOLERANCE)
    low = columns["low"] * (1 - _RANGE_TOLERANCE)
    notes = []
    for name in ("close", "open"):
        values = columns[name]
        outside = ((values > high) | (values < low)) & (values > 0)
        if outside.any():
            rows = np.flatnonzero(outside)
            notes.append(
                f"the {name} lies outside of low to high on {_count(len(rows), 'date')}: {_some(dates[rows])}"
            )
    wide = np.abs(np.log(columns["high"] / columns["low"]) - np.log(_UNIT)) < _UNIT_TOLERANCE
    if wide.any():
        rows = np.flatnonzero(wide)
        notes.append(
            f"the high is 100 times the low, as if units were mixed, on {_count(len(rows), 'date')}: "
            f"{_some(dates[rows])}"
        )
    return notes


def _zero_opens(dates: pd.DatetimeIndex, open_: Array) -> list[str]:
    rows = np.flatnonzero(open_ == 0)
    if len(rows) == 0:
        return []
    span = f"{dates[rows[0]]:%F} to {dates[rows[-1]]:%F}" if len(rows) > 1 else f"{dates[rows[0]]:%F}"
    return [f"the open is 0 on {_count(len(rows), 'date')}, {span}; `data.start` after it leaves them out"]


def _zero_volumes(dates: pd.DatetimeIndex, volume: Array) -> list[str]:
    """Find runs without any trade, unless nothing ever has a volume, as with currencies."""
    none = volume == 0
    if not none.any() or none.all():
        return []
    edges = np.flatnonzero(np.diff(np.concatenate(([0], none.astype(int), [0]))))
    starts, ends = edges[::2], edges[1::2]
    lengths = ends - starts
    long = lengths >= _LEAST_ZERO_RUN
    if not long.any():
        return []
    longest = int(np.argmax(lengths))
    return [
        f"the volume stays 0 for {_LEAST_ZERO_RUN} or more bars {_count(int(long.sum()), 'time')}, the longest "
        f"for {lengths[longest]} from {dates[starts[longest]]:%F} to {dates[ends[longest] - 1]:%F}"
    ]


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _some(dates: pd.DatetimeIndex) -> str:
    shown = ", ".join(f"{date:%F}" for date in dates[:_SHOWN_DATES])
    return shown + (f" and {len(dates) - _SHOWN_DATES} more" if len(dates) > _SHOWN_DATES else "")
