"""The worker of a backtest: fit and forecast one part of one fold, from its input alone.

A part is the network of a fold with the regressions over many tickers, as both learn all tickers, or the other
baselines of one ticker. TensorFlow loads in the worker that needs it, with one thread, so that the number of
workers changes no bit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd

from lstm_stock.config import Config
from lstm_stock.dataset.build import SplitWindows, windows_by_split
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.series import window_spec
from lstm_stock.dataset.split import Fold
from lstm_stock.dataset.start import Start
from lstm_stock.network.tensorflow_setup import load_single_threaded_tensorflow
from lstm_stock.runs.backtest import FoldPart
from lstm_stock.scoring.forecast_table import forecast_table
from lstm_stock.workflow.scoring import baseline_tables, network_table


@dataclass(frozen=True)
class PartName:
    """The fold of a part, and the ticker of its baselines; None is the network."""

    fold: int
    ticker: str | None

    def __str__(self) -> str:
        """Return a name that is valid on every file system.

        >>> str(PartName(3, None)), str(PartName(3, "^GSPC"))
        ('fold-003-network', 'fold-003-baselines-%5EGSPC')
        """
        what = "network" if self.ticker is None else f"baselines-{quote(self.ticker, safe='')}"
        return f"fold-{self.fold:03}-{what}"


@dataclass(frozen=True)
class FoldJob:
    """The input of one part.

    Attributes:
        name: The part.
        config: The whole config.
        fold: Its fold.
        adjusted: The adjusted bars of each ticker of the part, up to the last outcome of the fold.
        start: What the training starts from; None is nothing.
    """

    name: PartName
    config: Config
    fold: Fold
    adjusted: dict[str, pd.DataFrame]
    start: Start | None = None


def run_job(job: FoldJob) -> tuple[PartName, FoldPart]:
    """Fit and forecast one part, in a process of its own.

    Raises:
        DataError: A ticker has too few bars.
        ConfigError: The training diverged.
        KeyboardInterrupt: Ctrl-C ended the training early.
    """
    if job.name.ticker is None:
        load_single_threaded_tensorflow()
    clock = time.perf_counter()
    tables, facts = _network(job) if job.name.ticker is None else _baselines(job)
    facts["seconds"] = time.perf_counter() - clock
    return job.name, FoldPart(pd.concat(tables, ignore_index=True), facts)


def _cut_windows(job: FoldJob, loader: BarLoader) -> SplitWindows:
    return windows_by_split(list(job.adjusted), loader, window_spec(job.config), job.fold.split, job.start)


def _network(job: FoldJob) -> tuple[list[pd.DataFrame], dict[str, Any]]:
    from lstm_stock.workflow.fit import fit_with_refit, regressions_of
    from lstm_stock.workflow.forecast import forecast_each

    loader = BarLoader(job.adjusted.__getitem__)
    forecaster = fit_with_refit(job.config, _cut_windows(job, loader), loader)
    fit, test = forecaster.fit, forecaster.windows.test
    if fit.interrupted:
        raise KeyboardInterrupt
    best = fit.history.groupby("member")["val_loss"].min()
    facts = {"epochs": float((fit.history["epoch"] > 0).sum()), "best_val_loss": float(best.mean())}
    tables = [
        network_table(job.config.model_name, windows, returns, forecaster.calibrators[windows.series.ticker])
        for windows, returns in zip(test, forecast_each(job.config, fit.network, test), strict=True)
    ]
    for name, regression in regressions_of(job.config, forecaster.windows).items():
        tables += [forecast_table(windows, name, regression.forecast(windows)) for windows in test]
    return tables, facts


def _baselines(job: FoldJob) -> tuple[list[pd.DataFrame], dict[str, Any]]:
    (test,) = _cut_windows(job, BarLoader(job.adjusted.__getitem__)).test
    notes: list[str] = []
    adjusted = job.adjusted[test.series.ticker]
    return baseline_tables(test, adjusted, job.fold.split, notes.append), {"notes": notes}
