"""One split, fitted and forecast: what `train` does once and a backtest once a fold.

The network learns from the parts it is given; the baselines get every bar before the test period. Nothing here
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
"""Forecast returns are output in tenths of their unit: see `Architecture.location_unit`."""


def architecture_of(config: Config) -> Architecture:
    """Take from the config the shape of the network."""
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


def fit_parts(
    config: Config,
    parts: SplitWindows,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult:
    """Train the config's network on train windows, stopped by val windows, from its last checkpoint if any.

    Raises:
        ConfigError: The training diverged.
    """
    spec = architecture_of(config)
    return fit_network(spec, parts.train, parts.val, config.training, config.seed, on_progress, checkpoints)


@dataclass(frozen=True)
class FittedForecaster:
    """A network that may now be asked about the test period.

    Attributes:
        fit: The network and its history.
        test: What to forecast, each ticker's windows, scaled as the network knows them.
        calibrators: How the intervals of each ticker are stretched.
    """

    fit: TrainingResult
    test: list[Windows]
    calibrators: dict[str, Calibrator]


def fit_with_refit(
    config: Config,
    parts: SplitWindows,
    loader: BarLoader,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> FittedForecaster:
    """Train on train windows, stopped by val windows; then, if asked for, once more on both together.

    What is learnt from held-out forecasts, the calibration, is learnt from those of the first training.

    Args:
        config: The whole config.
        parts: Its windows.
        loader: Of the bars of its tickers.
        on_progress: Called after every batch and epoch.
        checkpoints: Where the states are kept.

    Raises:
        ConfigError: The training diverged.
    """
    fit = fit_parts(config, parts, on_progress, checkpoints)
    calibrators = {val.series.ticker: fit_calibrator(config, fit.network, val) for val in parts.val}
    first = FittedForecaster(fit, parts.test, calibrators)
    if not config.training.refit or fit.interrupted:
        return first
    wide = refit_windows(config, loader, parts.split)
    again = refit_network(
        architecture_of(config), wide.train, fit, config.training, config.seed, on_progress, checkpoints
    )
    return replace(first, fit=again) if again.interrupted else FittedForecaster(again, wide.test, calibrators)


def forecast_network(config: Config, network: keras.Model, windows: Windows) -> Distribution:
    """Forecast the k-bar log returns that follow each window with the config's network."""
    return forecast_returns(network, architecture_of(config), windows)


def fit_calibrator(config: Config, network: keras.Model, val: Windows) -> Calibrator:
    """Learn from one ticker's val windows how far its intervals must be stretched."""
    held_out = forecast_network(config, network, val)
    return Calibrator.fit(config.calibration, LEVELS, held_out, val.returns, val.volatility_scale)


def network_table(
    config: Config, network: keras.Model, calibrator: Calibrator, windows: Windows
) -> pd.DataFrame:
    """Forecast one ticker's test windows with the network, as a forecast table."""
    returns = forecast_network(config, network, windows)
    intervals = calibrator.apply(returns, windows.returns, windows.volatility_scale)
    return forecast_table(windows, config.model.cell, returns, intervals)


def baseline_tables(
    windows: Windows, adjusted: pd.DataFrame, split: Split, on_note: Callable[[str], None]
) -> list[pd.DataFrame]:
    """Forecast from the same cutoffs with every baseline, fitted on all bars before the test period.

    Args:
        windows: One ticker's test windows.
        adjusted: The bars they were cut from.
        split: Where the test period starts.
        on_note: Called with a sentence for each baseline that drops out.
    """
    task = baseline_task(windows, adjusted, split)
    forecasts = forecast_all(task, lambda text: on_note(f"{windows.series.ticker}: {text}"))
    return [forecast_table(windows, name, returns) for name, returns in forecasts.items()]


def baseline_task(windows: Windows, adjusted: pd.DataFrame, split: Split) -> Task:
    """Ask the baselines what the network is asked: the same steps from the same cutoffs."""
    n_insample = split.first_rows(windows.series.dates)[1]
    return Task(Bars.of(adjusted), n_insample, windows.cutoffs, windows.spec.horizon)
