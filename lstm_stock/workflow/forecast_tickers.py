"""Forecast several tickers with a run, or each with the pretrained network that suits it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lstm_stock.config import normalise_ticker
from lstm_stock.config.interval import DAILY
from lstm_stock.config.tickers import distinct
from lstm_stock.errors import DataError, RunError, ShortHistoryError, UnusableTickerError
from lstm_stock.prices.reader import PriceSource
from lstm_stock.prices.store import Store
from lstm_stock.runs.catalog import find_run
from lstm_stock.runs.pretrained import PretrainedFolder, find_pretrained, packaged_networks
from lstm_stock.runs.run import Run
from lstm_stock.scoring.short_verdict import is_worse, short_verdict
from lstm_stock.workflow.interval import require_daily
from lstm_stock.workflow.predict import Prediction, predict
from lstm_stock.workflow.run_bars import RunBars
from lstm_stock.workflow.store_market import is_share
from lstm_stock.workflow.universal import Chooser, limits

NEWEST = "newest"
"""The name of the newest run."""

INTERVALS = {
    "none": "intervals as trained",
    "conformal": "intervals scaled to their coverage of the validation period",
    "adaptive": "intervals scaled by their hits and misses from the validation period on",
}
"""What the intervals of a run are, by the config's `calibration`."""

OF_PRETRAINED = "intervals scaled by their hits and misses of the last two years"
"""The same of a pretrained network."""


def find_network(name: str | None, runs_dir: Path) -> Run | PretrainedFolder:
    """Return a run, or a folder of pretrained networks.

    Args:
        name: Name or path of a run, `NEWEST`, or what `find_pretrained` takes; None for the packaged networks.
        runs_dir: Folder of the runs.

    Raises:
        RunError: There is no such run, or files of it are missing.
    """
    if name is None:
        return packaged_networks()
    return find_pretrained(name) or find_run(runs_dir, None if name == NEWEST else name)


def preferred_run(runs: Sequence[Run]) -> tuple[Run, str | None]:
    """Return the newest run, or, where it was worse than the baselines, the newest of its tickers that was not.

    Args:
        runs: At least one, oldest first.

    Returns:
        The run, and a sentence for the user where it is not the newest.

    Raises:
        RunError: The newest run cannot be read.
    """
    newest = runs[-1]
    if not is_worse(newest.saved_verdict):
        return newest, None
    data = newest.config.data
    for run in reversed(runs[:-1]):
        with suppress(RunError):
            theirs = run.config.data
            same = (theirs.tickers, theirs.interval) == (data.tickers, data.interval)
            if same and run.saved_verdict and not is_worse(run.saved_verdict):
                return run, (
                    f"the newest run, {newest.name}, was worse than the baselines in its test period: {run.name} "
                    "forecasts instead (`--run newest` takes the newest)"
                )
    return newest, None


def verdict_line(run: Run) -> str:
    """Return a run's name and verdict in one line."""
    return f"run {run.name}, verdict on its test period: {short_verdict(run.saved_verdict)}"


def store_for(network: Run | PretrainedFolder, store: Store) -> Store:
    """Return the store with the bars that a network reads: of its run's interval, or daily ones."""
    return store.at(network.config.data.interval if isinstance(network, Run) else DAILY.name)


def tickers_to_forecast(names: Sequence[str], network: Run | PretrainedFolder, store: Store) -> list[str]:
    """Return tickers as the store spells them, each once; without any, those of a run, or all shares of the store.

    Args:
        names: The tickers.
        network: What will forecast them.
        store: The store.

    Raises:
        DataError: One of the names is no ticker, or there is no share in the store.
    """
    if names:
        return distinct([normalise_ticker(name) for name in names])
    if isinstance(network, Run):
        return list(network.config.data.tickers)
    shares = [ticker for ticker in store.tickers() if is_share(ticker)]
    if not shares:
        raise DataError(f"the store {store.root} has no prices", "`lstm-stock fetch AAPL` fetches some")
    return shares


@dataclass
class Forecasts:
    """The forecasts of several tickers, and what belongs to them.

    Attributes:
        intervals: What the intervals are.
        predictions: The forecast of each ticker that could be made.
        networks: What made it.
        warnings: What limits them, by ticker.
        notes: What they were made with, by ticker.
    """

    intervals: str
    predictions: dict[str, Prediction] = field(default_factory=dict)
    networks: dict[str, Run] = field(default_factory=dict)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def table(self) -> pd.DataFrame:
        """The tables of all predictions, below each other."""
        return pd.concat([one.table for one in self.predictions.values()], ignore_index=True)

    def add(self, bars: RunBars, ticker: str, dividends: Mapping[dt.date, float] | None) -> None:
        """Forecast a ticker; ShortHistoryError if it has too few bars."""
        self.predictions[ticker] = predict(bars, ticker, dt.date.today(), dividends)
        self.networks[ticker] = bars.run
        self.warnings += [(ticker, text) for text in self.predictions[ticker].warnings]


@dataclass(frozen=True)
class Wanted:
    """What to forecast.

    Attributes:
        tickers: The tickers.
        cutoff: The date to forecast as of; None for the newest bar.
        dividends: Announced dividends per share by ex-date; None for the usual ones.
    """

    tickers: Sequence[str]
    cutoff: dt.date | None = None
    dividends: Mapping[dt.date, float] | None = None


def forecast_tickers(
    network: Run | PretrainedFolder, store: Store, prices: PriceSource, wanted: Wanted
) -> Forecasts:
    """Forecast some tickers; one with too few bars is left out, with a warning.

    Args:
        network: A run, or pretrained networks: each ticker gets the one with the most inputs that the store has.
        store: The store.
        prices: Its prices; a `Snapshot` reads those of a ticker once.
        wanted: What to forecast.

    Raises:
        ConfigError: A dividend cannot be taken off.
        ShortHistoryError: None of the tickers has enough bars.
        DataError: Prices are missing.
        RunError: The run cannot be read, or cannot forecast one of the tickers.
    """
    if isinstance(network, Run):
        return _with_run(network, store, prices, wanted)
    return _with_pretrained(network, store, prices, wanted)


def _with_run(run: Run, store: Store, prices: PriceSource, wanted: Wanted) -> Forecasts:
    tickers = [run.require_ticker(ticker) for ticker in wanted.tickers]
    store.require([*tickers, *run.config.data.covariates])
    bars = RunBars(run, prices, end=wanted.cutoff)
    found, failures = Forecasts(INTERVALS[run.config.calibration]), []
    if is_worse(run.saved_verdict):
        found.warnings.append((run.name, f"{verdict_line(run)}: do not rely on this forecast"))
    else:
        found.notes.append((run.name, verdict_line(run)))
    for ticker in tickers:
        try:
            found.add(bars, ticker, wanted.dividends)
        except ShortHistoryError as error:  # the other tickers can still be forecast
            failures.append(error)
            found.warnings.append((ticker, f"no forecast of {ticker}: {error.message}"))
    if not found.predictions:
        raise failures[0]
    return found


def _with_pretrained(
    folder: PretrainedFolder, store: Store, prices: PriceSource, wanted: Wanted
) -> Forecasts:
    require_daily(store, wanted.tickers)
    chooser = Chooser(folder, store, prices, wanted.cutoff)
    found = Forecasts(OF_PRETRAINED)
    failures: list[tuple[str, UnusableTickerError]] = []
    for ticker in wanted.tickers:
        try:
            choice = chooser.choose(ticker)
            found.add(choice.bars, ticker, wanted.dividends)
        except UnusableTickerError as error:
            failures.append((ticker, error))
            continue
        found.warnings += [(ticker, text) for text in limits(choice, ticker)]
        reads = f", with {choice.inputs}" if choice.inputs else ", from the ticker's own bars alone"
        found.notes.append((ticker, f"{choice.network.model_name} network{reads}"))
        found.notes += [(ticker, text) for text in choice.missing]
    if not found.predictions:
        raise failures[0][1]
    found.warnings += [(ticker, f"no forecast of {ticker}: {error.message}") for ticker, error in failures]
    return found
