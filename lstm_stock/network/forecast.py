"""Forecast with a trained network. Nothing here trains, calibrates or scores."""

from __future__ import annotations

import keras
import numpy as np

from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Distribution
from lstm_stock.network.architecture import Architecture, Params
from lstm_stock.network.cells.base import cell_of
from lstm_stock.network.heads import head_of


def forecast_returns(network: keras.Model, spec: Architecture, windows: Windows) -> Distribution:
    """Forecast the k-bar log returns after each window, shape `(n_windows, horizon)`.

    Args:
        network: The network of a `TrainingResult` or a saved run.
        spec: Its architecture.
        windows: The windows to forecast from.
    """
    params = cell_of(spec.cell).forecast(network, windows, spec)
    return windows.to_returns(to_distribution(spec.head, params))


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
