"""What a worker of a backtest does: fit and forecast one part of one fold, from what it was sent and nothing else.

A part is the network of a fold, which learns all tickers, or the baselines of one ticker in it. TensorFlow loads
in the worker, with one thread: workers do not fight for cores, and give the same bits however many there are.
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
from lstm_stock.network.tensorflow_setup import load_single_threaded_tensorflow
from lstm_stock.runs.backtest import FoldPart


@dataclass(frozen=True)
class PartName:
    """Which part: of which fold, and whose baselines; `ticker` None is the fold's network."""

    fold: int
    ticker: str | None

    def __str__(self) -> str:
        """Return the name, which every file system takes.

        >>> str(PartName(3, None)), str(PartName(3, "^GSPC"))
        ('fold-003-network', 'fold-003-baselines-%5EGSPC')
        """
        what = "network" if self.ticker is None else f"baselines-{quote(self.ticker, safe='')}"
        return f"fold-{self.fold:03}-{what}"


@dataclass(frozen=True)
class FoldJob:
    """One part to be done, with all it needs to be done anywhere.

    Attributes:
        name: Which part.
        config: The whole config.
        fold: Its fold.
        adjusted: The adjusted bars that the fold may see, of each ticker that the part is about.
    """

    name: PartName
    config: Config
    fold: Fold
    adjusted: dict[str, pd.DataFrame]


def run_job(job: FoldJob) -> tuple[PartName, FoldPart]:
    """Fit and forecast one part, in a process that does nothing else meanwhile.

    Raises:
        DataError: A ticker has too few bars.
        ConfigError: The training diverged.
        KeyboardInterrupt: Ctrl-C ended the training early; a half-trained network is no part.
    """
    load_single_threaded_tensorflow()
    # Threads can be limited only of libraries that are loaded.
    import scipy.linalg
    import scipy.stats  # noqa: F401
    from threadpoolctl import threadpool_limits

    clock = time.perf_counter()
    with threadpool_limits(limits=1):
        tables, facts = _network(job) if job.name.ticker is None else _baselines(job)
    facts["seconds"] = time.perf_counter() - clock
    return job.name, FoldPart(pd.concat(tables, ignore_index=True), facts)


def cut_fold(config: Config, fold: Fold, adjusted: dict[str, pd.DataFrame]) -> SplitWindows:
    """Cut the windows of a fold, its scalers fitted on its own train bars; DataError if there are too few."""
    loader = BarLoader(adjusted.__getitem__)
    return windows_by_split(list(adjusted), loader, window_spec(config), fold.split)


def _network(job: FoldJob) -> tuple[list[pd.DataFrame], dict[str, Any]]:
    from lstm_stock.workflow.fit import fit_with_refit, network_table

    parts = cut_fold(job.config, job.fold, job.adjusted)
    ready = fit_with_refit(job.config, parts, BarLoader(job.adjusted.__getitem__))
    fit = ready.fit
    if fit.interrupted:
        raise KeyboardInterrupt
    best = fit.history.groupby("member")["val_loss"].min()
    facts = {"epochs": float(len(fit.history)), "best_val_loss": float(best.mean())}
    tables = [
        network_table(job.config, fit.network, ready.calibrators[test.series.ticker], test)
        for test in ready.test
    ]
    return tables, facts


def _baselines(job: FoldJob) -> tuple[list[pd.DataFrame], dict[str, Any]]:
    from lstm_stock.workflow.fit import baseline_tables

    parts = cut_fold(job.config, job.fold, job.adjusted)
    (windows,) = parts.test
    notes: list[str] = []
    adjusted = job.adjusted[windows.series.ticker]
    return baseline_tables(windows, adjusted, parts.split, notes.append), {"notes": notes}
