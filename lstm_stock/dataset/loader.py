"""Load the adjusted bars of a ticker, with the market column where the target scale needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from lstm_stock.config import Config, require_market
from lstm_stock.dataset.market import Market


@dataclass(frozen=True)
class BarLoader:
    """Loads the adjusted bars of a config's tickers.

    Attributes:
        read: Returns the adjusted bars of a ticker.
        market: The market of all tickers; None where the target scale does not need it.
    """

    read: Callable[[str], pd.DataFrame]
    market: Market | None = None

    @classmethod
    def of(cls, config: Config, read: Callable[[str], pd.DataFrame]) -> BarLoader:
        """Build the market of a config's tickers where its target scale needs it.

        Args:
            config: The whole config.
            read: Returns the adjusted bars of a ticker; called here once per ticker if the scale needs the market.

        Raises:
            ConfigError: The target scale needs the market, and there is only one ticker.
        """
        require_market(config)
        return cls(read, Market.of(map(read, config.data.tickers)) if config.needs_market else None)

    def adjusted(self, ticker: str) -> pd.DataFrame:
        """Return the bars of a ticker, columns `open high low close volume`, and `market` where it is needed."""
        bars = self.read(ticker)
        return bars if self.market is None else self.market.with_market_column(bars)
