"""Fit and forecast one split, which `train` does once and a backtest once per fold.

The network learns from train and val windows, the baselines from every bar before the test period. Nothing here
chooses the split, scores or saves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from lstm_stock.baselines import Task, forecast_all
from lstm_stock.config import Config
from lstm_stock.dataset.build import SplitWindows, refit_windows
from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import Windows
from lstm_stock.distributions import Distribution
from lstm_stock.distributions.intervals import LEVELS, Calibrator
from lstm_stock.network.architecture import Architecture, Regularisers, Sampling
from lstm_stock.network.callbacks import Progress
from lstm_stock.network.checkpoints import Checkpoints
from lstm_stock.network.forecast import forecast_returns
from lstm_stock.network.training import TrainingResult, fit_network, refit_network
from lstm_stock.scoring.forecast_table import forecast_table

if TYPE_CHECKING:
    import keras


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
        n_features=len(config.features),
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
        vocabulary=config.model.vocabulary,
        sampling=Sampling(config.model.paths, config.model.temperature, config.seed),
    )


@dataclass(frozen=True)
class FittedForecaster:
    """A fitted network, with its test windows and calibrators.

    Attributes:
        fit: The network and its history.
        test: The test windows of each ticker, scaled as the network was trained.
        calibrators: What scales the intervals of each ticker.
    """

    fit: TrainingResult
    test: list[Windows]
    calibrators: dict[str, Calibrator]


def fit_with_refit(
    config: Config,
    windows: SplitWindows,
    loader: BarLoader,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> FittedForecaster:
    """Train on the train windows, stopped by the val windows; with `training.refit`, then train again on both.

    The calibrators are fitted on the val forecasts of the first training, as a refit holds nothing out.

    Args:
        config: The whole config.
        windows: Its windows.
        loader: Loads the bars of its tickers for a refit.
        on_progress: Called after every batch and epoch.
        checkpoints: Where the states of the training are read and written.

    Raises:
        ConfigError: The training diverged.
    """
    spec, settings, seed = architecture_of(config), config.training, config.seed
    fit = fit_network(spec, windows.train, windows.val, settings, seed, on_progress, checkpoints)
    calibrators = {val.series.ticker: fit_calibrator(config, fit.network, val) for val in windows.val}
    first = FittedForecaster(fit, windows.test, calibrators)
    if not settings.refit or fit.interrupted:
        return first
    wide = refit_windows(config, loader, windows.split)
    refit = refit_network(spec, wide.train, fit, settings, seed, on_progress, checkpoints)
    return replace(first, fit=refit) if refit.interrupted else FittedForecaster(refit, wide.test, calibrators)


def forecast_network(config: Config, network: keras.Model, windows: Windows) -> Distribution:
    """Forecast the k-bar log returns after each window, `(n_windows, horizon)`."""
    return forecast_returns(network, architecture_of(config), windows)


def fit_calibrator(config: Config, network: keras.Model, val: Windows) -> Calibrator:
    """Fit what scales the intervals of one ticker, on its val windows."""
    held_out = forecast_network(config, network, val)
    return Calibrator.fit(config.calibration, LEVELS, held_out, val.returns, val.volatility_scale)


def network_table(
    config: Config, network: keras.Model, calibrator: Calibrator, windows: Windows
) -> pd.DataFrame:
    """Return the forecast table of the network for one ticker's test windows."""
    returns = forecast_network(config, network, windows)
    intervals = calibrator.apply(returns, windows.returns, windows.volatility_scale)
    return forecast_table(windows, config.model.cell, returns, intervals)


def baseline_tables(
    windows: Windows, adjusted: pd.DataFrame, split: Split, on_note: Callable[[str], None]
) -> list[pd.DataFrame]:
    """Return the forecast tables of all baselines, fitted on every bar before the test period.

    Args:
        windows: One ticker's test windows; the baselines forecast from the same cutoffs.
        adjusted: The adjusted bars of that ticker.
        split: Where the test period starts.
        on_note: Called with a sentence for each baseline that is skipped.
    """
    task = baseline_task(windows, adjusted, split)
    forecasts = forecast_all(task, lambda text: on_note(f"{windows.series.ticker}: {text}"))
    return [forecast_table(windows, name, returns) for name, returns in forecasts.items()]


def baseline_task(windows: Windows, adjusted: pd.DataFrame, split: Split) -> Task:
    """Return the task of the baselines: the cutoffs and the horizon of the test windows."""
    n_insample = split.first_rows(windows.series.dates)[1]
    return Task(Bars.of(adjusted), n_insample, windows.cutoffs, windows.spec.horizon)
