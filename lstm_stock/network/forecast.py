"""Forecast with a trained network. Nothing here trains, calibrates or scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Distribution
from lstm_stock.network.architecture import Architecture, Params
from lstm_stock.network.cells.base import PREDICT_BATCH, cell_of
from lstm_stock.network.heads import head_of


def forecast_returns(network: keras.Model, spec: Architecture, windows: Windows) -> Distribution:
    """Forecast the k-bar log returns after each window of one ticker, shape `(n_windows, horizon)`.

    Args:
        network: The network of a `TrainingResult` or a saved run.
        spec: Its architecture.
        windows: The windows to forecast from.
    """
    return next(forecast_tickers(network, spec, [windows]))


def forecast_tickers(
    network: keras.Model, spec: Architecture, tickers: Sequence[Windows]
) -> Iterator[Distribution]:
    """Forecast the k-bar log returns after each window, ticker by ticker: what `forecast_returns` does, faster.

    A batch holds windows of several tickers; no more than one batch is in memory.
    """
    forecast = cell_of(spec.cell).forecast
    outputs = (
        _outputs(network, tickers)
        if forecast is None
        else (forecast(network, windows, spec) for windows in tickers)
    )
    for windows, params in zip(tickers, outputs, strict=True):
        yield windows.to_returns(to_distribution(spec.head, params))


def _outputs(network: keras.Model, tickers: Sequence[Windows]) -> Iterator[Params]:
    """Yield the output of a network for the windows of each ticker, computed in batches across tickers.

    Of several batches the last one is filled with its last window: another size would be compiled again.
    """
    n_windows = sum(map(len, tickers))
    parts: list[Params] = []
    for batch in _batches(tickers):
        outputs = network.predict_on_batch(_inputs(batch, min(n_windows, PREDICT_BATCH)))
        first = 0
        for windows in batch:
            parts.append(outputs[first : first + len(windows)])
            first += len(windows)
            if sum(map(len, parts)) == len(tickers[0]):
                yield np.concatenate(parts)
                parts, tickers = [], tickers[1:]


def _batches(tickers: Sequence[Windows]) -> Iterator[list[Windows]]:
    """Cut the windows of all tickers, in order, into batches of `PREDICT_BATCH`; the last one may be smaller."""
    batch: list[Windows] = []
    space = PREDICT_BATCH
    for windows in tickers:
        first = 0
        while first < len(windows):
            piece = replace(windows, cutoffs=windows.cutoffs[first : first + space])
            batch.append(piece)
            first, space = first + len(piece), space - len(piece)
            if space == 0:
                yield batch
                batch, space = [], PREDICT_BATCH
    if batch:
        yield batch


def _inputs(batch: Sequence[Windows], size: int) -> Any:
    """Gather the inputs of a batch, as `Windows.network_inputs`, filled to `size` windows."""
    rows = np.minimum(np.arange(size), sum(map(len, batch)) - 1)
    x = np.concatenate([windows.inputs for windows in batch])[rows]
    if not batch[0].spec.tickers:
        return x
    return [x, np.concatenate([windows.ticker_ids for windows in batch])[rows]]


def to_distribution(head: str, params: Params) -> Distribution:
    """Turn the output of an ensemble into one forecast: the mixture of its members.

    Args:
        head: A key of `lstm_stock.config.heads.HEADS`.
        params: Shape `(n_windows, n_members, horizon, n_params)`.

    Returns:
        The forecast of the targets, shape `(n_windows, horizon)`.
    """
    members = [head_of(head).distribution(params[:, i].astype(np.float64)) for i in range(params.shape[1])]
    return members[0] if len(members) == 1 else head_of(head).mix(members)
