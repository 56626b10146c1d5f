"""Train one network for each ticker of a config, several at a time, and save each as a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lstm_stock.config import Config
from lstm_stock.errors import ConfigError, DataError, LstmStockError, RunError
from lstm_stock.network.tensorflow_setup import load_single_threaded_tensorflow
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.runs.catalog import list_runs
from lstm_stock.runs.files import FORECASTS, read_forecasts
from lstm_stock.runs.provenance import fingerprint, fingerprint_inputs
from lstm_stock.runs.run import Run
from lstm_stock.scoring.verdict import LossTables, judge_loss_tables
from lstm_stock.workflow.interval import settle_interval
from lstm_stock.workflow.parallel import Engine, run_calls
from lstm_stock.workflow.scoring import subject_of
from lstm_stock.workflow.value_config import with_season


@dataclass(frozen=True)
class TrainJob:
    """The input of a worker: the config of one ticker and the folders."""

    config: Config
    data_dir: Path
    runs_dir: Path
    resume: bool


@dataclass(frozen=True)
class TrainOutcome:
    """The result for one ticker: a run, or the reason why there is none."""

    ticker: str
    path: Path | None
    failure: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Trained:
    """The results of all tickers, in the order of the config.

    Attributes:
        runs: One for each ticker that could be trained.
        failures: The error message of each other ticker, with its hint.
    """

    runs: list[Run]
    failures: dict[str, str]

    @property
    def scores(self) -> pd.DataFrame:
        """The score tables of all runs."""
        return pd.concat([run.scores for run in self.runs], ignore_index=True)

    def verdict(self) -> dict[str, Any]:
        """Return the verdict on all runs together, and on each at a significance level for all."""
        subject = subject_of(self.runs[0].config)
        loss_tables = {
            run.config.data.tickers[0]: LossTables.by_step(table, subject.model)
            for run in self.runs
            for table in [read_forecasts(run.path / FORECASTS)]  # `run.forecasts` would stay in memory
        }
        return judge_loss_tables(loss_tables, subject)


def train_each(
    job: TrainJob, n_jobs: int, on_progress: Callable[[int, int], None], on_note: Callable[[str], None]
) -> Trained:
    """Train one network for each ticker of a config; a ticker that fails stops no other.

    Args:
        job: The config of all tickers, and the folders. With `resume`, a ticker that has a run of the same
            training is skipped, and an interrupted training continues.
        n_jobs: Number of workers, with one thread each; it changes no bit of a run.
        on_progress: Called at the start and after every ticker, with the number of tickers done, and of all.
        on_note: Called with each sentence that the user should read.

    Raises:
        DataError: The prices of a ticker are missing.
        ConfigError: The config needs all tickers together.
    """
    if job.config.needs_market:
        raise ConfigError(
            f"`--each` trains each ticker alone, and `{job.config.market_user}` needs all of them",
            f"leave out `--each`, or {job.config.without_market}",
        )
    tickers = job.config.data.tickers
    configs = {ticker: _config_of(job.config, ticker) for ticker in tickers}
    done = find_finished_runs(job, configs) if job.resume else {}
    if done:
        on_note(f"{len(done)} of {len(tickers)} tickers have a run of the same training")
    failures: dict[str, str] = {}
    on_progress(len(done), len(tickers))

    def jobs() -> Iterator[TrainJob]:
        for ticker, config in configs.items():
            if ticker not in done:
                yield TrainJob(config, job.data_dir, job.runs_dir, job.resume)

    if len(done) < len(tickers):
        with closing(run_calls(Engine("loky", n_jobs), train_one, jobs())) as outcomes:
            for outcome in outcomes:
                for text in outcome.notes:
                    on_note(text if text.startswith(f"{outcome.ticker}:") else f"{outcome.ticker}: {text}")
                if outcome.path is None:
                    failures[outcome.ticker] = outcome.failure
                else:
                    done[outcome.ticker] = Run(outcome.path)
                on_progress(len(done) + len(failures), len(tickers))
    return Trained([done[ticker] for ticker in tickers if ticker in done], failures)


def train_one(job: TrainJob) -> TrainOutcome:
    """Train the ticker of a job, in a process of its own.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the training early.
    """
    load_single_threaded_tensorflow()
    from lstm_stock.workflow.train import Reports, train

    (ticker,) = job.config.data.tickers
    notes: list[str] = []
    reports = Reports.only_notes(notes.append)
    try:
        run = train(job.config, Store(job.data_dir), job.runs_dir, reports, job.resume)
    except LstmStockError as error:
        failure = error.message + (f" (hint: {error.hint})" if error.hint else "")
        return TrainOutcome(ticker, None, failure, tuple(notes))
    return TrainOutcome(ticker, run.path, "", tuple(notes))


def _config_of(config: Config, ticker: str) -> Config:
    return config.model_copy(update={"data": config.data.model_copy(update={"tickers": (ticker,)})})


def find_finished_runs(job: TrainJob, configs: dict[str, Config]) -> dict[str, Run]:
    """Return the finished runs of the same settings, prices, packages and code, by ticker."""
    by_key = {}
    for run in list_runs(job.runs_dir):
        with suppress(RunError):  # an unreadable run is skipped
            if not run.provenance.interrupted:
                by_key[run.provenance.key] = run
    found = {}
    for ticker, config in configs.items():
        try:
            config, store = settle_interval(config, Store(job.data_dir))
            config = with_season(config, store)
            reader = PriceReader(config.data, store)
            for name in (ticker, *config.data.covariates):
                reader.table(name)
        except (DataError, ConfigError):
            continue  # the training reports it
        key = fingerprint(fingerprint_inputs(config, reader.origins))
        if key in by_key:
            found[ticker] = by_key[key]
    return found
