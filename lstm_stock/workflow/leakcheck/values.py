"""What may be known at a cutoff of a dataset and of a training, as a sequence of named values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lstm_stock.dataset.build import Dataset, SplitWindows
from lstm_stock.dataset.series import FittedTicker
from lstm_stock.dataset.split import Dates
from lstm_stock.dataset.windows import Windows
from lstm_stock.workflow.fit import FittedForecaster
from lstm_stock.workflow.leakcheck.compare import Value

Cutoffs = dict[str, Dates]
"""The cutoffs of some windows of each ticker."""


def dataset_values(
    dataset: Dataset, cutoff: np.datetime64, is_val_known: bool, shared: Cutoffs
) -> Iterator[Value]:
    """Yield what may be known of a dataset at a cutoff, which is the last train bar or later.

    Args:
        dataset: The dataset, built from bars that extend beyond the cutoff.
        cutoff: The cutoff.
        is_val_known: Whether it is the last val bar or later.
        shared: The cutoffs of the test windows to yield.
    """
    windows = dataset.windows
    split = windows.split
    starts = np.array([split.val_start, split.test_start]).astype("datetime64[D]")
    yield Value("split", "the split", starts)
    yield Value("tickers", "the list of the tickers trained on", np.array(dataset.config.data.tickers))
    market = dataset.loader.market
    if market is not None:
        known = market.dates <= cutoff
        for name in ("volatility_surprise", "level", "trend_2", "trend_10"):
            values = np.where(market.is_complete, getattr(market, name), np.nan)[known]
            yield Value("market", f"`{name}` of the market", values, market.dates[known])
    for series in windows.series:
        known = series.dates <= cutoff
        name = f"the volatility that scales {series.ticker}"
        yield Value("volatility", name, series.volatility_scale[known], series.dates[known])
    yield from trained_values(windows)
    if is_val_known:
        for val in windows.val:
            yield from _window_values(val, "val")
    for test in windows.test:
        keep = np.isin(cutoff_days(test), shared.get(test.series.ticker, []))
        if keep.any():
            yield from _window_values(replace(test, cutoffs=test.cutoffs[keep]), "test")


def trained_values(windows: SplitWindows, what: str = "train") -> Iterator[Value]:
    """Yield the scalers, and the inputs and targets of the train windows, of a training or a refit."""
    for train in windows.train:
        yield from _scaler_values(train.series.ticker, train.series.fitted)
        yield from _window_values(train, what)


def cutoff_days(windows: Windows) -> Dates:
    """Return the date of each window's cutoff, shape `(n_windows,)`."""
    return windows.series.dates[windows.cutoffs]


def _scaler_values(ticker: str, fitted: FittedTicker) -> Iterator[Value]:
    scaler = fitted.scaler
    columns = np.stack([scaler.offset, scaler.scale, scaler.low, scaler.high])
    yield Value("scaler", f"the scaler of the feature `{{}}` of {ticker}", columns, columns=scaler.features)
    yield Value("scaler", f"the unit of the targets of {ticker}", fitted.numbers()[columns.size :])


def _window_values(windows: Windows, part: str) -> Iterator[Value]:
    ticker, days = windows.series.ticker, cutoff_days(windows)
    features = windows.spec.features
    yield Value("windows", f"the {part} windows of {ticker}", days)
    name = f"the feature `{{}}` in the {part} windows of {ticker}"
    yield Value("inputs", name, windows.inputs, days, features)
    if part != "test":  # the outcomes of the newest test windows are not known
        yield Value("targets", f"the targets of the {part} windows of {ticker}", windows.targets, days)


def training_values(forecaster: FittedForecaster, is_refit: bool) -> Iterator[Value]:
    """Yield everything that a training gives."""
    history = forecaster.fit.history
    for name in history.columns.drop("seconds", errors="ignore"):
        text = f"`{name}` in the history of the training"
        yield Value("history", text, history[name].to_numpy(np.float64))
    for ticker, calibrator in forecaster.calibrators.items():
        text = f"the calibration of the intervals of {ticker}"
        yield Value("calibration", text, calibrator.factors)
    if is_refit:
        yield from trained_values(forecaster.windows, "refit")
    weights = [one.ravel() for one in forecaster.fit.network.get_weights()]
    text = "the weights of the refitted network" if is_refit else "the weights of the trained network"
    yield Value("weights", text, np.concatenate(weights))
