"""What a training is given: from config and store to the bars in range, the split, and the windows of each part.

`train` does this once, a backtest once a fold. Nothing here is learnt but the scaler, and nothing knows Keras.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from lstm_stock.config import Config
from lstm_stock.config.schema import MARKET_SCALE
from lstm_stock.dataset.market import beside, market_of, require_one_close
from lstm_stock.dataset.series import TickerSeries, WindowSpec, fit_ticker, window_spec
from lstm_stock.dataset.split import Split, split_of
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.errors import ShortHistoryError
from lstm_stock.prices.reader import PriceReader


@dataclass(frozen=True)
class SplitWindows:
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


def windows_by_split(
    tickers: Sequence[str], adjusted: Callable[[str], pd.DataFrame], spec: WindowSpec, split: Split
) -> SplitWindows:
    """Fit each ticker's scaler on its train bars and cut its windows.

    Args:
        tickers: Their names.
        adjusted: Gives the adjusted bars of a ticker; called once for each.
        spec: What a window holds.
        split: Where train, val and test meet.

    Raises:
        DataError: A ticker has too few bars for a part.
    """
    series = [fit_ticker(ticker, adjusted(ticker), spec, split) for ticker in tickers]
    train, val, test = (
        [windows_of(one, spec, split, part) for one in series] for part in ("train", "val", "test")
    )
    return SplitWindows(split, train, val, test)


def refit_windows(config: Config, adjusted: Callable[[str], pd.DataFrame], split: Split) -> SplitWindows:
    """Cut the windows for a last training on all bars before the test period: no val, and scalers of those bars.

    Args:
        config: The whole config.
        adjusted: Gives the adjusted bars of a ticker.
        split: The split that had a val.
    """
    spec, wide = window_spec(config), split.without_val
    series = [fit_ticker(ticker, adjusted(ticker), spec, wide) for ticker in config.data.tickers]
    train, test = ([windows_of(one, spec, wide, part) for one in series] for part in ("train", "test"))
    return SplitWindows(wide, train, [], test)


def windows_skipping_short(
    config: Config,
    adjusted: Callable[[str], pd.DataFrame],
    split: Split,
    on_note: Callable[[str], None],
) -> tuple[Config, SplitWindows]:
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
    spec, cut, short = window_spec(config), {}, {}
    for ticker in config.data.tickers:
        try:
            cut[ticker] = windows_by_split([ticker], adjusted, spec, split)
        except ShortHistoryError as error:
            short[ticker] = error
    if short:
        config = _without(config, short, on_note)
        spec = window_spec(config)

    def of_all(part: str) -> list[Windows]:
        # A ticker's code depends on which tickers there are.
        return [replace(windows, spec=spec) for one in cut.values() for windows in getattr(one, part)]

    return config, SplitWindows(split, of_all("train"), of_all("val"), of_all("test"))


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


def drop_without_bars(config: Config, reader: PriceReader, on_note: Callable[[str], None]) -> Config:
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
        origins = [reader.origins[ticker] for ticker in config.data.tickers]
        unknown = require_one_close(
            {ticker: reader.exchanges[ticker] for ticker in config.data.tickers},
            dt.date.fromisoformat(min(origin.first for origin in origins)),
            dt.date.fromisoformat(max(origin.last for origin in origins)),
        )
        if unknown:
            on_note(
                f"`target_scale: {MARKET_SCALE}` needs sessions that end together, and of {len(unknown)} of "
                f"{len(config.data.tickers)} tickers the exchange is unknown: make sure of it, or fetch with "
                "`--exchange`"
            )
    return config


@dataclass(frozen=True)
class Dataset:
    """What a config's tickers give to learn from.

    Attributes:
        config: That of the tickers that are left.
        windows: Theirs.
        adjusted: Gives the bars that those were cut from, with the market beside them where it is needed.
    """

    config: Config
    windows: SplitWindows
    adjusted: Callable[[str], pd.DataFrame]


def build_dataset(config: Config, reader: PriceReader, on_note: Callable[[str], None]) -> Dataset:
    """Split the bars of a config's tickers and cut their windows, without those whose history is too short.

    A ticker that is left out does not decide where the parts meet, either: the config that is returned gives the
    same split and the same windows again.

    Raises:
        ShortHistoryError: No ticker is left.
        DataError: Prices are missing, or cannot be used.
        ConfigError: The tickers left make no market, and it needs one.
    """
    config = drop_without_bars(config, reader, on_note)
    while True:
        split = split_of(config.split, reader.dates(config.data.tickers))
        market = market_of(config, reader.adjusted)
        adjusted = beside(market, reader.adjusted)
        fits, parts = windows_skipping_short(config, adjusted, split, on_note)
        if fits.data.tickers == config.data.tickers:
            if market is not None and market.n_unknown:
                on_note(
                    f"on {market.n_unknown} of {len(market.dates)} dates fewer than half of the tickers have a "
                    "bar: what the market did is taken to be nothing unusual"
                )
            return Dataset(fits, parts, adjusted)
        config = fits
