"""The value table: a series that is no price, such as temperatures, readings of a sensor, or sales.

A value table has one row per value: index `date` (`datetime64[s]`, local time without a zone, unique, increasing)
and the float64 column `value`, finite and of any sign. Dates may have a time of day. A date without a value has no
row. Nothing here reads or writes files.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.config.interval import Interval
from lstm_stock.prices.interval import Times, find_interval, spacing

VALUE: Final = "value"
"""The column of a value table."""

PRICES, VALUES = "prices", "values"
"""What a table of the store holds."""


def value_table(dates: npt.ArrayLike, values: npt.ArrayLike) -> pd.DataFrame:
    """Build a value table from arrays, without validation.

    Args:
        dates: Anything that numpy reads as dates without a zone, shape `(n_values,)`.
        values: Shape `(n_values,)`.
    """
    index = pd.DatetimeIndex(np.asarray(dates, dtype="datetime64[s]"), name="date")
    return pd.DataFrame({VALUE: np.asarray(values, np.float64)}, index=index)


def has_values(table: pd.DataFrame) -> bool:
    """Whether a table holds values, not prices."""
    return list(table.columns) == [VALUE]


def times_of(table: pd.DataFrame) -> Times:
    """Return the dates of a table with their time of day, `datetime64[s]`, shape `(n,)`."""
    return table.index.to_numpy().astype("datetime64[s]")


def wrong_values(table: pd.DataFrame) -> list[str]:
    """Return what keeps a table from being a value table, one line per reason; empty if nothing does."""
    index, values = table.index, table[VALUE]
    if not isinstance(index, pd.DatetimeIndex) or index.dtype != np.dtype("datetime64[s]"):
        return [f"index is of type {index.dtype}, must be datetime64[s]"]
    if index.name != "date":
        return [f"index is named `{index.name}`, must be named `date`"]
    if values.dtype != np.float64:
        return [f"`{VALUE}` is of type {values.dtype}, must be float64"]
    if len(table) == 0:
        return ["there are no rows"]
    found = []
    times = times_of(table)
    if index.hasnans or not (times[1:] > times[:-1]).all():
        row = int(np.argmax(~(times[1:] > times[:-1]))) + 1 if len(times) > 1 else 0
        found.append(f"row {row + 1} ({times[row]}): the date must be there and later than the one before")
    bad = np.flatnonzero(~np.isfinite(values.to_numpy()))
    if len(bad):
        found.append(
            f"row {bad[0] + 1} ({times[bad[0]]}): `{VALUE}` is {values.iloc[bad[0]]:g}, must be finite"
        )
    return found


def values_hash(table: pd.DataFrame) -> str:
    """Return the SHA-256 of a value table's dates and values, in hex."""
    digest = hashlib.sha256(b"values\0")
    digest.update(times_of(table).astype("<i8").tobytes())
    # Adding 0.0 turns -0.0 into 0.0.
    digest.update((table[VALUE].to_numpy(np.float64) + 0.0).astype("<f8", copy=False).tobytes())
    return digest.hexdigest()


def interval_of(table: pd.DataFrame) -> Interval | None:
    """Return the interval of a series, None if its dates have that of none; one of few dates is daily."""
    return find_interval(times_of(table))


def interval_text(interval: Interval | None, table: pd.DataFrame) -> str:
    """Return a series' interval in words: `hourly`, or the usual gap between its dates."""
    return f"one value every {spacing(times_of(table))}" if interval is None else interval.adjective


def positions(times: Times, interval: Interval | None) -> npt.NDArray[np.int64]:
    """Return the number of intervals from the first date to each, shape `(n,)`: 0, 1, 2, ... without gaps.

    Args:
        times: Increasing, shape `(n,)`.
        interval: The series' interval; None counts rows.
    """
    if interval is None or len(times) == 0:
        return np.arange(len(times))
    if interval.months:
        months = times.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        return np.asarray((months - months[0]) // interval.months, np.int64)
    seconds = (times - times[0]).astype("timedelta64[s]").astype(np.int64)
    # Rounded: a day of a local time may have 23 hours, a week may begin a day late.
    return np.asarray(np.round(seconds / interval.seconds), np.int64)
