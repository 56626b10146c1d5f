"""Forecast with the network of a config, fitted or saved, and calibrate what it forecasts.

Nothing here trains, and nothing imports Keras: `predict` and `evaluate` do without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lstm_stock.config import Config
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Distribution
from lstm_stock.distributions.intervals import LEVELS, Calibrator
from lstm_stock.network.architecture import Architecture, Regularisers, Sampling
from lstm_stock.network.forecast import Network, forecast_returns, forecast_tickers

RETURN_LOCATION_UNIT = 0.1
"""`Architecture.location_unit` of returns: the network outputs locations in tenths of their volatility."""


def architecture_of(config: Config) -> Architecture:
    """Return the architecture that a config describes."""
    return Architecture(
        cell=config.model.cell,
        units=tuple(config.model.units),
        dropout=config.model.dropout,
        dense=tuple(config.model.dense),
        head=config.model.head,
        look_back=config.window.look_back,
        n_features=len(config.columns),
        horizon=config.window.horizon,
        location_unit=RETURN_LOCATION_UNIT if config.target == "log_return" else 1.0,
        n_tickers=len(config.data.tickers),
        ticker_embedding=config.model.ticker_embedding,
        regularisers=Regularisers(
            recurrent_dropout=config.model.recurrent_dropout,
            kernel_constraint=config.model.kernel_constraint,
            recurrent_constraint=config.model.recurrent_constraint,
            l2=config.model.l2,
            zoneout=config.model.zoneout,
        ),
        shortcut=config.model.shortcut == "linear",
        vocabulary=config.model.vocabulary,
        sampling=Sampling(config.model.paths, config.model.temperature, config.seed),
    )


def forecast_network(config: Config, network: Network, windows: Windows) -> Distribution:
    """Forecast the k-bar log returns after each window, `(n_windows, horizon)`."""
    return forecast_returns(network, architecture_of(config), windows)


def forecast_each(config: Config, network: Network, tickers: Sequence[Windows]) -> Iterator[Distribution]:
    """Forecast as `forecast_network` does, ticker by ticker, in few forward passes."""
    return forecast_tickers(network, architecture_of(config), tickers)


def fit_calibrator(config: Config, network: Network, val: Windows) -> Calibrator:
    """Fit what scales the intervals of one ticker, on its val windows."""
    return calibrator_of(config, val, forecast_network(config, network, val))


def calibrator_of(config: Config, val: Windows, held_out: Distribution) -> Calibrator:
    """Fit what scales the intervals of one ticker, on the forecasts of its val windows."""
    return Calibrator.fit(config.calibration, LEVELS, held_out, val.returns, val.volatility_scale)


def median_calibrator(config: Config, calibrators: Iterable[Calibrator]) -> Calibrator:
    """Return the calibrator of a ticker without val windows of its own: the median of others."""
    return Calibrator(config.calibration, LEVELS, np.median([one.factors for one in calibrators], axis=0))
