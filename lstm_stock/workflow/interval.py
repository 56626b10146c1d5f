"""The interval of the bars of a training: what the config says, or what the store has; and what it rules out."""

from __future__ import annotations

from collections.abc import Sequence

from lstm_stock.config import Config
from lstm_stock.config.features import FEATURES
from lstm_stock.config.interval import DAILY, INTERVALS, Interval
from lstm_stock.errors import ConfigError, DataError
from lstm_stock.prices.store import Store


def settle_interval(config: Config, store: Store) -> tuple[Config, Store]:
    """Return a config that names its interval, and the store with the bars of this interval.

    Args:
        config: The whole config.
        store: The store, of any interval.

    Raises:
        ConfigError: The tickers' bars are of several intervals, or settings do not suit the interval.
        DataError: Prices are missing.
    """
    name = config.data.interval or _stored_interval(config, store)
    interval = INTERVALS[name]
    _require_suitable(config, interval)
    data = config.data.model_copy(update={"interval": name})
    return config.model_copy(update={"data": data}), store.at(name)


def require_daily(store: Store, tickers: Sequence[str]) -> None:
    """Raise an error if a ticker has no daily bars, which pretrained networks are made for.

    Raises:
        DataError: A ticker has bars of another interval alone, or no prices.
    """
    daily, anyhow = store.at(DAILY.name), store.at(None)
    for ticker in tickers:
        if not daily.path(ticker).exists() and anyhow.path(ticker).exists():
            history = anyhow.read(ticker)
            history.require_prices()
            interval = history.interval
            raise DataError(
                f"the store has {interval.adjective} bars of {ticker}, and pretrained networks, such as the "
                "universal one, forecast daily bars alone",
                f"train a network of its own: `lstm-stock train --set data.tickers={ticker}`, then "
                f"`lstm-stock predict {ticker} --run newest`",
            )
    daily.require(tickers)


def _stored_interval(config: Config, store: Store) -> str:
    found = {ticker: store.interval_of(ticker) for ticker in config.data.all_tickers}
    names = list(dict.fromkeys(found.values()))
    if len(names) > 1:
        listed = ", ".join(f"{ticker}: {name}" for ticker, name in list(found.items())[:5])
        raise ConfigError(
            f"the bars of the tickers are of different intervals ({listed})",
            f"name one that all have, `--set data.interval={names[0]}`, or train them separately",
        )
    return names[0]


def _require_suitable(config: Config, interval: Interval) -> None:
    """Raise an error if the config has settings that daily bars alone can have."""
    if interval.is_daily:
        return
    if config.data.covariates:
        raise ConfigError(
            f"data.covariates: got {', '.join(config.data.covariates)}, must be empty with {interval.adjective} "
            "bars: which value of a covariate is known at a close is computed for daily bars",
            "leave out `data.covariates` and their features",
        )
    if config.model.start is not None:
        raise ConfigError(
            f"model.start: got {config.model.start}, must be null with {interval.adjective} bars: pretrained "
            "networks forecast daily ones",
            "leave out `model.start`",
        )
    seasonal = [name for name in config.features if name in FEATURES and FEATURES[name].by_step]
    if seasonal and not config.of_values:
        raise ConfigError(
            f"features: got {', '.join(seasonal)}, which compare weekdays of past quarters and need daily bars, "
            f"but data.interval is {interval.name}",
            "leave them out of `features`",
        )
