"""Build the windows of train, val and test of every usable ticker, from a config and a `PriceReader`.

`train` does this once, a backtest once per fold.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lstm_stock.config import Config
from lstm_stock.dataset.blas import one_blas_thread
from lstm_stock.dataset.covariates import Covariates
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.series import (
    TickerSeries,
    WindowSpec,
    fit_ticker,
    pool_scalers,
    scale_all,
    window_spec,
)
from lstm_stock.dataset.sessions import require_one_close
from lstm_stock.dataset.split import Split, SplitName, split_of
from lstm_stock.dataset.start import Start
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.errors import ConfigError, ShortHistoryError, UnusableTickerError
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.values import has_values

T = TypeVar("T")


MAX_REASONS = 5
"""Reasons that are given for tickers left out; of more tickers, only the names are."""


@dataclass(frozen=True)
class SplitWindows:
    """The windows of each part of a split.

    Attributes:
        split: Where val and test start.
        train: The windows that the network is trained on, one entry per ticker.
        val: The windows of early stopping and of the calibration, one entry per ticker that has any.
        test: The windows that are forecast, likewise.
        start: What the training starts from; None is nothing.
    """

    split: Split
    train: list[Windows]
    val: list[Windows]
    test: list[Windows]
    start: Start | None = None

    @property
    def series(self) -> list[TickerSeries]:
        """The series of each ticker, scaled by its train bars."""
        return [windows.series for windows in self.train]


@dataclass(frozen=True)
class Dataset:
    """The windows of a config's usable tickers: those with train windows, wherever their bars end.

    Attributes:
        config: The config of these tickers.
        windows: Their windows.
        loader: Loads their bars.
    """

    config: Config
    windows: SplitWindows
    loader: BarLoader


def build_dataset(
    config: Config,
    reader: PriceReader,
    on_note: Callable[[str], None],
    has_test: bool = True,
    start: Start | None = None,
) -> Dataset:
    """Split the bars of a config's tickers and cut their windows; tickers with unusable bars are left out.

    A ticker whose bars end before the test period is trained on and part of the market until it ends: whether it
    goes on is not known when the network is trained.

    Args:
        config: The whole config.
        reader: Reads the prices.
        on_note: Called with each note for the user.
        has_test: Whether there is a test period. Without one, val ends with the last date.
        start: What the training starts from; its scaler is that of every ticker.

    Raises:
        UnusableTickerError: No ticker is left, or none has windows of val or of test.
        DataError: Prices are missing.
        ConfigError: The config needs the market, and fewer than two tickers are left.
    """
    config = drop_without_bars(config, reader, on_note)
    covariates = covariates_of(config, reader)

    def cut(config: Config) -> tuple[Config, tuple[SplitWindows, BarLoader]]:
        split = split_of(config.split, reader.dates(config.data.tickers), has_test)
        loader = BarLoader.of(config, reader.adjusted, reader.exchange_of, covariates)
        config, windows = windows_skipping_unusable(config, loader, split, on_note, start)
        return config, (windows, loader)

    config, (windows, loader) = until_all_usable(config, cut)
    market = loader.market
    if market is not None and market.n_incomplete:
        on_note(
            f"on {market.n_incomplete} of {len(market.dates)} dates fewer than half of the tickers have a bar: "
            "the market is 0 there"
        )
    if has_test:
        note_unscored(config, [test.series.ticker for test in windows.test], on_note)
    return Dataset(config, windows, loader)


def until_all_usable(config: Config, cut: Callable[[Config], tuple[Config, T]]) -> tuple[Config, T]:
    """Repeat `cut` without the tickers that it left out, until it leaves out none.

    So a ticker that is left out affects neither the split nor the market.

    Args:
        config: The whole config.
        cut: Maps a config to the config of its usable tickers, and the result for these.

    Returns:
        The config of the usable tickers, and the result of the last `cut`.
    """
    while True:
        usable, result = cut(config)
        if usable.data.tickers == config.data.tickers:
            return config, result
        config = usable


def windows_skipping_unusable(
    config: Config,
    loader: BarLoader,
    split: Split,
    on_note: Callable[[str], None],
    start: Start | None = None,
) -> tuple[Config, SplitWindows]:
    """Cut the windows of a config's tickers; tickers without usable train bars are left out.

    Args:
        config: The whole config.
        loader: Loads their bars.
        split: Where val and test start.
        on_note: Called with a sentence that names the tickers left out, with the reasons.
        start: What the training starts from.

    Returns:
        The config of the tickers that are left, and their windows.

    Raises:
        UnusableTickerError: No ticker is left, or none has windows of val or of test.
    """
    spec, series, errors = window_spec(config), [], {}
    with one_blas_thread():
        for ticker in config.data.tickers:
            try:
                series.append(fit_ticker(ticker, loader.adjusted(ticker), spec, split))
            except UnusableTickerError as error:
                errors[ticker] = error
    config = _without(config, errors, on_note)
    # The ids of tickers depend on those that are left.
    return config, _cut(_scaled(series, spec, split, start), window_spec(config), split, start)


def windows_by_split(
    tickers: Sequence[str], loader: BarLoader, spec: WindowSpec, split: Split, start: Start | None = None
) -> SplitWindows:
    """Fit each ticker's scaler on its train bars and cut its windows of train, and of val and test if it has any.

    Args:
        tickers: Their names.
        loader: Loads their bars, once per ticker.
        spec: Inputs and targets of a window.
        split: Where val and test start.
        start: What the training starts from.

    Raises:
        UnusableTickerError: The train bars of a ticker cannot be used, or none has windows of val or of test.
    """
    series = [fit_ticker(ticker, loader.adjusted(ticker), spec, split) for ticker in tickers]
    return _cut(_scaled(series, spec, split, start), spec, split, start)


def _scaled(
    series: list[TickerSeries], spec: WindowSpec, split: Split, start: Start | None
) -> list[TickerSeries]:
    if start is not None:
        return scale_all(series, start.scaler)
    return pool_scalers(series, split) if spec.scaler == "pooled" else series


def _cut(series: Sequence[TickerSeries], spec: WindowSpec, split: Split, start: Start | None) -> SplitWindows:
    train = [windows_of(one, spec, split, "train") for one in series]
    val, test = _where_any(series, spec, split, "val"), _where_any(series, spec, split, "test")
    return SplitWindows(split, train, val, test, start)


def _where_any(
    series: Sequence[TickerSeries], spec: WindowSpec, split: Split, part: SplitName
) -> list[Windows]:
    """Return the windows of each ticker that has any; ShortHistoryError if none has, of a part that there is."""
    if part == "test" and not split.has_test:
        return []
    found, errors = [], []
    for one in series:
        try:
            found.append(windows_of(one, spec, split, part))
        except ShortHistoryError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return found


def note_unscored(config: Config, scored: Collection[str], on_note: Callable[[str], None]) -> None:
    """Name the tickers of a config that are trained on and not scored."""
    names = [ticker for ticker in config.data.tickers if ticker not in scored]
    if names:
        on_note(f"trained on but not scored, as the bars end before the test period: {', '.join(names)}")


def refit_windows(
    config: Config, loader: BarLoader, split: Split, start: Start | None = None
) -> SplitWindows:
    """Cut the windows of a refit: train is all bars before the test period, with scalers fitted on them; no val.

    Args:
        config: The whole config.
        loader: Loads the bars.
        split: The split of the first training.
        start: What the training starts from.
    """
    spec, wide = window_spec(config), split.without_val
    with one_blas_thread():
        series = [fit_ticker(ticker, loader.adjusted(ticker), spec, wide) for ticker in config.data.tickers]
    series = _scaled(series, spec, wide, start)
    train = [windows_of(one, spec, wide, "train") for one in series]
    return SplitWindows(wide, train, [], _where_any(series, spec, wide, "test"), start)


def drop_without_bars(config: Config, reader: PriceReader, on_note: Callable[[str], None]) -> Config:
    """Leave out the tickers that have no bar in the config's range, and note what is missing of the covariates.

    Raises:
        ShortHistoryError: No ticker is left, or a covariate has no bar in the range.
        DataError: The prices of a ticker or covariate are missing.
        ConfigError: The config needs the market, and sessions of the tickers left end at different times; or a
            ticker has prices and the config is of series of values, or the other way round.
    """
    errors = {}
    for ticker in config.data.tickers:
        try:
            reader.table(ticker)
        except ShortHistoryError as error:
            errors[ticker] = error
    config = _without(config, errors, on_note)
    _require_kind(config, reader)
    if config.needs_market:
        _require_one_close(config, reader, on_note)
    covariates = covariates_of(config, reader)
    if covariates is not None:
        for text in covariates.notes(config.data.tickers, reader.dates(config.data.tickers)):
            on_note(text)
    return config


def _require_kind(config: Config, reader: PriceReader) -> None:
    """Raise a ConfigError if a ticker has prices and the config is of series of values, or the other way round."""
    for ticker in config.data.all_tickers:
        of_values = has_values(reader.table(ticker))
        if of_values and not config.of_values:
            raise ConfigError(
                f"{ticker} is a series of values, and target {config.target} is of prices",
                f"without `--config`, `lstm-stock train {ticker}` takes the config `values`",
            )
        if config.of_values and not of_values:
            raise ConfigError(
                f"{ticker} has prices, and target {config.target} is of series of values",
                f"leave out `--config` and `target`: `lstm-stock train {ticker}`",
            )


def covariates_of(config: Config, reader: PriceReader) -> Covariates | None:
    """Return the covariates of a config, on all bars of its range; None if it has none.

    Raises:
        DataError: The prices of a covariate are missing.
    """
    return Covariates.of(config, reader.adjusted, reader.exchange_of) if config.data.covariates else None


def _require_one_close(config: Config, reader: PriceReader, on_note: Callable[[str], None]) -> None:
    tickers = config.data.tickers
    origins = [reader.origins[ticker] for ticker in tickers]
    unknown = require_one_close(
        config,
        {ticker: reader.exchanges[ticker] for ticker in tickers},
        dt.date.fromisoformat(min(origin.first for origin in origins)[:10]),
        dt.date.fromisoformat(max(origin.last for origin in origins)[:10]),
    )
    if unknown:
        on_note(
            f"`{config.market_user}` needs sessions that end together, but when those of {len(unknown)} of "
            f"{len(tickers)} tickers end is unknown: check their exchanges, or fetch with `--exchange`"
        )


def _without(
    config: Config, errors: Mapping[str, UnusableTickerError], on_note: Callable[[str], None]
) -> Config:
    """Leave tickers out of a config with a note; raise the first error if none is left."""
    kept = tuple(ticker for ticker in config.data.tickers if ticker not in errors)
    if not kept:
        raise next(iter(errors.values()))
    if errors:
        reasons = [f"{ticker}: {error.message}" for ticker, error in errors.items()]
        more = [f"and {len(reasons) - MAX_REASONS} more"] if len(reasons) > MAX_REASONS else []
        why = "; ".join(reasons[:MAX_REASONS] + more)
        on_note(f"left out: {', '.join(errors)} ({why})")
    return with_tickers(config, kept)


def with_tickers(config: Config, tickers: Iterable[str]) -> Config:
    """Return the config with other tickers."""
    return config.model_copy(update={"data": config.data.model_copy(update={"tickers": tuple(tickers)})})
