"""Warnings about suspicious bars of a valid price table; nothing is changed.

Sessions without a bar and bars without a session; jumps that look like a split or a change of unit; opens of 0;
volume that stays 0; prices outside the day's range. Real days can look like each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from lstm_stock.config.interval import DAILY, DAY_SECONDS, Interval
from lstm_stock.prices.calendars import EVERY_DAY, recorded_sessions
from lstm_stock.prices.sources import SOURCES
from lstm_stock.prices.table import Array, counted
from lstm_stock.prices.values import has_values, interval_of, positions, times_of

_SPLIT_RATIOS: Final = np.array([1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50])
_UNIT: Final = 100.0
_UNIT_TOLERANCE = 0.3
"""In logs: a price may move by a third on the day its unit changes."""

_MIN_OUTLIER = float(np.log(3))
"""In logs: a price that triples for one bar, and falls back with the next."""

_LONG_CLOSURE_DAYS = 14
"""Days: no exchange closes for longer in peace."""

_MIN_JUMP = float(np.log(1.4))
_MEDIAN_BARS = 10
_MAX_ADJUSTMENT = np.log(2)  # a dividend of half the price
MIN_DEAD = 20
"""Bars without any move at the end of a ticker after which its trading is taken for halted: about a month."""

_MIN_ZERO_RUN = 5
_RANGE_TOLERANCE = 1e-4
_SHOWN_DATES = 3


@dataclass(frozen=True)
class SessionMismatches:
    """The dates on which bars and the exchange's sessions differ.

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


def session_mismatches(
    table: pd.DataFrame, exchange: str | None, interval: Interval = DAILY
) -> SessionMismatches:
    """Compare the dates of daily bars with an exchange's calendar.

    Dates that the calendar does not cover are left out: all, if the exchange is None or the bars are not daily.

    Raises:
        DataError: The calendars do not know the exchange.
    """
    sessions, days = recorded_sessions(exchange if interval.is_daily else None, pd.DatetimeIndex(table.index))
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
            outcome = f"not requested again: the source {source} is read completely each time"
        elif all(f"{date:%F}" in confirmed for date in dates):
            outcome = "a second request changed nothing"
        else:
            outcome = "the next fetch requests them again"
        notes.append(f"{counted(len(dates), word)} {subject}: {_some(dates)}; {outcome}")
    return notes


def quality_warnings(
    table: pd.DataFrame, exchange: str | None = EVERY_DAY, interval: Interval = DAILY
) -> list[str]:
    """Find suspicious bars, or dates without a value; return lines for the user, with dates.

    Args:
        table: A valid price table, or value table.
        exchange: The exchange, whose daily sessions are compared elsewhere. Of an unknown one, None, and of bars
            of other intervals, long gaps between bars are found.
        interval: Of the bars.
    """
    if has_values(table):
        return _missing_values(table)
    dates = pd.DatetimeIndex(table.index)
    columns = {name: table[name].to_numpy(np.float64) for name in table.columns}
    found = [
        *(_holes(dates, interval) if exchange is None or not interval.is_daily else ()),
        *_outliers(dates, columns),
        *_jumps(dates, columns),
        *_ranges(dates, columns),
        *_zero_opens(dates, columns["open"]),
        *_zero_volumes(dates, columns["volume"]),
        *_adjustment_jumps(dates, columns),
    ]
    n_dead = n_dead_bars(table)
    dead = [dead_text(table, n_dead) + ": they are left out of training and scores"] if n_dead else []
    return [f"suspicious: {text}" for text in found] + dead


def n_dead_bars(table: pd.DataFrame) -> int:
    """Count the bars at the end on which nothing was traded: the price never changes, within a bar or between two.

    Args:
        table: A price table, or value table.

    Returns:
        Their number; 0 if it is below `MIN_DEAD`, if all bars are such, or for values, which may stay the same.
    """
    if has_values(table):
        return 0
    close = table["close"].to_numpy()
    moves = (close[1:] != close[:-1]) | (table["high"].to_numpy()[1:] != table["low"].to_numpy()[1:])
    moved = np.flatnonzero(moves)
    n = len(close) - 2 - int(moved[-1]) if len(moved) else 0
    return n if n >= MIN_DEAD else 0


def dead_text(table: pd.DataFrame, n_dead: int) -> str:
    """Say since when the price of a table has not changed."""
    return f"the price has not changed for the last {counted(n_dead, 'bar')}, since {table.index[-n_dead]:%F}"


def _adjustment_jumps(dates: pd.DatetimeIndex, columns: dict[str, Array]) -> list[str]:
    """Find dates at which `adj_close` moves against `close` by more than a dividend could explain."""
    moves = np.abs(np.diff(np.log(columns["adj_close"] / columns["close"])))
    rows = np.flatnonzero(moves > _MAX_ADJUSTMENT) + 1
    if len(rows) == 0:
        return []
    return [f"the adj_close jumps against the close on {counted(len(rows), 'date')}: {_some(dates[rows])}"]


def _missing_values(table: pd.DataFrame) -> list[str]:
    """Count the dates at which a series lacks a value, and name the longest gap."""
    times, interval = times_of(table), interval_of(table)
    if interval is None:
        return []
    steps = np.diff(positions(times, interval))
    n = int(np.sum(np.maximum(steps - 1, 0)))
    if n == 0:
        return []
    longest = int(np.argmax(steps))
    return [
        f"missing: {counted(n, 'date')} without a value in this {interval.adjective} series, the longest gap from "
        f"{str(times[longest])[:10]} to {str(times[longest + 1])[:10]}; step k of a forecast is the k-th value "
        "that follows"
    ]


def _holes(dates: pd.DatetimeIndex, interval: Interval) -> list[str]:
    """Find gaps between bars that are longer than any closure of an exchange, of weeks or months than two bars."""
    length = 31 * interval.months or interval.seconds / DAY_SECONDS
    longest_closure = max(_LONG_CLOSURE_DAYS, round(2.5 * length) if length > 1 else 0)
    gaps = np.diff(dates.to_numpy()).astype("timedelta64[s]").astype(np.int64) / DAY_SECONDS
    rows = np.flatnonzero(gaps > longest_closure)
    if len(rows) == 0:
        return []
    longest = int(rows[np.argmax(gaps[rows])])
    return [
        f"there are no bars for more than {longest_closure} days {counted(len(rows), 'time')}, the longest "
        f"from {dates[longest]:%F} to {dates[longest + 1]:%F}"
    ]


def _outliers(dates: pd.DatetimeIndex, columns: dict[str, Array]) -> list[str]:
    """Find single bars whose close is several times those before and after it, or a fraction of them."""
    moves = np.diff(np.log(columns["close"]))
    if len(moves) < 2:
        return []
    before, after = moves[:-1], -moves[1:]
    apart = np.minimum(np.abs(before), np.abs(after)) * (np.sign(before) == np.sign(after))
    rows = np.flatnonzero(apart > _MIN_OUTLIER) + 1
    if len(rows) == 0:
        return []
    factor = np.exp(apart[rows - 1].max())
    return [
        f"the close is far from those of the bars before and after it, by a factor of up to {factor:.3g}, on "
        f"{counted(len(rows), 'date')}: {_some(dates[rows])}"
    ]


def _jumps(dates: pd.DatetimeIndex, columns: dict[str, Array]) -> list[str]:
    """Find closes that jump by the ratio of a split, or by 100, as from pence to pounds."""
    close, open_ = columns["close"], columns["open"]
    if len(close) < 2:
        return []
    moves = np.diff(np.log(close))
    median_move = float(np.median(np.abs(moves)))
    by_unit = np.abs(np.abs(moves) - np.log(_UNIT)) < _UNIT_TOLERANCE
    notes = []
    if by_unit.any():
        rows = np.flatnonzero(by_unit) + 1
        notes.append(
            f"the close jumps 100-fold, as if its unit changed, on {counted(len(rows), 'date')}: "
            f"{_some(dates[rows])}"
        )
    for row in (np.flatnonzero((np.abs(moves) > _MIN_JUMP) & ~by_unit) + 1).tolist():
        ratio = _split_ratio(moves[row - 1], median_move)
        # A split happens between two sessions: the open jumps with the close.
        gap = np.log(open_[row] / close[row - 1]) if open_[row] > 0 else moves[row - 1]
        if ratio is None or abs(gap - moves[row - 1]) > max(0.1, 4 * median_move):
            continue
        if not _stays(close, row, moves[row - 1]):
            continue
        event = columns["splits"][row]
        record = (
            "no split is recorded"
            if event in (0, 1)
            else f"the split of {event:g} is recorded, but not applied"
        )
        notes.append(
            f"the close jumps from {close[row - 1]:.6g} to {close[row]:.6g} on {dates[row]:%F}, as at a split of "
            f"{ratio}, and {record}"
        )
    return notes


def _split_ratio(move: float, median_move: float) -> str | None:
    """Return the split nearest to a log move of the close, such as `3:2`; None if none is near."""
    ratios = np.log(_SPLIT_RATIOS)
    if move > 0:  # reverse splits have whole ratios
        ratios = np.where(_SPLIT_RATIOS % 1 == 0, ratios, np.inf)
    nearest = int(np.argmin(np.abs(np.abs(move) - ratios)))
    if abs(abs(move) - ratios[nearest]) > 0.02 + median_move:
        return None
    new, old = (_SPLIT_RATIOS[nearest], 1) if move < 0 else (1, _SPLIT_RATIOS[nearest])
    if _SPLIT_RATIOS[nearest] % 1:
        new, old = 2 * new, 2 * old
    return f"{new:g}:{old:g}"


def _stays(close: Array, row: int, move: float) -> bool:
    """Return whether the close stays near its value after a jump; after a wrong bar it returns."""
    before = np.median(np.log(close[max(0, row - _MEDIAN_BARS) : row]))
    after = np.median(np.log(close[row : row + _MEDIAN_BARS]))
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
                f"the {name} lies outside low to high on {counted(len(rows), 'date')}: {_some(dates[rows])}"
            )
    wide = np.abs(np.log(columns["high"] / columns["low"]) - np.log(_UNIT)) < _UNIT_TOLERANCE
    if wide.any():
        rows = np.flatnonzero(wide)
        notes.append(
            f"the high is 100 times the low, as if units were mixed, on {counted(len(rows), 'date')}: "
            f"{_some(dates[rows])}"
        )
    return notes


def _zero_opens(dates: pd.DatetimeIndex, open_: Array) -> list[str]:
    rows = np.flatnonzero(open_ == 0)
    if len(rows) == 0:
        return []
    span = f"{dates[rows[0]]:%F} to {dates[rows[-1]]:%F}" if len(rows) > 1 else f"{dates[rows[0]]:%F}"
    return [f"the open is 0 on {counted(len(rows), 'date')}, {span}; `data.start` after it leaves them out"]


def _zero_volumes(dates: pd.DatetimeIndex, volume: Array) -> list[str]:
    """Find runs of volume 0, unless all volumes are 0, as for currencies."""
    is_zero = volume == 0
    if not is_zero.any() or is_zero.all():
        return []
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_zero.astype(int), [0]))))
    starts, ends = edges[::2], edges[1::2]
    lengths = ends - starts
    long = lengths >= _MIN_ZERO_RUN
    if not long.any():
        return []
    longest = int(np.argmax(lengths))
    return [
        f"the volume stays 0 for {_MIN_ZERO_RUN} or more bars {counted(int(long.sum()), 'time')}, the longest "
        f"for {lengths[longest]} from {dates[starts[longest]]:%F} to {dates[ends[longest] - 1]:%F}"
    ]


def _some(dates: pd.DatetimeIndex) -> str:
    shown = ", ".join(f"{date:%F}" for date in dates[:_SHOWN_DATES])
    return shown + (f" and {len(dates) - _SHOWN_DATES} more" if len(dates) > _SHOWN_DATES else "")
