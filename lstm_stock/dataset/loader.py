"""Load the adjusted bars of a ticker, with columns of market, sessions and covariates where they are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from lstm_stock.config import Config, require_market
from lstm_stock.dataset.covariates import Covariates
from lstm_stock.dataset.market import Market
from lstm_stock.dataset.sessions import with_session_columns


@dataclass(frozen=True)
class BarLoader:
    """Loads the adjusted bars of a config's tickers.

    Attributes:
        read: Returns the adjusted bars of a ticker.
        market: The market of all tickers; None where the config does not need it.
        sessions: Adds the sessions after each bar to the bars of a ticker; None where no feature needs them.
        covariates: The covariates of the config; None without any.
    """

    read: Callable[[str], pd.DataFrame]
    market: Market | None = None
    sessions: Callable[[str, pd.DataFrame], pd.DataFrame] | None = None
    covariates: Covariates | None = None

    @classmethod
    def of(
        cls,
        config: Config,
        read: Callable[[str], pd.DataFrame],
        exchange_of: Callable[[str], str | None],
        covariates: Covariates | None = None,
    ) -> BarLoader:
        """Build the market of a config's tickers where the config needs it.

        Args:
            config: The whole config.
            read: Returns the adjusted bars of a ticker; called here once per ticker if the market is needed.
            exchange_of: Returns the exchange of a ticker that was read, None if unknown.
            covariates: The covariates of the config; None without any.

        Raises:
            ConfigError: The config needs the market, and there is only one ticker.
        """
        require_market(config)
        market = Market.of(map(read, config.data.tickers)) if config.needs_market else None

        def with_sessions(ticker: str, bars: pd.DataFrame) -> pd.DataFrame:
            return with_session_columns(bars, exchange_of(ticker), config.window.horizon)

        return cls(read, market, with_sessions if config.needs_sessions else None, covariates)

    def adjusted(self, ticker: str) -> pd.DataFrame:
        """Return the bars of a ticker: `open high low close volume`, and what the config needs besides."""
        bars = self.read(ticker)
        if self.covariates is not None:
            bars = self.covariates.with_columns(ticker, bars)
        if self.market is not None:
            bars = self.market.with_market_columns(bars)
        return bars if self.sessions is None else self.sessions(ticker, bars)
