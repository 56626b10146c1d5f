"""The config of a series of values: chosen where the user names none, and completed from the series itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstm_stock.config import Config, load_config
from lstm_stock.config.load import named_tickers
from lstm_stock.config.seasons import NO_SEASON, SEASONS, Season
from lstm_stock.errors import ConfigError, DataError
from lstm_stock.prices.reader import PriceSource
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory
from lstm_stock.prices.values import VALUE, interval_of, interval_text


def load_config_for(path: Path | None, overrides: Sequence[str], store: Store) -> tuple[Config, list[str]]:
    """Load a config; where no file is named and the first ticker is a series of values, the packaged `values`.

    Its target, season, look back and horizon are then those of the series, unless an override names them.

    Args:
        path: A config file, or the name of a packaged config; None is the default.
        overrides: `KEY=VALUE` each.
        store: The store.

    Returns:
        The config, and a sentence on what was chosen.

    Raises:
        ConfigError: A setting is wrong.
    """
    first = None if path is not None else _first_series(named_tickers(overrides), store)
    if first is None:
        return load_config(path, overrides), []
    season = _season_of(first)
    values = first.table[VALUE]
    is_positive = bool(values.min() > 0)
    chosen = {
        "target": "log_ratio" if is_positive else "difference",
        "window.season_length": season.length,
        "window.look_back": season.look_back,
        "window.horizon": season.horizon,
    }
    config = load_config(Path("values"), [*(f"{key}={value}" for key, value in chosen.items()), *overrides])
    window, interval = config.window, interval_text(interval_of(first.table), first.table)
    sign = "all values are above zero" if is_positive else f"the least value is {values.min():g}"
    n_season = window.season_length or season.length
    return config, [
        f"{first.ticker} is a series of values, {interval}: config `values`, target {config.target} ({sign}), "
        f"{'no season' if n_season == 1 else f'a season of {n_season} values'}, {window.look_back} values seen, "
        f"{window.horizon} forecast"
    ]


def with_season(config: Config, prices: PriceSource) -> Config:
    """Return a config of series of values with its season, which is that of their interval if it names none.

    Args:
        config: The whole config; one of prices is returned as it is.
        prices: The series.

    Raises:
        ConfigError: The series have different seasons.
        DataError: A series is missing.
    """
    if not config.of_values or config.window.season_length is not None:
        return config
    lengths = {ticker: _season_of(prices.read(ticker)).length for ticker in config.data.tickers}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{ticker} {length}" for ticker, length in list(lengths.items())[:5])
        raise ConfigError(
            f"window.season_length: the seasons of the series differ: {listed}",
            "name one, `--set window.season_length=12`, or train them separately",
        )
    window = config.window.model_copy(update={"season_length": next(iter(lengths.values()))})
    return config.model_copy(update={"window": window})


def _first_series(tickers: Sequence[str], store: Store) -> PriceHistory | None:
    """Return the first of some tickers if it is a series of values; None if it is not, or cannot be read."""
    try:
        history = store.read(tickers[0]) if tickers else None
    except DataError:
        return None  # the command reports it
    return history if history is not None and history.has_values else None


def _season_of(history: PriceHistory) -> Season:
    interval = interval_of(history.table)
    return NO_SEASON if interval is None else SEASONS[interval.name]
