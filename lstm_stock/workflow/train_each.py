"""One network a ticker: `train --each`, several at a time, each a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lstm_stock.config import Config
from lstm_stock.config.scales import SCALES
from lstm_stock.errors import ConfigError, DataError, LstmStockError, RunError
from lstm_stock.network.tensorflow_setup import load_single_threaded_tensorflow
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.runs.catalog import list_runs
from lstm_stock.runs.files import FORECASTS, read_forecasts
from lstm_stock.runs.provenance import fingerprint, fingerprint_inputs
from lstm_stock.runs.run import Run
from lstm_stock.scoring.verdict import LossTables, judge_loss_tables
from lstm_stock.workflow.parallel import Engine, run_calls


@dataclass(frozen=True)
class TrainJob:
    """One ticker to be trained by a worker: what it needs to do that."""

    config: Config
    data_dir: Path
    runs_dir: Path
    resume: bool


@dataclass(frozen=True)
class TrainOutcome:
    """What became of one ticker: a run, or why there is none."""

    ticker: str
    path: Path | None
    failure: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Trained:
    """All tickers, in the order of the config.

    Attributes:
        runs: One for each ticker that could be trained.
        failures: Why the others could not, by ticker.
    """

    runs: list[Run]
    failures: dict[str, str]

    @property
    def scores(self) -> pd.DataFrame:
        """The score tables of all runs."""
        return pd.concat([run.scores for run in self.runs], ignore_index=True)

    def verdict(self) -> dict[str, Any]:
        """Judge all runs together, and each by itself at a level that they share."""
        config = self.runs[0].config
        model = config.model.cell
        evidence = {
            run.config.data.tickers[0]: LossTables.of(table[table["step"] == 1], model)
            for run in self.runs
            for table in [read_forecasts(run.path / FORECASTS)]  # not kept, as `run.forecasts` would be
        }
        return judge_loss_tables(evidence, model, config.calibration)


def train_each(
    job: TrainJob, n_jobs: int, on_progress: Callable[[int, int], None], on_note: Callable[[str], None]
) -> Trained:
    """Train one network for each ticker of a config and save each as a run; one that fails stops no other.

    Args:
        job: What to train, with the config of all tickers. Where it says to resume, tickers that have a run of
            just this training are left alone, and one that was interrupted goes on.
        n_jobs: Workers, with one thread each: how many there are changes no bit of a run.
        on_progress: Called at the start and after every ticker, with the number done, and of all.
        on_note: Called with each sentence that the user should read.

    Raises:
        DataError: The prices of a ticker are missing.
        ConfigError: The config needs all tickers together.
    """
    scale = job.config.target_scale
    if job.config.needs_market:
        raise ConfigError(
            f"`--each` trains every ticker alone, and `target_scale: {scale}` looks at all of them",
            f"leave `--each` out, or set `target_scale: {SCALES[scale].alternative}`, which looks at each alone",
        )
    tickers = job.config.data.tickers
    configs = {ticker: _config_of(job.config, ticker) for ticker in tickers}
    done: dict[str, Run] = runs_there_are(job, configs) if job.resume else {}
    if done:
        on_note(f"{len(done)} of {len(tickers)} tickers have a run of just this training")
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
                    on_note(text if outcome.ticker in text else f"{outcome.ticker}: {text}")
                if outcome.path is None:
                    failures[outcome.ticker] = outcome.failure
                else:
                    done[outcome.ticker] = Run(outcome.path)
                on_progress(len(done) + len(failures), len(tickers))
    return Trained([done[ticker] for ticker in tickers if ticker in done], failures)


def train_one(job: TrainJob) -> TrainOutcome:
    """Train the one ticker of a job, in a process that does nothing else meanwhile.

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
        return TrainOutcome(ticker, None, error.message, tuple(notes))
    return TrainOutcome(ticker, run.path, "", tuple(notes))


def _config_of(config: Config, ticker: str) -> Config:
    return config.model_copy(update={"data": config.data.model_copy(update={"tickers": (ticker,)})})


def runs_there_are(job: TrainJob, configs: dict[str, Config]) -> dict[str, Run]:
    """Find the runs of just this training: the same settings, prices, packages and code."""
    by_key = {}
    for run in list_runs(job.runs_dir):
        with suppress(RunError):  # one that cannot be read is not what was trained
            if not run.provenance.interrupted:
                by_key[run.provenance.key] = run
    found = {}
    for ticker, config in configs.items():
        reader = PriceReader(config.data, Store(job.data_dir))
        try:
            reader.table(ticker)
        except DataError:
            continue  # the training tells it
        key = fingerprint(fingerprint_inputs(config, reader.origins))
        if key in by_key:
            found[ticker] = by_key[key]
    return found
