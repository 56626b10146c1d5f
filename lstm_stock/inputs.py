"""What a training is given: from config and store to the bars in range, the split, and the windows of each part.

`train` does this once, a backtest once a fold. Nothing here is learnt but the scaler, and nothing knows Keras.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lstm_stock import prices
from lstm_stock.calendars import usual_end
from lstm_stock.config import MARKET_SCALE, Config, DataConfig, SplitConfig, require_market
from lstm_stock.dataset import (
    Dates,
    Recipe,
    Split,
    TickerSeries,
    Windows,
    fit_ticker,
    windows_of,
)
from lstm_stock.errors import ConfigError, DataError, ShortHistoryError
from lstm_stock.market import Market
from lstm_stock.prices import PriceHistory
from lstm_stock.run import TickerOrigin
from lstm_stock.store import Store

SAME_CLOSE = dt.timedelta(minutes=30)
"""Sessions that end within this of one another end together."""


def recipe_of(config: Config) -> Recipe:
    """Take from the config what a window holds."""
    return Recipe(
        features=tuple(config.features),
        target=config.target,
        target_scale=config.target_scale,
        look_back=config.window.look_back,
        horizon=config.window.horizon,
        scaler=config.scaler,
        tickers=config.data.tickers if config.model.ticker_embedding else (),
    )


class PriceReader:
    """Read the bars of a config's tickers between its `start` and `end`, again whenever they are needed.

    The price tables of many tickers together would outweigh their features, so none is kept; what is kept is
    where each came from. Newer bars than those read first are left out, and a past that has changed is refused.

    Args:
        data: The `data` section.
        store: Where the prices are.

    Attributes:
        origins: Where each ticker's bars came from, of those read so far.
        exchanges: Where each of them trades, None if that is unknown.
    """

    def __init__(self, data: DataConfig, store: Store) -> None:
        self.origins: dict[str, TickerOrigin] = {}
        self.exchanges: dict[str, str | None] = {}
        self._data = data
        self._store = store

    def table(self, ticker: str) -> pd.DataFrame:
        """Return a ticker's price table.

        Raises:
            ShortHistoryError: There are no bars in range.
            DataError: There are no prices, or they changed since they were read first.
        """
        history = self._in_range(ticker)
        if ticker in self.origins:  # bars that were fetched meanwhile are for the next time
            last = dt.date.fromisoformat(self.origins[ticker].last)
            history = replace(history, table=between(history.table, None, last))
        self.exchanges[ticker] = history.provenance.exchange
        origin = _origin(history)
        if self.origins.setdefault(ticker, origin).hash != origin.hash:
            raise DataError(
                f"the stored prices of {ticker} were fetched anew meanwhile, and their past is another one",
                "give the same command again",
            )
        return history.table

    def adjusted(self, ticker: str) -> pd.DataFrame:
        """Return a ticker's bars, adjusted for dividends; DataError as `table`."""
        return prices.adjusted(self.table(ticker))

    def dates(self, tickers: Sequence[str]) -> Dates:
        """Return every date on which one of the tickers has a bar, sorted; DataError as `table`."""
        return all_dates([days_of(self.table(ticker)) for ticker in tickers])

    def _in_range(self, ticker: str) -> PriceHistory:
        history, data = self._store.read(ticker), self._data
        table = between(history.table, data.start, data.end)
        if table.empty:
            first, last = history.table.index[[0, -1]]
            raise ShortHistoryError(
                f"{ticker} has no bar between {data.start} and {data.end}: "
                f"the store has {first:%F} to {last:%F}",
                f"change `data.start` and `data.end`, or fetch more: `lstm-stock fetch {ticker}`",
            )
        return replace(history, table=table)


def market_of(config: Config, adjusted: Callable[[str], pd.DataFrame]) -> Market | None:
    """Find what all tickers of a config did on each date, where its `target_scale` looks at that.

    Args:
        config: The whole config.
        adjusted: Gives the adjusted bars of a ticker; called once for each.

    Raises:
        ConfigError: One ticker is no market.
    """
    if config.target_scale != MARKET_SCALE:
        return None
    require_market(config)
    return Market.of(map(adjusted, config.data.tickers))


def beside(market: Market | None, adjusted: Callable[[str], pd.DataFrame]) -> Callable[[str], pd.DataFrame]:
    """Give the bars of a ticker with the market beside them, if there is one."""
    return adjusted if market is None else lambda ticker: market.beside(adjusted(ticker))


def with_market(config: Config, adjusted: Callable[[str], pd.DataFrame]) -> Callable[[str], pd.DataFrame]:
    """Give the bars of a ticker with the market beside them, where the config needs it.

    Raises:
        ConfigError: As `market_of`.
    """
    return beside(market_of(config, adjusted), adjusted)


def require_one_close(exchanges: Mapping[str, str | None]) -> list[str]:
    """Refuse a market of tickers whose sessions end at different hours.

    The bar that New York has of a date is not known when Tokyo's session of that date ends.

    Args:
        exchanges: Of each ticker; None where it is unknown.

    Returns:
        The tickers of which it is not known when their sessions end.

    Raises:
        ConfigError: Two differ by more than `SAME_CLOSE`.
    """
    ends = {ticker: None if code is None else usual_end(code) for ticker, code in exchanges.items()}
    known = sorted((end, ticker) for ticker, end in ends.items() if end is not None)
    if known and known[-1][0] - known[0][0] > SAME_CLOSE:
        early, late = known[0][1], known[-1][1]
        raise ConfigError(
            f"`target_scale: {MARKET_SCALE}` needs tickers whose sessions end together: "
            f"{early} trades at {exchanges[early]}, {late} at {exchanges[late]}",
            "train them apart, or set `target_scale: har`, which looks at each alone",
        )
    return [ticker for ticker, end in ends.items() if end is None]


def between(table: pd.DataFrame, start: dt.date | None, end: dt.date | None) -> pd.DataFrame:
    """Return the bars from `start` to `end`, both included; None is no bound."""
    days = days_of(table)
    first = 0 if start is None else int(np.searchsorted(days, np.datetime64(start, "D")))
    after = len(days) if end is None else int(np.searchsorted(days, np.datetime64(end, "D"), side="right"))
    return table.iloc[first:after]


def days_of(table: pd.DataFrame) -> Dates:
    """Return the day of each bar, shape `(n_bars,)`."""
    return table.index.to_numpy().astype("datetime64[D]")


def all_dates(dates: Sequence[Dates]) -> Dates:
    """Return the distinct dates of several tickers, sorted."""
    return np.unique(np.concatenate(dates))


def _origin(history: PriceHistory) -> TickerOrigin:
    table = history.table
    return TickerOrigin(
        hash=prices.table_hash(table),
        first=f"{table.index[0]:%F}",
        last=f"{table.index[-1]:%F}",
        n_bars=len(table),
        source=history.provenance.source,
        first_close=float(prices.adjusted(table)["close"].iloc[0]),
    )


def split_of(config: SplitConfig, dates: Dates) -> Split:
    """Find the dates where val and test start; they are the same for all tickers.

    Args:
        config: The `split` section.
        dates: `PriceReader.dates`.

    Raises:
        DataError: A part would be empty.
    """
    val, test = config.val, config.test
    if not isinstance(val, float) or not isinstance(test, float):
        return Split(np.datetime64(str(val), "D"), np.datetime64(str(test), "D"))
    return Split.by_share(dates, val, test)


@dataclass(frozen=True)
class Parts:
    """The windows of every ticker, one entry a ticker in each part, under one split.

    Attributes:
        split: Where val and test start.
        train: What the network learns from.
        val: What decides when it has learnt enough.
        test: What is forecast.
    """

    split: Split
    train: list[Windows]
    val: list[Windows]
    test: list[Windows]

    @property
    def series(self) -> list[TickerSeries]:
        """Each ticker, scaled by its train bars."""
        return [windows.series for windows in self.train]


def cut_into_parts(
    tickers: Sequence[str], adjusted: Callable[[str], pd.DataFrame], recipe: Recipe, split: Split
) -> Parts:
    """Fit each ticker's scaler on its train bars and cut its windows.

    Args:
        tickers: Their names.
        adjusted: Gives the adjusted bars of a ticker; called once for each.
        recipe: What a window holds.
        split: Where train, val and test meet.

    Raises:
        DataError: A ticker has too few bars for a part.
    """
    series = [fit_ticker(ticker, adjusted(ticker), recipe, split) for ticker in tickers]
    train, val, test = (
        [windows_of(one, recipe, split, part) for one in series] for part in ("train", "val", "test")
    )
    return Parts(split, train, val, test)


def cut_again(config: Config, adjusted: Callable[[str], pd.DataFrame], split: Split) -> Parts:
    """Cut the windows for a last training on all bars before the test period: no val, and scalers of those bars.

    Args:
        config: The whole config.
        adjusted: Gives the adjusted bars of a ticker.
        split: The split that had a val.
    """
    recipe, wide = recipe_of(config), split.without_val
    series = [fit_ticker(ticker, adjusted(ticker), recipe, wide) for ticker in config.data.tickers]
    train, test = ([windows_of(one, recipe, wide, part) for one in series] for part in ("train", "test"))
    return Parts(wide, train, [], test)


def cut_what_fits(
    config: Config,
    adjusted: Callable[[str], pd.DataFrame],
    split: Split,
    on_note: Callable[[str], None],
) -> tuple[Config, Parts]:
    """Cut the windows of a config's tickers, without those whose history is too short for a part.

    Args:
        config: The whole config.
        adjusted: Gives the adjusted bars of a ticker.
        split: Where train, val and test meet.
        on_note: Called with a sentence that names the tickers left out.

    Returns:
        The config of the tickers that are left, and their windows.

    Raises:
        ShortHistoryError: None is left.
        DataError: The bars of a ticker cannot be used.
    """
    recipe, cut, short = recipe_of(config), {}, {}
    for ticker in config.data.tickers:
        try:
            cut[ticker] = cut_into_parts([ticker], adjusted, recipe, split)
        except ShortHistoryError as error:
            short[ticker] = error
    if short:
        config = _without(config, short, on_note)
        recipe = recipe_of(config)

    def of_all(part: str) -> list[Windows]:
        # A ticker's code depends on which tickers there are.
        return [replace(windows, recipe=recipe) for one in cut.values() for windows in getattr(one, part)]

    return config, Parts(split, of_all("train"), of_all("val"), of_all("test"))


def _without(
    config: Config, short: Mapping[str, ShortHistoryError], on_note: Callable[[str], None]
) -> Config:
    """Leave tickers out of a config, and say so; raise the first error if none is left."""
    kept = tuple(ticker for ticker in config.data.tickers if ticker not in short)
    if not kept:
        raise next(iter(short.values()))
    why = "; ".join(f"{ticker}: {error.message}" for ticker, error in short.items())
    on_note(f"left out, as their history is too short: {', '.join(short)} ({why})")
    return config.model_copy(update={"data": config.data.model_copy(update={"tickers": kept})})


def with_bars(config: Config, reader: PriceReader, on_note: Callable[[str], None]) -> Config:
    """Leave out the tickers that have no bar in the config's range at all.

    Raises:
        ShortHistoryError: None is left.
        DataError: The prices of a ticker are missing.
        ConfigError: Those left cannot make the market that the config needs.
    """
    short = {}
    for ticker in config.data.tickers:
        try:
            reader.table(ticker)
        except ShortHistoryError as error:
            short[ticker] = error
    config = _without(config, short, on_note) if short else config
    if config.target_scale == MARKET_SCALE:
        unknown = require_one_close({ticker: reader.exchanges[ticker] for ticker in config.data.tickers})
        if unknown:
            on_note(
                f"`target_scale: {MARKET_SCALE}` needs sessions that end together, and of {len(unknown)} of "
                f"{len(config.data.tickers)} tickers the exchange is unknown: make sure of it, or fetch with "
                "`--exchange`"
            )
    return config


@dataclass(frozen=True)
class Cut:
    """What a config's tickers give to learn from.

    Attributes:
        config: That of the tickers that are left.
        parts: Their windows.
        adjusted: Gives the bars that those were cut from, with the market beside them where it is needed.
    """

    config: Config
    parts: Parts
    adjusted: Callable[[str], pd.DataFrame]


def split_what_fits(config: Config, reader: PriceReader, on_note: Callable[[str], None]) -> Cut:
    """Split the bars of a config's tickers and cut their windows, without those whose history is too short.

    A ticker that is left out does not decide where the parts meet, either: the config that is returned gives the
    same split and the same windows again.

    Raises:
        ShortHistoryError: No ticker is left.
        DataError: Prices are missing, or cannot be used.
        ConfigError: The tickers left make no market, and it needs one.
    """
    config = with_bars(config, reader, on_note)
    while True:
        split = split_of(config.split, reader.dates(config.data.tickers))
        market = market_of(config, reader.adjusted)
        adjusted = beside(market, reader.adjusted)
        fits, parts = cut_what_fits(config, adjusted, split, on_note)
        if fits.data.tickers == config.data.tickers:
            if market is not None and market.n_unknown:
                on_note(
                    f"on {market.n_unknown} of {len(market.dates)} dates fewer than half of the tickers have a "
                    "bar: what the market did is taken to be nothing unusual"
                )
            return Cut(fits, parts, adjusted)
        config = fits
