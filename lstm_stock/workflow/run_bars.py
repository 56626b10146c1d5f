"""The bars that a saved run reads of a ticker up to a date, which `predict` and `evaluate` forecast from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lstm_stock.dataset.covariates import MAX_AGE, Covariates
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.market import Market
from lstm_stock.dataset.series import TickerSeries, WindowSpec, apply_ticker, fit_ticker, window_spec
from lstm_stock.dataset.sessions import require_one_close, with_session_columns
from lstm_stock.dataset.split import Split
from lstm_stock.errors import ShortHistoryError
from lstm_stock.prices import table as price_table
from lstm_stock.prices.reader import PriceSource, TickerOrigin
from lstm_stock.prices.table import PriceHistory, between, counted
from lstm_stock.prices.values import VALUE, has_values
from lstm_stock.runs.run import Run


@dataclass(frozen=True)
class RunBars:
    """The bars from `start` to `end` as a run reads them: cut before anything is computed.

    Attributes:
        run: The run.
        prices: The prices; a `Snapshot` reads those of a ticker once.
        end: Last date, inclusive; None is each ticker's newest bar.
        start: First date; None is each ticker's first bar.
        of_store: The market of a store, for a pretrained network; the market of a run is that of its tickers.
        max_bars: Use only so many of the last bars of a ticker; None uses all.
    """

    run: Run
    prices: PriceSource
    end: dt.date | None
    start: dt.date | None = None
    of_store: Market | None = None
    max_bars: int | None = None

    @cached_property
    def spec(self) -> WindowSpec:
        """Inputs and targets of a window of the run."""
        return window_spec(self.run.config)

    @cached_property
    def market(self) -> Market | None:
        """The market of the run's tickers; None if the run needs none, DataError if prices are missing."""
        config = self.run.config
        if not config.needs_market or self.of_store is not None:
            return self.of_store if config.needs_market else None
        return BarLoader.of(
            config, lambda one: price_table.adjusted(self.table(one)), self.exchange_of
        ).market

    @cached_property
    def covariates(self) -> Covariates | None:
        """The run's covariates at its price levels; None if it has none.

        Raises:
            ShortHistoryError: A covariate has no bar up to `end`.
            DataError: The prices of one of them are missing.
        """

        def read(ticker: str) -> pd.DataFrame:
            table = self.table(ticker)
            if table.empty:
                raise ShortHistoryError(
                    f"the covariate {ticker} has no bar on or before {self.end}", "choose a later date"
                )
            return _at_price_level_of(self.run.provenance.covariates[ticker], price_table.adjusted(table))

        if not self.run.config.data.covariates:
            return None
        return Covariates.of(self.run.config, read, self.exchange_of)

    def table(self, ticker: str) -> pd.DataFrame:
        """Return the stored bars of a ticker, which may be none; DataError if its prices are missing."""
        history = self.prices.read(ticker)
        self.run.require_kind(history)
        table = between(history.table, self.start, self.end)
        return table if self.max_bars is None else table.iloc[-self.max_bars :]

    def levels(self, ticker: str) -> pd.Series:
        """Return the stored closes of a ticker, or its values; DataError as `table`."""
        table = self.table(ticker)
        return table[VALUE if has_values(table) else "close"]

    def exchange_of(self, ticker: str) -> str | None:
        """Return the exchange of a ticker, None if unknown."""
        return self.prices.read(ticker).provenance.exchange

    def adjusted(self, ticker: str) -> pd.DataFrame:
        """Return the adjusted bars of a ticker, with the columns of covariates, market and sessions.

        A dividend or split after the training rescales all earlier adjusted prices; those of a ticker of the run
        are scaled back to the price level that it was trained at.

        Raises:
            ShortHistoryError: A covariate has no bar up to `end`.
            DataError: Prices are missing.
        """
        bars = price_table.adjusted(self.table(ticker))
        if self.run.is_fitted_to(ticker) and not self.run.config.of_values:
            origin = self.run.provenance.tickers[ticker]
            bars = _at_price_level_of(origin, bars)
        if self.covariates is not None:
            bars = self.covariates.with_columns(ticker, bars)
        if self.market is not None:
            bars = self.market.with_market_columns(bars)
        if self.run.config.needs_sessions:
            bars = with_session_columns(bars, self.exchange_of(ticker), self.spec.horizon)
        return bars

    def warnings_of_close(self, ticker: str) -> list[str]:
        """Return a sentence if it is unknown whether the market of the run's tickers is known at a ticker's close.

        Args:
            ticker: A ticker with bars.

        Raises:
            ConfigError: Its sessions end at another time than theirs, and the run needs the market.
        """
        config = self.run.config
        if not config.needs_market or self.of_store is not None or ticker in config.data.tickers:
            return []
        dates = self.table(ticker).index
        exchanges = {name: self.exchange_of(name) for name in (*config.data.tickers, ticker)}
        if ticker not in require_one_close(config, exchanges, dates[0], dates[-1]):
            return []
        return [
            f"when the sessions of {ticker} end is unknown: if they end before those of the run's tickers, the "
            "market looks ahead (fetch with `--exchange`)"
        ]

    def as_trained(self, ticker: str, adjusted: pd.DataFrame) -> TickerSeries:
        """Scale the `adjusted` bars of a ticker of the run by its saved scaler."""
        return apply_ticker(ticker, adjusted, self.spec, self.run.scalers[ticker])

    def by_own_past(self, ticker: str, adjusted: pd.DataFrame, split: Split) -> TickerSeries:
        """Scale the `adjusted` bars of another ticker by those before val, or by the pooled scaler of the run.

        Raises:
            UnusableTickerError: The bars before val are too few, or cannot be used.
        """
        series = fit_ticker(ticker, adjusted, self.spec, split)
        if self.spec.scaler != "pooled":
            return series
        return series.with_scaler(next(iter(self.run.scalers.values())).scaler)

    def warnings_of_covariates(self, ticker: str) -> list[str]:
        """Return a sentence for each covariate that lacks newer bars at the last bar of a ticker.

        Raises:
            ShortHistoryError: The value of one is too old to be used.
        """
        if self.covariates is None:
            return []
        last, warnings = self.table(ticker).index[-1], []
        for one in self.covariates.tables:
            newest, age = one.newest_known(np.datetime64(last, "D"), self.exchange_of(ticker))
            known = f"known at the close of {last:%F}"
            lacks = f"the newest bar of the covariate {one.ticker} {known} is that of {newest}"
            fetch = f"`lstm-stock fetch {one.ticker}`"
            if age > MAX_AGE:
                raise ShortHistoryError(
                    f"{lacks}: more than {MAX_AGE} sessions of it are missing", f"fetch newer bars: {fetch}"
                )
            if age:
                warnings.append(f"{lacks}: {counted(age, 'session')} of it missing ({fetch})")
        return warnings


def warnings_of_prices(origin: TickerOrigin, history: PriceHistory) -> list[str]:
    """Return a sentence if the stored prices are not those that a run was trained on."""
    ticker = history.ticker
    used = between(history.table, *origin.dates)
    if price_table.table_hash(used) == origin.hash:
        return []
    what, why = "prices", "a split, a dividend, or another source"
    if history.has_values:
        what, why = "values", "they were revised, or another file was fetched"
    return [
        f"the stored {what} of {ticker} from {origin.first} to {origin.last} are not those the run was "
        f"trained on ({why}): train again"
    ]


def _at_price_level_of(origin: TickerOrigin, adjusted: pd.DataFrame) -> pd.DataFrame:
    """Rescale adjusted bars so that the run's first bar has the close it had in training."""
    first = pd.Timestamp(origin.first)
    if first not in adjusted.index:
        return adjusted
    factor = origin.first_close / adjusted["close"].to_numpy(np.float64)[adjusted.index.get_loc(first)]
    return adjusted.assign(**{name: adjusted[name] * factor for name in ("open", "high", "low", "close")})
