"""Covariates: values of other tickers as columns of a ticker's bars, each the last one known at the bar's close.

A bar has a date but no time. Which sessions of a covariate are over at a close follows from the calendars of both
exchanges: at Tokyo's close New York's session of the same date has not begun. Missing bars are replaced by the
last known value for a few sessions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.config import Config
from lstm_stock.config.covariates import COVARIATE_FEATURES, is_covariate_feature, split_feature
from lstm_stock.config.registry import resolve
from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.volatility import Array
from lstm_stock.prices import calendars
from lstm_stock.prices.table import Days, counted, days_of, with_columns

KNOWN_WITHIN = dt.timedelta(minutes=20)
"""Time after a ticker's close within which a covariate's session may end and still count as known at that close:
indices of options, such as VIX, end a quarter of an hour after New York's stocks."""

MAX_AGE = 5
"""Sessions of a covariate without a bar, in sequence, that are filled with the last value."""

EARLIEST_END, LATEST_END = np.timedelta64(1, "h"), np.timedelta64(25, "h")
"""Time from the start of a date in UTC to the end of its session, at least and at most, at any exchange (that of
New Zealand ends first, at 03:45). So a session whose end is unknown is known only at the closes of later dates."""


@dataclass(frozen=True)
class Covariate:
    """The features of one covariate; every array has one entry per session.

    Attributes:
        ticker: Its name.
        exchange: Code of its exchange, None if unknown.
        names: Names of the features, with the covariate.
        sessions: Its bars, the sessions of its exchange between them, and a few after the last bar.
        age: Number of sessions since the last one with a bar, 0 where there is one, shape `(n_sessions,)`.
        values: The features of that last one, shape `(n_sessions, n_features)`; NaN during warm-up, and where
            `age` is above `MAX_AGE`, as on the last session.
    """

    ticker: str
    exchange: str | None
    names: tuple[str, ...]
    sessions: Days
    age: NDArray[np.int64]
    values: Array

    @classmethod
    def of(cls, ticker: str, adjusted: pd.DataFrame, exchange: str | None, names: Sequence[str]) -> Covariate:
        """Compute the features of a covariate on its own bars.

        Args:
            ticker: Its name.
            adjusted: Its adjusted bars, columns `open high low close volume`, indexed by date.
            exchange: Code of its exchange, None if unknown: sessions are then Monday to Friday.
            names: Features, each a ticker and a name of `COVARIATE_FEATURES`.
        """
        bars, days = Bars.of(adjusted), days_of(adjusted)
        columns = [resolve(COVARIATE_FEATURES[split_feature(name)[1]].compute)(bars) for name in names]
        between = calendars.sessions_between(exchange, adjusted.index[0], adjusted.index[-1])
        after = calendars.next_sessions(exchange, adjusted.index[-1], MAX_AGE + 1)
        sessions = np.unique(
            np.concatenate([days, *(one.to_numpy().astype(days.dtype) for one in (between, after))])
        )
        is_bar = np.isin(sessions, days)
        rows = np.cumsum(is_bar) - 1
        age = np.arange(len(sessions)) - np.flatnonzero(is_bar)[rows]
        values = np.column_stack(columns)[rows]
        values[age > MAX_AGE] = np.nan
        return cls(ticker, exchange, tuple(names), sessions, age, values)

    @cached_property
    def ends(self) -> Days:
        """When each session and all before it are over, in UTC, shape `(n_sessions,)`."""
        ends: Days = np.maximum.accumulate(_ends(self.exchange, self.sessions, LATEST_END))
        return ends

    def rows_known(self, days: Days, exchange: str | None) -> NDArray[np.int64]:
        """Return the row of the last session that is known at the close of each date, -1 where there is none.

        Sessions of the same exchange, or of two unknown ones, end together. Of different exchanges a session is
        known at a close if it ends at most `KNOWN_WITHIN` later.

        Args:
            days: Dates of a ticker's bars, increasing, shape `(n_days,)`.
            exchange: Code of its exchange, None if unknown.
        """
        if exchange == self.exchange:
            return np.searchsorted(self.sessions, days, side="right") - 1
        closes = _ends(exchange, days, EARLIEST_END) + np.timedelta64(KNOWN_WITHIN)
        return np.searchsorted(self.ends, closes, side="right") - 1

    def known_at(self, days: Days, exchange: str | None) -> Array:
        """Return the values known at the close of each date, shape `(n_days, n_features)`, NaN before the first.

        Args:
            days: Dates of a ticker's bars, increasing.
            exchange: Code of its exchange, None if unknown.
        """
        rows = self.rows_known(days, exchange)
        return np.where((rows >= 0)[:, None], self.values[rows], np.nan)

    def newest_known(self, day: np.datetime64, exchange: str | None) -> tuple[np.datetime64 | None, int]:
        """Return the last bar known at the close of a date and its age in sessions; None and 0 before the first.

        Args:
            day: Date of a ticker's bar.
            exchange: Code of its exchange, None if unknown.
        """
        (row,) = self.rows_known(np.array([day], "datetime64[D]"), exchange)
        return (None, 0) if row < 0 else (self.sessions[row - self.age[row]], int(self.age[row]))

    def missing(self, days: Days) -> Days:
        """Return the sessions without a bar between the first and the last of some dates.

        Args:
            days: Dates of the tickers' bars, increasing. If the covariate's exchange is unknown, so are its
                holidays, and only sessions on these dates count.
        """
        within = (self.age > 0) & (self.sessions >= days[0]) & (self.sessions <= days[-1])
        if self.exchange is None:
            within &= np.isin(self.sessions, days)
        missing: Days = self.sessions[within]
        return missing


@dataclass(frozen=True)
class Covariates:
    """The covariates of a config.

    Attributes:
        tables: One for each.
        exchange_of: Returns the exchange of a ticker, None if unknown.
    """

    tables: tuple[Covariate, ...]
    exchange_of: Callable[[str], str | None]

    @classmethod
    def of(
        cls, config: Config, read: Callable[[str], pd.DataFrame], exchange_of: Callable[[str], str | None]
    ) -> Covariates:
        """Compute the covariate features of a config.

        Args:
            config: The whole config.
            read: Returns the adjusted bars of a covariate.
            exchange_of: Returns the exchange of a ticker or covariate, None if unknown.
        """
        tables = []
        for ticker in config.data.covariates:
            names = [
                name
                for name in config.features
                if is_covariate_feature(name) and split_feature(name)[0] == ticker
            ]
            tables.append(Covariate.of(ticker, read(ticker), exchange_of(ticker), names))
        return cls(tuple(tables), exchange_of)

    def with_columns(self, ticker: str, adjusted: pd.DataFrame) -> pd.DataFrame:
        """Add one column per covariate feature to a ticker's bars: the values known at each close."""
        days, exchange = days_of(adjusted), self.exchange_of(ticker)
        names = [name for one in self.tables for name in one.names]
        return with_columns(adjusted, names, np.hstack([one.known_at(days, exchange) for one in self.tables]))

    def notes(self, tickers: Sequence[str], days: Days) -> list[str]:
        """Return sentences on missing bars and unknown exchanges.

        Args:
            tickers: The tickers that have these covariates.
            days: All dates on which one of them has a bar, increasing.
        """
        exchanges, notes = [self.exchange_of(ticker) for ticker in tickers], []
        for one in self.tables:
            missing = one.missing(days)
            if len(missing):
                notes.append(
                    f"the covariate {one.ticker} has no bar on {counted(len(missing), 'session')} from "
                    f"{missing[0]} to {missing[-1]}: the last value before is used, for at most {MAX_AGE} sessions"
                )
            if one.sessions[0] > days[0] + MAX_AGE:
                notes.append(
                    f"the covariate {one.ticker} begins on {one.sessions[0]}: earlier bars are warm-up"
                )
            unknown = exchanges.count(None)
            if one.exchange is None and unknown:
                notes.append(
                    f"the exchanges of the covariate {one.ticker} and of {unknown} of {len(tickers)} tickers are "
                    "unknown: their sessions of a date are taken to end together (fetch with `--exchange`)"
                )
            n_apart = len(tickers) - unknown if one.exchange is None else unknown
            if n_apart:
                whose = (
                    f"the covariate {one.ticker}"
                    if one.exchange is None
                    else f"{n_apart} of {len(tickers)} tickers"
                )
                notes.append(
                    f"the exchange of {whose} is unknown: {one.ticker} of the day before is used "
                    "(fetch with `--exchange`)"
                )
        return notes


def _ends(exchange: str | None, days: Days, otherwise: np.timedelta64) -> Days:
    """Return when the session of each date ends, in UTC; where that is unknown, `otherwise` after its start."""
    starts = days.astype("datetime64[s]")
    assumed: Days = np.asarray(starts + otherwise, "datetime64[s]")
    if exchange is None or len(days) == 0:
        return assumed
    first, last = (int(str(day)[:4]) for day in (days[0], days[-1]))
    ends = calendars.session_ends(exchange, first, last).reindex(pd.DatetimeIndex(starts))
    return np.asarray(ends.fillna(pd.Series(assumed, ends.index)).to_numpy(), "datetime64[s]")
