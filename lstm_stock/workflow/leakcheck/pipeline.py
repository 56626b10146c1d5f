"""The pipeline from prices to intervals, as the sequence of every value available at a cutoff.

The leak check runs it on the prices as they are and on corrupted ones, and expects equal bits. Both passes
forecast in batches of the same shape: another shape may change a network's last bits without any leak.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lstm_stock.baselines import forecast_all
from lstm_stock.config import Config
from lstm_stock.dataset.features import Bars, feature_table
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.scale import UnfittedScale, scale_class
from lstm_stock.dataset.series import TickerSeries, apply_ticker, fit_ticker, window_spec
from lstm_stock.dataset.split import Dates, Split, SplitName, split_of
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.distributions.intervals import LEVELS, Calibrator, Intervals
from lstm_stock.errors import DataError
from lstm_stock.network.training import fit_network
from lstm_stock.prices import table as price_table
from lstm_stock.prices.reader import all_dates
from lstm_stock.prices.table import days_of
from lstm_stock.runs.run import ModelArtifacts
from lstm_stock.scoring.forecast_table import price_intervals
from lstm_stock.workflow.fit import architecture_of, fit_calibrator, forecast_network
from lstm_stock.workflow.leakcheck.compare import Pipeline, Snapshot, Tables
from lstm_stock.workflow.scoring import baseline_task

if TYPE_CHECKING:
    import keras


MAX_FORECASTS = 128
"""Number of the network's newest forecasts compared at each cutoff; its inputs are compared in full."""

TRAINED_WINDOWS = 640
"""Number of the newest windows of each ticker in the short training."""


def sample_cutoffs(dates: Dates, split: Split, horizon: int, n: int, seed: int) -> list[np.datetime64]:
    """Choose cutoffs: the last train bar, the last val bar, and `n` of the test period.

    Raises:
        DataError: The test period has no cutoff with `horizon` bars after it.
    """
    val_row, test_row = split.first_rows(dates)
    possible = np.arange(test_row, len(dates) - horizon)
    if val_row < 1 or test_row <= val_row or len(possible) == 0:
        raise DataError(
            f"there is nothing to check: of {len(dates)} bars {val_row} are for train, {test_row - val_row} "
            f"for val and {len(dates) - test_row} for test",
            "fetch an earlier `start`, or change `split`",
        )
    chosen = np.random.default_rng(seed).choice(possible, min(n, len(possible)), replace=False)
    rows = sorted({val_row - 1, test_row - 1, *(int(row) for row in chosen)})
    return [dates[row] for row in rows]


def train_briefly(config: Config, tables: Tables) -> keras.Model:
    """Train the config's network for one epoch on the newest windows, which lets a leak reach its weights.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it early.
    """
    split = split_of(config.split, all_dates([days_of(table) for table in tables.values()]))
    spec = window_spec(config)
    # A refit learns from, and is scaled by, all bars before the test period.
    wide = split.without_val if config.training.refit else split
    loader = BarLoader.of(config, lambda ticker: price_table.adjusted(tables[ticker]))
    series = [fit_ticker(ticker, loader.adjusted(ticker), spec, wide) for ticker in tables]
    train = [_newest(windows_of(one, spec, wide, "train"), TRAINED_WINDOWS) for one in series]
    val = [_newest(windows_of(one, spec, split, "val"), TRAINED_WINDOWS) for one in series]
    # Early stopping might keep the start, whose forecast is the same at every window and so shows no leak.
    training = config.training.model_copy(update={"epochs": 1, "members": 1, "early_stopping": None})
    fit = fit_network(architecture_of(config), train, val, training, config.seed)
    if fit.interrupted:  # Ctrl-C: weights of half a training would differ without any leak
        raise KeyboardInterrupt
    return fit.network


def _newest(windows: Windows, n: int) -> Windows:
    return replace(windows, cutoffs=windows.cutoffs[-n:])


def make_pipeline(
    config: Config,
    network: keras.Model,
    fitted: ModelArtifacts | None = None,
    run_split: Split | None = None,
) -> Pipeline:
    """Build the pipeline of a config, or of a run.

    Args:
        config: The whole config.
        network: The network that forecasts.
        fitted: The run's scalers and calibrators. Without them each pass fits its own, and trains a network of its
            own at the last cutoff of val.
        run_split: The run's split; without it each pass derives one from the config and the dates.
    """
    spec = window_spec(config)

    def pipeline(tables: Tables, cutoff: np.datetime64) -> Iterator[Snapshot]:
        dates = all_dates([days_of(table) for table in tables.values()])
        split = split_of(config.split, dates)
        starts = np.array([split.val_start, split.test_start]).astype("datetime64[D]")
        yield Snapshot("split", "the split", starts)
        split = run_split or split
        loader = BarLoader.of(config, lambda ticker: price_table.adjusted(tables[ticker]))
        adjusted = {ticker: loader.adjusted(ticker) for ticker in tables}
        for ticker, table in adjusted.items():
            yield from _features(config, ticker, table, cutoff)
        val_row, test_row = split.first_rows(dates)
        if cutoff < dates[val_row - 1]:
            return  # everything below depends on train bars that are corrupted
        scaled = []
        for ticker, table in adjusted.items():
            series = fit_ticker(ticker, table, spec, split)
            yield from _scaled(config, series, split, cutoff)
            if fitted is not None:
                series = apply_ticker(ticker, table, spec, fitted.scalers[ticker])
            scaled.append(series)
        if cutoff < dates[test_row - 1]:
            return
        if config.training.refit:
            for ticker, table in adjusted.items():
                series = fit_ticker(ticker, table, spec, split.without_val)
                yield from _scaled(config, series, split.without_val, cutoff)
        if fitted is None and cutoff == dates[test_row - 1]:
            weights = train_briefly(config, tables).get_weights()
            values = np.concatenate([one.ravel() for one in weights])
            yield Snapshot("weights", "the weights of a short training", values)
        for series in scaled:
            if fitted is None:
                val = _newest(windows_of(series, spec, split, "val"), MAX_FORECASTS)
                calibrator = fit_calibrator(config, network, val)
                name = f"the calibration of the intervals of {series.ticker}"
                yield Snapshot("calibration", name, calibrator.factors)
            else:
                calibrator = fitted.calibrators[series.ticker]
            windows = windows_of(series, spec, split, "test")
            windows = replace(windows, cutoffs=windows.cutoffs[series.dates[windows.cutoffs] <= cutoff])
            if len(windows):
                yield _network_forecast(config, network, calibrator, _newest(windows, MAX_FORECASTS))
                yield from _baseline_forecasts(windows, adjusted[series.ticker], split)

    return pipeline


def _features(
    config: Config, ticker: str, adjusted: pd.DataFrame, cutoff: np.datetime64
) -> Iterator[Snapshot]:
    bars, days = Bars.of(adjusted), days_of(adjusted)
    n = int(np.searchsorted(days, cutoff, side="right"))
    scale = scale_class(config.target_scale)
    # What a fitted scale gives depends on the train bars, which may be corrupted: `_scaled` yields it later.
    volatility = scale().volatility(bars) if issubclass(scale, UnfittedScale) else None
    if bars.market is not None:
        yield Snapshot("market", f"the market column of {ticker}", bars.market[:n], days[:n])
    if volatility is not None:
        yield Snapshot("volatility", f"the volatility that scales {ticker}", volatility[:n], days[:n])
    for name in config.features:
        values = feature_table(bars, [name], volatility)[:n]
        yield Snapshot("feature", f"the feature `{name}` of {ticker}", values, days[:n])


def _scaled(config: Config, series: TickerSeries, split: Split, cutoff: np.datetime64) -> Iterator[Snapshot]:
    """Yield the scaler, the scaled inputs, and the targets of train and val windows."""
    ticker = series.ticker
    yield Snapshot("scaler", f"the scaler of {ticker}", series.fitted.numbers())
    n = int(np.searchsorted(series.dates, cutoff, side="right"))
    days = series.dates[:n]
    yield Snapshot("inputs", f"the scaled inputs of {ticker}", series.inputs[:n], days)
    yield Snapshot(
        "target scale", f"the divisor of the targets of {ticker}", series.volatility_scale[:n], days
    )
    ends: tuple[tuple[SplitName, np.datetime64], ...] = (
        ("train", split.val_start),
        ("val", split.test_start),
    )
    for part, end in ends:
        has_bars = part == "train" or split.val_start < split.test_start
        if has_bars and n >= int(np.searchsorted(series.dates, end)):
            windows = windows_of(series, window_spec(config), split, part)
            name = f"the {part} windows' targets of {ticker}"
            yield Snapshot("targets", name, windows.targets, series.dates[windows.cutoffs])


def _network_forecast(
    config: Config, network: keras.Model, calibrator: Calibrator, windows: Windows
) -> Snapshot:
    returns = forecast_network(config, network, windows)
    # These returns reach past the cutoff: intervals that use them too early would change.
    intervals = calibrator.apply(returns, windows.returns, windows.volatility_scale)
    name = f"the forecast of {config.model.cell} for {windows.series.ticker}"
    return _forecast("forecast", name, windows, intervals)


def _baseline_forecasts(windows: Windows, adjusted: pd.DataFrame, split: Split) -> Iterator[Snapshot]:
    forecasts = forecast_all(baseline_task(windows, adjusted, split), lambda _: None)
    for name, returns in forecasts.items():
        text = f"the forecast of the baseline `{name}` for {windows.series.ticker}"
        yield _forecast("baseline", text, windows, Intervals.of(returns, LEVELS))


def _forecast(kind: str, name: str, windows: Windows, intervals: Intervals) -> Snapshot:
    """Collect the median and all intervals, in prices, `(n_cutoffs, horizon, n_columns)`."""
    cells = price_intervals(intervals, windows.last_close)
    values = np.stack([np.asarray(each, np.float64) for each in cells.values()], axis=-1)
    return Snapshot(kind, name, values, windows.series.dates[windows.cutoffs])
