"""Load the bars of a ticker as features need them: adjusted, with the market where the target scale needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from lstm_stock.config import Config, require_market
from lstm_stock.dataset.market import Market


@dataclass(frozen=True)
class BarLoader:
    """The adjusted bars of the tickers of one config, loaded when they are needed.

    Attributes:
        read: Returns the adjusted bars of a ticker.
        market: What all tickers did on each date; None where the target scale does not need it.
    """

    read: Callable[[str], pd.DataFrame]
    market: Market | None = None

    @classmethod
    def of(cls, config: Config, read: Callable[[str], pd.DataFrame]) -> BarLoader:
        """Build the market of a config's tickers where its target scale needs it.

        Args:
            config: The whole config.
            read: Returns the adjusted bars of a ticker; called once for each ticker where there is a market.

        Raises:
            ConfigError: The target scale needs the market, and there is one ticker.
        """
        require_market(config)
        return cls(read, Market.of(map(read, config.data.tickers)) if config.needs_market else None)

    def adjusted(self, ticker: str) -> pd.DataFrame:
        """Return the bars of a ticker, columns `open high low close volume`, and `market` if there is one."""
        bars = self.read(ticker)
        return bars if self.market is None else self.market.with_market_column(bars)
