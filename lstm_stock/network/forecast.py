"""Forecast with a trained network, of Keras or in ONNX format. Nothing here trains, calibrates or scores.

Only a cell that forecasts in its own way needs Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from lstm_stock.config.cells import CELLS
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Distribution
from lstm_stock.errors import RunError
from lstm_stock.network.architecture import Architecture, Params
from lstm_stock.network.batches import InputBatches
from lstm_stock.network.cells.base import PREDICT_BATCH, cell_of
from lstm_stock.network.heads import head_of

LARGEST_PARAMETER = 700.0
"""Greatest absolute parameter of a distribution: the exponential of a larger one overflows."""


class Network(Protocol):
    """A trained ensemble: a Keras model, or a `lstm_stock.network.onnx.session.OnnxNetwork`."""

    def predict_on_batch(self, x: Any) -> Any:
        """Return `Params` of the inputs of some windows."""


def forecast_returns(network: Network, spec: Architecture, windows: Windows) -> Distribution:
    """Forecast the k-bar log returns after each window of one ticker, shape `(n_windows, horizon)`.

    Args:
        network: The network of a `TrainingResult` or a saved run.
        spec: Its architecture.
        windows: The windows to forecast from.

    Raises:
        RunError: The network forecasts numbers that are not finite.
    """
    return next(_forecast(network, spec, [windows], min(len(windows), PREDICT_BATCH)))


def forecast_tickers(
    network: Network, spec: Architecture, tickers: Sequence[Windows]
) -> Iterator[Distribution]:
    """Forecast the k-bar log returns after each window, ticker by ticker: what `forecast_returns` does, faster.

    A batch holds windows of several tickers; no more than one batch is in memory. Every batch has the same shape:
    the last bits of a forecast do not depend on the number of other windows.
    """
    return _forecast(network, spec, tickers, PREDICT_BATCH)


def _forecast(
    network: Network, spec: Architecture, tickers: Sequence[Windows], size: int
) -> Iterator[Distribution]:
    # To load a cell is to load Keras, which a network in ONNX format does without.
    forecast = cell_of(spec.cell).forecast if CELLS[spec.cell].one_step else None
    outputs = (
        _outputs(network, tickers, size)
        if forecast is None
        else (forecast(network, windows, spec) for windows in tickers)
    )
    for windows, params in zip(tickers, outputs, strict=True):
        _require_usable(params, spec.head)
        yield windows.to_returns(to_distribution(spec.head, params))


def _require_usable(params: Params, head: str) -> None:
    """Raise a RunError for parameters that are not finite, or whose exponential would not be."""
    largest = np.inf if head == "point" else LARGEST_PARAMETER
    if not (np.isfinite(params) & (np.abs(params) <= largest)).all():
        raise RunError(
            "the network forecasts numbers that are not finite, or absurdly large",
            "its weights are damaged, or it was trained on data of another scale: train again",
        )


def _outputs(network: Network, tickers: Sequence[Windows], size: int) -> Iterator[Params]:
    """Yield the output of a network for the windows of each ticker, in batches of `size` across tickers."""
    batches = InputBatches(tickers, size)
    left: list[Params] = []
    lengths = iter(map(len, tickers))
    length = next(lengths)
    for i in range(len(batches)):
        n = min(size, batches.n_windows - i * size)
        left.append(network.predict_on_batch(_filled(batches[i], n, size))[:n])
        while sum(map(len, left)) >= length:
            joined = np.concatenate(left)
            yield joined[:length]
            left, length = [joined[length:]], next(lengths, batches.n_windows + 1)


def _filled(inputs: Any, n: int, size: int) -> Any:
    """Repeat the last of `n` windows up to `size`: TensorFlow would trace a batch of another size again."""
    if n == size:
        return inputs
    rows = np.minimum(np.arange(size), n - 1)
    return [one[rows] for one in inputs] if isinstance(inputs, tuple) else inputs[rows]


def to_distribution(head: str, params: Params) -> Distribution:
    """Turn the output of an ensemble into one forecast: the mixture of its members, or that of mean parameters.

    Args:
        head: A key of `lstm_stock.config.heads.HEADS`.
        params: Shape `(n_windows, n_members, horizon, n_params)`.

    Returns:
        The forecast of the targets, shape `(n_windows, horizon)`.
    """
    one = head_of(head)
    if one.averages_params:
        return one.distribution(params.astype(np.float64).mean(axis=1))
    members = [one.distribution(params[:, i].astype(np.float64)) for i in range(params.shape[1])]
    return members[0] if len(members) == 1 else one.mix(members)
