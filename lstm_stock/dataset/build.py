"""From a config and a reader of prices to the windows of train, val and test of every usable ticker.

`train` does this once, a backtest once per fold. Nothing here knows Keras.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from lstm_stock.config import Config
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.series import TickerSeries, WindowSpec, fit_ticker, window_spec
from lstm_stock.dataset.sessions import require_one_close
from lstm_stock.dataset.split import Split, SplitName, split_of
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.errors import ShortHistoryError, UnusableTickerError
from lstm_stock.prices.reader import PriceReader

T = TypeVar("T")


@dataclass(frozen=True)
class SplitWindows:
    """The windows of each part of a split, one entry per ticker in each part.

    Attributes:
        split: Where val and test start.
        train: What the network learns from.
        val: What early stopping and the calibration read.
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


@dataclass(frozen=True)
class Dataset:
    """The windows of a config's usable tickers.

    Attributes:
        config: The config of these tickers.
        windows: Their windows.
        loader: Loads the bars that the windows were cut from.
    """

    config: Config
    windows: SplitWindows
    loader: BarLoader


def build_dataset(config: Config, reader: PriceReader, on_note: Callable[[str], None]) -> Dataset:
    """Split the bars of a config's tickers and cut their windows; tickers whose bars cannot be used are left out.

    Args:
        config: The whole config.
        reader: Of the prices.
        on_note: Called with each sentence that the user should read.

    Raises:
        UnusableTickerError: No ticker is left.
        DataError: Prices are missing.
        ConfigError: The target scale needs the market, and the tickers left make none.
    """
    loader = BarLoader(reader.adjusted)

    def cut(config: Config) -> tuple[Config, SplitWindows]:
        nonlocal loader
        split = split_of(config.split, reader.dates(config.data.tickers))
        loader = BarLoader.of(config, reader.adjusted)
        return windows_skipping_unusable(config, loader, split, on_note)

    config, windows = until_all_usable(drop_without_bars(config, reader, on_note), cut)
    market = loader.market
    if market is not None and market.n_unknown:
        on_note(
            f"on {market.n_unknown} of {len(market.dates)} dates fewer than half of the tickers have a "
            "bar: what the market did is taken to be nothing unusual"
        )
    return Dataset(config, windows, loader)


def until_all_usable(config: Config, cut: Callable[[Config], tuple[Config, T]]) -> tuple[Config, T]:
    """Repeat `cut` without the tickers that it left out, until it leaves out none.

    A ticker that is left out thus decides neither the split nor the market: the config that is returned gives the
    same windows when it is cut again.

    Args:
        config: The whole config.
        cut: Maps a config to the config of its usable tickers, and what was made of them.
    """
    while True:
        usable, result = cut(config)
        if usable.data.tickers == config.data.tickers:
            return config, result
        config = usable


def windows_skipping_unusable(
    config: Config, loader: BarLoader, split: Split, on_note: Callable[[str], None]
) -> tuple[Config, SplitWindows]:
    """Cut the windows of a config's tickers, without those whose bars cannot be used.

    Args:
        config: The whole config.
        loader: Of their bars.
        split: Where train, val and test meet.
        on_note: Called with a sentence that names the tickers left out, and why.

    Returns:
        The config of the tickers that are left, and their windows.

    Raises:
        UnusableTickerError: No ticker is left.
    """
    spec, cut, errors = window_spec(config), {}, {}
    for ticker in config.data.tickers:
        try:
            cut[ticker] = windows_by_split([ticker], loader, spec, split)
        except UnusableTickerError as error:
            errors[ticker] = error
    config = _without(config, errors, on_note)
    spec = window_spec(config)  # a ticker's id depends on which tickers there are

    def of_all(part: SplitName) -> list[Windows]:
        return [replace(windows, spec=spec) for one in cut.values() for windows in getattr(one, part)]

    return config, SplitWindows(split, of_all("train"), of_all("val"), of_all("test"))


def windows_by_split(
    tickers: Sequence[str], loader: BarLoader, spec: WindowSpec, split: Split
) -> SplitWindows:
    """Fit each ticker's scaler on its train bars and cut its windows.

    Args:
        tickers: Their names.
        loader: Of their bars; each ticker is loaded once.
        spec: What a window holds.
        split: Where train, val and test meet.

    Raises:
        UnusableTickerError: A ticker has too few bars for a part, or bars that cannot be used.
    """
    series = [fit_ticker(ticker, loader.adjusted(ticker), spec, split) for ticker in tickers]
    train, val, test = (
        [windows_of(one, spec, split, part) for one in series] for part in ("train", "val", "test")
    )
    return SplitWindows(split, train, val, test)


def refit_windows(config: Config, loader: BarLoader, split: Split) -> SplitWindows:
    """Cut the windows of a last training on all bars before the test period: no val, and scalers of those bars.

    Args:
        config: The whole config.
        loader: Of the bars.
        split: The split that had a val.
    """
    spec, wide = window_spec(config), split.without_val
    series = [fit_ticker(ticker, loader.adjusted(ticker), spec, wide) for ticker in config.data.tickers]
    train, test = ([windows_of(one, spec, wide, part) for one in series] for part in ("train", "test"))
    return SplitWindows(wide, train, [], test)


def drop_without_bars(config: Config, reader: PriceReader, on_note: Callable[[str], None]) -> Config:
    """Leave out the tickers that have no bar in the config's range.

    Raises:
        ShortHistoryError: No ticker is left.
        DataError: The prices of a ticker are missing.
        ConfigError: The target scale needs the market, and the sessions of those left end apart.
    """
    errors = {}
    for ticker in config.data.tickers:
        try:
            reader.table(ticker)
        except ShortHistoryError as error:
            errors[ticker] = error
    config = _without(config, errors, on_note)
    if config.needs_market:
        _require_one_close(config, reader, on_note)
    return config


def _require_one_close(config: Config, reader: PriceReader, on_note: Callable[[str], None]) -> None:
    tickers, scale = config.data.tickers, config.target_scale
    origins = [reader.origins[ticker] for ticker in tickers]
    unknown = require_one_close(
        scale,
        {ticker: reader.exchanges[ticker] for ticker in tickers},
        dt.date.fromisoformat(min(origin.first for origin in origins)),
        dt.date.fromisoformat(max(origin.last for origin in origins)),
    )
    if unknown:
        on_note(
            f"`target_scale: {scale}` needs sessions that end together, and of {len(unknown)} of {len(tickers)} "
            "tickers the exchange is unknown: make sure of it, or fetch with `--exchange`"
        )


def _without(
    config: Config, errors: Mapping[str, UnusableTickerError], on_note: Callable[[str], None]
) -> Config:
    """Leave tickers out of a config, and note why; raise the first error if none is left."""
    kept = tuple(ticker for ticker in config.data.tickers if ticker not in errors)
    if not kept:
        raise next(iter(errors.values()))
    short = {ticker: error for ticker, error in errors.items() if isinstance(error, ShortHistoryError)}
    others = {ticker: error for ticker, error in errors.items() if ticker not in short}
    for reason, of_reason in (("their history is too short", short), ("their bars cannot be used", others)):
        if of_reason:
            why = "; ".join(f"{ticker}: {error.message}" for ticker, error in of_reason.items())
            on_note(f"left out, as {reason}: {', '.join(of_reason)} ({why})")
    return config.model_copy(update={"data": config.data.model_copy(update={"tickers": kept})})
