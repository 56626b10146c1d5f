"""The price table: its form, its validation, its adjustment for dividends.

A price table has one row per bar: index `date` (`datetime64[s]` at midnight, of an intraday bar with its time; no
time zone, the exchange's local date, unique, increasing) and the float64 columns `COLUMNS`. `open high low close`
are adjusted for splits and not for dividends, as is `volume`; `adj_close` is adjusted for both. `dividends` and
`splits` are 0 on a bar without one. An `open` may be 0, since many sources lack it for decades.

Nothing here reads or writes files, and nothing repairs: an invalid table is refused.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.config.interval import DAILY, INTERVALS, Interval
from lstm_stock.errors import DataError, UnusableTickerError
from lstm_stock.prices.values import VALUE, has_values, times_of, values_hash, wrong_values

COLUMNS = ("open", "high", "low", "close", "adj_close", "volume", "dividends", "splits")
"""The columns of a price table, in order."""

PRICES = ("open", "high", "low", "close", "adj_close")
"""The columns that hold a price."""

LEAST_PRICE, LARGEST_PRICE, LARGEST_VOLUME = 1e-12, 1e15, 1e20
"""Bounds of what can be a price or a volume: a token may cost 1e-10, and volumes are sums over billions of it."""

Array = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]
Rows = npt.NDArray[np.intp]

_SHOWN_LINES = 20
_COLUMN_INDEX = pd.Index(COLUMNS)
_ADJUSTED_INDEX = pd.Index(["open", "high", "low", "close", "volume"])


@dataclass(frozen=True)
class PriceProvenance:
    """Where a price table comes from.

    Attributes:
        source: The source's name, such as `yahoo`.
        fetched_at: ISO time with its zone.
        requested_start: First date requested (ISO), or None for the earliest that the source has.
        requested_end: Last date requested (ISO), inclusive, or None for the newest that the source has.
        currency: Currency of the prices (`USD`; `GBp` is pence), if known.
        exchange: ISO code of the exchange (`XNYS`), `24/7`, or None where unknown.
        hash: `table_hash` of the table.
        partial: Date (ISO) of a last bar whose session was not over when it was fetched, or None.
        confirmed_mismatches: Dates (ISO) of missing sessions and of bars without a session that a second fetch
            did not change.
        notes: Findings about the table when it was fetched, in lines for the user.
        column: The column of the file that a series of values was read from; None for prices.
        interval: Name of the interval of its bars, see `lstm_stock.config.interval.INTERVALS`.
    """

    source: str
    fetched_at: str
    requested_start: str | None
    requested_end: str | None
    currency: str | None
    exchange: str | None
    hash: str
    partial: str | None = None
    confirmed_mismatches: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    column: str | None = None
    interval: str = DAILY.name


@dataclass(frozen=True)
class PriceHistory:
    """One ticker's price table, or value table, and where it comes from."""

    ticker: str
    table: pd.DataFrame
    provenance: PriceProvenance

    @property
    def has_values(self) -> bool:
        """Whether it is a series of values, not of prices: `lstm_stock.prices.values`."""
        return has_values(self.table)

    def require_prices(self) -> None:
        """Raise an UnusableTickerError for a series of values."""
        if self.has_values:
            raise UnusableTickerError(
                f"{self.ticker} is a series of values, and the network forecasts prices",
                f"train a network on it, `lstm-stock train {self.ticker}`, and forecast with `--run newest`",
            )

    @property
    def interval(self) -> Interval:
        """The interval of the bars."""
        return INTERVALS[self.provenance.interval]


@dataclass(frozen=True)
class InvalidRows:
    """Rows that are invalid for the same reason.

    Attributes:
        text: The reason, without the place.
        rows: Positions of the rows, from 0; never empty.
        column: The invalid column, or None for the dates or for several columns.
    """

    text: str
    rows: Rows
    column: str | None = None


def price_table(dates: npt.ArrayLike, columns: Mapping[str, npt.ArrayLike]) -> pd.DataFrame:
    """Build a price table from arrays, without validation.

    Args:
        dates: Anything that numpy reads as dates without a zone, shape `(n_bars,)`.
        columns: Every one of `COLUMNS`, each of shape `(n_bars,)`.
    """
    days = np.asarray(dates, dtype="datetime64[s]")
    values = np.empty((len(COLUMNS), len(days)))
    for row, name in zip(values, COLUMNS, strict=True):
        row[:] = columns[name]
    index = pd.DatetimeIndex(days, name="date")
    return pd.DataFrame(values.T, index=index, columns=_COLUMN_INDEX, copy=False)


def days_of(table: pd.DataFrame) -> Days:
    """Return the day of each bar, shape `(n_bars,)`: `datetime64[D]`, or `[s]` where one has a time of day."""
    times = times_of(table)
    days: Days = times.astype("datetime64[D]")
    return days if (days == times).all() else times


def iso_date(date: pd.Timestamp) -> str:
    """Return a bar's date in ISO form, with the time of day where it has one.

    >>> iso_date(pd.Timestamp("2024-03-04")), iso_date(pd.Timestamp("2024-03-04 10:30"))
    ('2024-03-04', '2024-03-04T10:30')
    """
    return f"{date:%F}" if date == date.normalize() else f"{date:%FT%H:%M}"


def arrays_of(table: pd.DataFrame) -> dict[str, Array]:
    """Return the columns of a table of float64 as arrays; pandas takes half a millisecond for each alone."""
    return dict(zip(map(str, table.columns), table.to_numpy(np.float64).T, strict=True))


def with_columns(table: pd.DataFrame, names: Sequence[str], values: npt.NDArray[Any]) -> pd.DataFrame:
    """Add columns of one type; pandas takes a millisecond for each that is added alone.

    Args:
        table: Bars.
        names: Names that `table` does not have.
        values: Shape `(n_bars, n_names)`.
    """
    return pd.concat([table, pd.DataFrame(values, table.index, pd.Index(names), copy=False)], axis=1)


def between(table: pd.DataFrame, start: dt.date | None, end: dt.date | None) -> pd.DataFrame:
    """Return the bars from `start` to `end`, both inclusive; None is no bound.

    Args:
        table: Bars with increasing dates.
        start: First date, or time of an intraday bar.
        end: Last date, with all bars of the day, or time.
    """
    dates: Days = table.index.to_numpy()
    first = 0 if start is None else int(np.searchsorted(dates, np.datetime64(start)))
    if end is None:
        after = len(dates)
    elif isinstance(end, dt.datetime):
        after = int(np.searchsorted(dates, np.datetime64(end), side="right"))
    else:
        after = int(np.searchsorted(dates, np.datetime64(end) + 1))
    return table.iloc[first:after]


def validate(table: pd.DataFrame, name: str, interval: Interval = DAILY) -> None:
    """Check that `table` is a price table, or a value table.

    A close outside of [low, high] passes, since real data has it, and so do gaps between dates and moves of any
    size.

    Args:
        table: The table to check.
        name: A ticker or a file, for the message.
        interval: Of its bars; intraday ones may have a time of day.

    Raises:
        DataError: It is not. The message has one line per reason, with the first row (from 1) and its date.
    """
    of_values = has_values(table)
    reasons = wrong_values(table) if of_values else _wrong_form(table)
    if not reasons and not of_values:
        dates = table.index.to_numpy()
        columns = dict(zip(COLUMNS, table.to_numpy().T, strict=True))
        reasons = [
            describe(invalid, lambda row: f"row {row + 1} ({str(dates[row])[:10]})")
            for invalid in find_invalid_rows(dates, columns, interval)
        ]
    if reasons:
        raise DataError(
            f"the {'values' if of_values else 'prices'} of {name} are not usable:\n" + bullet_list(reasons),
            "correct them at the source, then fetch again; nothing is repaired silently",
        )


def find_invalid_rows(
    dates: Days, columns: Mapping[str, Array], interval: Interval = DAILY
) -> list[InvalidRows]:
    """Find the invalid rows of a table.

    Args:
        dates: Shape `(n_rows,)`; NaT is not reported.
        columns: Every one of `COLUMNS`, each of shape `(n_rows,)`.
        interval: Of the bars; intraday ones may have a time of day.

    Returns:
        One entry per reason and column, those of the dates first.
    """
    return _invalid_dates(dates, interval) + _invalid_values(columns)


def describe(invalid: InvalidRows, place: Callable[[int], str]) -> str:
    """Return one line: the place of the first row, the reason, the number of further rows."""
    more = len(invalid.rows) - 1
    subject = f"`{invalid.column}` " if invalid.column else ""
    return f"{place(int(invalid.rows[0]))}: {subject}{invalid.text}" + (f" (and {more} more)" if more else "")


def bullet_list(lines: Sequence[str]) -> str:
    """Indent lines under a heading; lines after the first 20 are counted only."""
    shown = [f"  {line}" for line in lines[:_SHOWN_LINES]]
    if len(lines) > _SHOWN_LINES:
        shown.append(f"  and {len(lines) - _SHOWN_LINES} more")
    return "\n".join(shown)


def counted(n: int, word: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "bar"), counted(2, "bar")
    ('1 bar', '2 bars')
    """
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Adjust a price table for dividends: `open high low close` times `adj_close / close`, bar by bar.

    Each bar depends on itself alone. The last close stays the quoted one if its `adj_close` equals it. The volume
    stays, since it is adjusted for splits already. A value table has nothing to adjust.

    Returns:
        Columns `open high low close volume`, or `close` alone of a value table, the index of `table`.
    """
    if has_values(table):
        return table.rename(columns={VALUE: "close"})
    columns = arrays_of(table)
    values = np.stack([columns[name] for name in _ADJUSTED_INDEX])
    values[:-1] *= columns["adj_close"] / columns["close"]
    return pd.DataFrame(values.T, index=table.index, columns=_ADJUSTED_INDEX, copy=False)


def table_hash(table: pd.DataFrame) -> str:
    """Return the SHA-256 of a table's dates and values, in hex.

    It depends on dates, column names and float64 values alone, not on pandas, the index's unit or the machine: on
    the days since 1970, of intraday bars on the seconds. A slice of a table has the hash of the same bars fetched
    alone.
    """
    if has_values(table):
        return values_hash(table)
    digest = hashlib.sha256()
    digest.update(days_of(table).astype("<i8").tobytes())
    columns = arrays_of(table)
    for name in COLUMNS:
        digest.update(name.encode() + b"\0")
        # Adding 0.0 turns -0.0 into 0.0.
        digest.update((columns[name] + 0.0).astype("<f8", copy=False).data)
    return digest.hexdigest()


def _wrong_form(table: pd.DataFrame) -> list[str]:
    """Return what keeps a table from being read as dated rows of numbers."""
    found = []
    columns = [str(column) for column in table.columns]
    if columns != list(COLUMNS):
        found.append(f"columns are `{' '.join(columns)}`, must be `{' '.join(COLUMNS)}`")
    else:
        found += [
            f"`{column}` is of type {dtype}, must be float64"
            for column, dtype in zip(COLUMNS, table.dtypes, strict=True)
            if dtype != np.float64
        ]
    index = table.index
    if not isinstance(index, pd.DatetimeIndex):
        found.append(f"index is of type {index.dtype}, must be dates (datetime64[s])")
    elif index.tz is not None:
        found.append(f"index has the time zone {index.tz}, must be local dates without one")
    elif index.dtype != np.dtype("datetime64[s]"):
        found.append(f"index is of type {index.dtype}, must be datetime64[s]")
    if index.name != "date":
        found.append(f"index is named `{index.name}`, must be named `date`")
    if not found and len(table) == 0:
        found.append("there are no rows")
    if not found and index.hasnans:
        found.append(f"row {int(np.flatnonzero(index.isna())[0]) + 1}: has no date")
    return found


def _invalid_dates(dates: Days, interval: Interval) -> list[InvalidRows]:
    unit = "datetime64[s]" if interval.is_intraday else "datetime64[D]"
    all_days = dates.astype(unit)
    if (all_days == dates).all() and (all_days[1:] > all_days[:-1]).all():  # NaT is neither
        return []
    found = []
    dated = np.flatnonzero(~np.isnat(dates))
    days = dates[dated].astype(unit)
    timed = dated[days != dates[dated]]
    if len(timed):
        found.append(InvalidRows(f"{dates[timed[0]]} has a time of day, must be a date", timed))
    repeated = dated[pd.Index(days).duplicated()]
    if len(repeated):
        found.append(InvalidRows("the date occurs more than once", repeated))
    earlier = np.flatnonzero(days[1:] < days[:-1]) + 1
    if len(earlier):
        before = days[earlier[0] - 1]
        found.append(InvalidRows(f"the date comes after {before}, dates must increase", dated[earlier]))
    return found


def _invalid_values(columns: Mapping[str, Array]) -> list[InvalidRows]:
    found = []
    for name in COLUMNS:
        values = columns[name]
        above_zero = name in PRICES and name != "open"
        lowest, highest = values.min(initial=1.0), values.max(initial=0.0)  # NaN if a value is
        bounds = LEAST_PRICE if above_zero else 0.0, LARGEST_PRICE if name in PRICES else LARGEST_VOLUME
        if lowest >= bounds[0] and highest <= bounds[1]:
            continue
        finite = np.isfinite(values)
        kinds = [(np.isnan(values), "is missing (NaN)"), (np.isinf(values), "is infinite")]
        if above_zero:
            kinds.append((finite & (values <= 0), "is {:g}, must be above 0"))
        else:
            kinds.append((finite & (values < 0), "is {:g}, must not be negative"))
        far = (
            f", expected a price from {LEAST_PRICE:g} to {LARGEST_PRICE:g}"
            if name in PRICES
            else ", too large"
        )
        kinds.append((finite & (values > 0) & (values < bounds[0]), "is {:g}" + far))
        kinds.append((finite & (values > bounds[1]), "is {:g}" + far))
        for bad, text in kinds:
            if bad.any():
                rows = np.flatnonzero(bad)
                found.append(InvalidRows(text.format(values[rows[0]]), rows, name))
    high, low = columns["high"], columns["low"]
    crossed = np.flatnonzero(high < low)
    if len(crossed):
        first = crossed[0]
        found.append(InvalidRows(f"`high` {high[first]:g} is below `low` {low[first]:g}", crossed))
    return found
