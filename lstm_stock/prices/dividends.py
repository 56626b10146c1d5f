"""The dividends of a price table, and those of the sessions after it: announced ones and usual ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lstm_stock.errors import ConfigError
from lstm_stock.prices.table import Array, Days, days_of
from lstm_stock.prices.usual_dividends import UsualDividend, usual_dividends

MAX_PER_YEAR = 14
"""More changes of `adj_close / close` per year than this are rounding, not dividends."""

MIN_SHARE = 3e-4
"""Least dividend inferred from `adj_close`, as a share of the close: smaller changes may be rounding."""


@dataclass(frozen=True)
class DividendsAhead:
    """The dividends with an ex-date among the sessions of a forecast.

    Attributes:
        known: Amounts per share that the user gave, by ex-date.
        usual: Usual dividends whose ex-dates are predicted well enough to take them off.
        possible: Usual dividends whose ex-dates may be among the sessions or not; they are not taken off.
    """

    known: Mapping[dt.date, float]
    usual: tuple[UsualDividend, ...]
    possible: tuple[UsualDividend, ...]

    def taken_off(self, dates: pd.DatetimeIndex) -> Array:
        """Return the sum of the dividends with ex-dates on or before each of some dates, shape `(n_dates,)`."""
        amounts = [*self.known.items(), *((one.ex_date, one.amount) for one in self.usual)]
        taken = np.zeros(len(dates))
        for ex_date, amount in amounts:
            taken[dates >= pd.Timestamp(ex_date)] += amount
        return taken


def payments(table: pd.DataFrame) -> tuple[Days, Array]:
    """Return the ex-dates of a price table and the amounts paid, each of shape `(n_payments,)`.

    A table without any dividend, such as one from a CSV file with an adjusted close alone, is read from its
    `adj_close`: the factor `adj_close / close` changes by 1 - (dividend / close of the day before) on an ex-date.
    """
    days, paid = days_of(table), table["dividends"].to_numpy(np.float64)
    if not paid.any() and len(table) > 1:
        close = table["close"].to_numpy(np.float64)
        factor = table["adj_close"].to_numpy(np.float64) / close
        paid = np.concatenate([[0.0], close[:-1] * (1 - factor[:-1] / factor[1:])])
        paid[paid < MIN_SHARE * close] = 0.0
        years = (days[-1] - days[0]).astype(int) / 365.25
        if np.count_nonzero(paid) > MAX_PER_YEAR * max(years, 1.0):
            paid[:] = 0.0
    rows = np.flatnonzero(paid > 0)
    return days[rows], paid[rows]


def dividends_ahead(
    table: pd.DataFrame, dates: pd.DatetimeIndex, known: Mapping[dt.date, float] | None
) -> DividendsAhead:
    """Return the dividends of the sessions after a price table.

    Args:
        table: A price table up to the cutoff.
        dates: The sessions of the forecast.
        known: Amounts per share by ex-date; None looks for usual dividends.

    Raises:
        ConfigError: A known ex-date is not one of the sessions, or an amount is not below the last close.
    """
    cutoff, last = table.index[-1].date(), dates[-1].date()
    if known is not None:
        _require_sessions(known, dates, float(table["close"].iloc[-1]))
        return DividendsAhead(known, (), ())
    usual = usual_dividends(*payments(table), cutoff, last)
    taken = tuple(one for one in usual if one.is_reliable and cutoff < one.ex_date and one.latest <= last)
    return DividendsAhead({}, taken, tuple(one for one in usual if one not in taken))


def _require_sessions(known: Mapping[dt.date, float], dates: pd.DatetimeIndex, last_close: float) -> None:
    sessions = {date.date() for date in dates}
    for ex_date, amount in known.items():
        if ex_date not in sessions:
            inside = dates[0].date() < ex_date < dates[-1].date()
            expected = "is no session" if inside else "is not in the horizon"
            raise ConfigError(
                f"--dividend: {ex_date:%a %F} {expected} of the forecast, {dates[0]:%a %F} to {dates[-1]:%a %F}",
                "give the ex-date, the first session that trades without the dividend",
            )
        if amount >= last_close:
            raise ConfigError(
                f"--dividend: got {amount:g}, expected less than the last close, {last_close:.6g}",
                "give the amount per share, in the currency of the prices",
            )
