"""Choose which of the pretrained networks forecasts a ticker: the one with the most inputs that the store has."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstm_stock.errors import DataError, ShortHistoryError
from lstm_stock.prices import calendars
from lstm_stock.prices.reader import PriceSource
from lstm_stock.prices.store import Store
from lstm_stock.runs.pretrained import Pretrained, PretrainedFolder
from lstm_stock.workflow.run_bars import RunBars
from lstm_stock.workflow.store_market import MIN_SHARES, StoreMarket, is_share, store_market

ADAPTED_OVER = 500
"""Bars before a cutoff over which the adaptive intervals of a pretrained network follow the outcomes."""

FULL_HISTORY = 320
"""Bars after which every feature has its own value: 53 weeks and the warm-up. Before, some have a usual one."""

KEPT_BARS = 1_600
"""Bars of a ticker that a forecast by a pretrained network is computed from. Older ones would weigh 1 % in its
slowest features, which have a half-life of 250 bars, and take two thirds of the time."""

MEASURED = "XNYS"
"""Exchange code of the shares on which the networks were measured: that of New York and Nasdaq."""


@dataclass(frozen=True)
class Choice:
    """The network for a ticker.

    Attributes:
        bars: The bars that it reads.
        inputs: What it reads beside the ticker's own bars, as a phrase; empty if nothing.
        missing: A sentence for each input that the store lacks.
    """

    bars: RunBars
    inputs: str
    missing: tuple[str, ...]

    @property
    def network(self) -> Pretrained:
        """The network."""
        assert isinstance(self.bars.run, Pretrained)
        return self.bars.run


@dataclass
class Chooser:
    """Chooses the network for each ticker of a store; what tickers share is computed once.

    Attributes:
        folder: The pretrained networks.
        store: The store.
        prices: The prices of the store.
        end: Last date used, inclusive; None is each ticker's newest bar.
    """

    folder: PretrainedFolder
    store: Store
    prices: PriceSource
    end: dt.date | None = None

    def __post_init__(self) -> None:
        self._markets: dict[str | None, StoreMarket | None] = {}
        self._bars: dict[tuple[str, str | None], RunBars] = {}

    def choose(self, ticker: str) -> Choice:
        """Return the network with the most inputs that the store has for a ticker.

        Raises:
            ShortHistoryError: The ticker has no bar up to `end`.
            UnusableTickerError: It is a series of values.
            DataError: Its prices are missing.
            RunError: A file of the networks cannot be read.
        """
        history = self.prices.read(ticker)
        history.require_prices()
        exchange = history.provenance.exchange
        market = self._market(exchange) if is_share(ticker) else None
        missing: list[str] = []
        for name, network in self.folder.networks.items():
            covariates = network.config.data.covariates
            if network.config.needs_market and market is None:
                continue
            bars = self._bars_of(name, network, exchange, market)
            lacking = self._lacking(bars, covariates, ticker)
            if lacking:
                missing += [text for text in lacking if text not in missing]
                continue
            if market is None and is_share(ticker) and exchange is not None:
                missing.append(
                    f"with {MIN_SHARES} shares of {exchange} in the store, the network also reads their market"
                )
            parts = [
                f"the market of {market.n_shares} shares" if network.config.needs_market and market else ""
            ]
            parts.append(" and ".join(covariates))
            return Choice(bars, " and ".join(filter(None, parts)), tuple(missing))
        raise DataError(
            f"no network in {self.folder.path} can forecast {ticker} from what the store has",
            "; ".join(missing) or f"fetch {MIN_SHARES} shares of its exchange",
        )

    def _market(self, exchange: str | None) -> StoreMarket | None:
        if exchange not in self._markets:
            self._markets[exchange] = store_market(self.store, exchange)
        return self._markets[exchange]

    def _bars_of(
        self, name: str, network: Pretrained, exchange: str | None, market: StoreMarket | None
    ) -> RunBars:
        key = name, exchange if network.config.needs_market else None
        if key not in self._bars:
            of_store = market.market if market and network.config.needs_market else None
            self._bars[key] = RunBars(network, self.prices, self.end, None, of_store, KEPT_BARS)
        return self._bars[key]

    def _lacking(self, bars: RunBars, covariates: Sequence[str], ticker: str) -> list[str]:
        """Return a sentence for each covariate without a value at the last bar of a ticker."""
        table = bars.table(ticker)
        if table.empty:
            raise ShortHistoryError(
                f"{ticker} has no bar on or before {self.end}", "choose a later date, or fetch more prices"
            )
        stored = [name for name in covariates if self.store.path(name).exists()]
        absent = [name for name in covariates if name not in stored]
        if absent:
            names = " ".join(absent)
            return [
                f"with {' and '.join(absent)} in the store, the network also reads it (`lstm-stock fetch {names}`)"
            ]
        try:
            bars.warnings_of_covariates(ticker)
        except ShortHistoryError as error:
            return [f"{error.message}: the network does without ({error.hint})"]
        first_known = [
            one.newest_known(np.datetime64(table.index[-1], "D"), bars.exchange_of(ticker))[0]
            for one in (bars.covariates.tables if bars.covariates else ())
        ]
        if any(day is None for day in first_known):
            return [f"{' and '.join(covariates)} begins after {table.index[-1]:%F}: the network does without"]
        return []


def _measured(ticker: str, exchange: str | None) -> str:
    """Return what was measured on other kinds of tickers than US shares, 2018 to 2021: see docs/universal.md."""
    if ticker.endswith("=X"):
        return (
            "on three currencies its intervals were too wide, and a HAR regression on the currency's own bars was "
            f"better (`lstm-stock train --set data.tickers={ticker}` has one in its table)"
        )
    if exchange == calendars.EVERY_DAY:
        return "on Bitcoin its 90 % intervals, as trained, had 84 to 87 % of the outcomes"
    return "it was not measured on others but two funds; `lstm-stock evaluate universal` measures it"


def limits(choice: Choice, ticker: str) -> list[str]:
    """Return sentences on what limits the forecast of a ticker by a pretrained network."""
    bars, card = choice.bars, choice.network.provenance
    table, exchange = bars.table(ticker), bars.exchange_of(ticker)
    found = []
    if len(table) < FULL_HISTORY:
        found.append(
            f"{ticker} has {len(table)} bars: with fewer than {FULL_HISTORY}, features of a year have usual values"
        )
    if not is_share(ticker) or exchange != MEASURED:
        found.append(
            f"the network was trained on US shares, which {ticker} is not: {_measured(ticker, exchange)}"
        )
    if f"{table.index[-1]:%F}" < card.test_start:
        found.append(
            f"the network was trained on the bars of {len(card.tickers)} US shares before {card.test_start}: its "
            f" forecast of {ticker} is no test of it"
        )
    return found
