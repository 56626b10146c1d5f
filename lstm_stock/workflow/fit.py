"""Fit the network on one split, which `train` does once and a backtest once per fold.

The leak check calls these functions as well. Nothing here chooses the split, fits baselines, scores or saves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version

from lstm_stock.config import Config, dump_yaml
from lstm_stock.config.scales import SCALES
from lstm_stock.config.schema import REGRESSION
from lstm_stock.dataset.build import SplitWindows, refit_windows
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.pooled import MIN_ROWS, PooledT
from lstm_stock.dataset.series import FittedTicker
from lstm_stock.distributions.intervals import Calibrator
from lstm_stock.network.callbacks import Progress
from lstm_stock.network.checkpoints import Checkpoints
from lstm_stock.network.forecast import Network
from lstm_stock.network.onnx.export import exported
from lstm_stock.network.training import TrainingResult, fit_network, refit_network
from lstm_stock.runs.provenance import file_hash
from lstm_stock.workflow.forecast import architecture_of, calibrator_of, forecast_each, median_calibrator
from lstm_stock.workflow.scoring import ScoreJob, subject_of


@dataclass(frozen=True)
class FittedForecaster:
    """A fitted network, with its windows and calibrators.

    Attributes:
        fit: The network and its history.
        windows: The windows that it was trained on, and the test windows, which are scaled alike.
        calibrators: What scales the intervals of each ticker.
    """

    fit: TrainingResult
    windows: SplitWindows
    calibrators: dict[str, Calibrator]

    @property
    def scalers(self) -> dict[str, FittedTicker]:
        """What is fitted on the train bars of each ticker."""
        return {series.ticker: series.fitted for series in self.windows.series}


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
        on_progress: Called with each `Progress`.
        checkpoints: Where the states of the training are read and written.

    Raises:
        ConfigError: The training diverged.
    """
    spec, settings, seed = architecture_of(config), config.training, config.seed
    fit = fit_network(spec, windows, settings, seed, on_progress, checkpoints)
    first = FittedForecaster(fit, windows, fit_calibrators(config, fit.network, windows))
    if not settings.refit or fit.interrupted:
        return first
    wide = refit_windows(config, loader, windows.split, windows.start)
    refit = refit_network(spec, wide, fit, settings, seed, on_progress, checkpoints)
    return replace(first, fit=refit) if refit.interrupted else replace(first, fit=refit, windows=wide)


def fit_calibrators(config: Config, network: Network, windows: SplitWindows) -> dict[str, Calibrator]:
    """Fit what scales the intervals of each ticker on its val windows; without any, it is that of the others."""
    fitted = {
        val.series.ticker: calibrator_of(config, val, held_out)
        for val, held_out in zip(windows.val, forecast_each(config, network, windows.val), strict=True)
    }
    of_others = median_calibrator(config, fitted.values())
    return {series.ticker: fitted.get(series.ticker, of_others) for series in windows.series}


def score_jobs(
    config: Config, forecaster: FittedForecaster, loader: BarLoader, regressions: Mapping[str, PooledT]
) -> Iterator[ScoreJob]:
    """Yield what `lstm_stock.workflow.scoring.score_tickers` needs of each ticker with test windows.

    Args:
        config: The whole config.
        forecaster: The fitted network, with the test windows.
        loader: Loads the bars of the tickers.
        regressions: `regressions_of` the same windows.
    """
    test = forecaster.windows.test
    for windows, returns in zip(test, forecast_each(config, forecaster.fit.network, test), strict=True):
        ticker = windows.series.ticker
        yield ScoreJob(
            subject=subject_of(config),
            windows=windows,
            returns=returns,
            calibrator=forecaster.calibrators[ticker],
            adjusted=loader.adjusted(ticker),
            split=forecaster.windows.split,
            n_tickers=len(test),
            regressions=regressions,
        )


def exported_network(
    config: Config, forecaster: FittedForecaster, on_note: Callable[[str], None]
) -> bytes | None:
    """Return the ONNX file of a fitted network; None, and a note, if it cannot be exported."""
    train = forecaster.windows.train
    outcomes = [one.series.dates[one.cutoffs[[0, -1]] + [0, one.spec.horizon]] for one in train]
    metadata = {
        "lstm_stock_version": version("lstm-stock"),
        "config_sha256": file_hash(dump_yaml(config).encode()),
        "config": dump_yaml(config),
        "seed": str(config.seed),
        "tickers": " ".join(config.data.tickers),
        "trained_from": str(min(first for first, _ in outcomes)),
        "trained_to": str(max(last for _, last in outcomes)),
    }
    windows = [*forecaster.windows.test, *forecaster.windows.val, *forecaster.windows.train]
    try:
        return exported(forecaster.fit.network, architecture_of(config), windows[0], metadata)[0]
    except ValueError as error:
        on_note(f"no model.onnx: {error}; `predict` and `evaluate` load TensorFlow for this run")
        return None


def regressions_of(config: Config, windows: SplitWindows) -> dict[str, PooledT]:
    """Return the regressions that are baselines of a network, by name.

    These are the regression over all tickers, fitted to every window before the test period, and the pretrained
    one that the network starts from. The first is left out where the network is this regression, where the
    targets are no returns in units of a volatility, where the windows are too few, or where the likelihood has no
    finite maximum.
    """
    found = {} if windows.start is None else {windows.start.name: windows.start.regression}
    insample = [*windows.train, *windows.val]
    if config.model_name == REGRESSION or config.of_values:
        return found
    if not SCALES[config.target_scale].is_volatility or sum(map(len, insample)) < MIN_ROWS:
        return found
    pooled = PooledT.fit(insample)
    return {REGRESSION: pooled, **found} if pooled.is_finite else found
