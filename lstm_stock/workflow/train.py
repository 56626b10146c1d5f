"""Train one network for all tickers of a config, and save the run."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lstm_stock.atomic import WorkDir, temporary_dir
from lstm_stock.config import Config
from lstm_stock.dataset.build import build_dataset
from lstm_stock.dataset.series import TickerSeries
from lstm_stock.dataset.split import Split
from lstm_stock.errors import ConfigError, RunError
from lstm_stock.network.callbacks import Progress
from lstm_stock.network.checkpoints import Checkpoints
from lstm_stock.network.tensorflow_setup import n_cores
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.report.text import group_messages
from lstm_stock.runs.files import ForecastWriter
from lstm_stock.runs.folder import cannot_save
from lstm_stock.runs.provenance import (
    RunProvenance,
    environment,
    fingerprint,
    fingerprint_inputs,
    package_versions,
)
from lstm_stock.runs.run import ModelArtifacts, Run, RunResults, save_run
from lstm_stock.workflow.fit import exported_network, fit_with_refit, regressions_of, score_jobs
from lstm_stock.workflow.interval import settle_interval
from lstm_stock.workflow.kept_start import note_kept_starts
from lstm_stock.workflow.parallel import WorkerKilledError
from lstm_stock.workflow.scoring import ScoredTicker, collect_scores, score_tickers, subject_of
from lstm_stock.workflow.start import require_unseen_test, start_of
from lstm_stock.workflow.value_config import with_season


@dataclass(frozen=True)
class Reports:
    """Callbacks of a training.

    Attributes:
        training: Context of the training; its value is called with each `Progress`.
        scoring: Context of the scoring; its value is called with the number of tickers scored, and of all.
        note: Called with each sentence that the user should read.
    """

    training: Callable[[], AbstractContextManager[Callable[[Progress], None]]]
    scoring: Callable[[], AbstractContextManager[Callable[[int, int], None]]]
    note: Callable[[str], None]

    @classmethod
    def only_notes(cls, note: Callable[[str], None]) -> Reports:
        """Return callbacks that ignore progress."""
        return cls(lambda: nullcontext(lambda _: None), lambda: nullcontext(lambda _done, _all: None), note)


def train(
    config: Config,
    store: Store,
    runs_dir: Path,
    reports: Reports,
    resume: bool = False,
    n_workers: int | None = None,
) -> Run:
    """Train, forecast the test period once, compare with the baselines, and save the run.

    Of several tickers, those whose train bars cannot be used are left out. Those that end before the test period
    are trained on until they end, and not scored.

    Args:
        config: The whole config.
        store: Where the prices are.
        runs_dir: Where the run folder will be made.
        reports: Callbacks for progress and notes.
        resume: Continue the same training after its last saved epoch, if it was killed.
        n_workers: Number of processes that fit and score the baselines of many tickers; None is one per core.

    Raises:
        DataError: Prices are missing or too few.
        ConfigError: The training diverged, or a worker was killed.
        RunError: The run cannot be saved.
    """
    started = dt.datetime.now(dt.UTC)
    config, store = settle_interval(config, store)
    config, start = start_of(config, store, reports.note)
    config = with_season(config, store)
    reader = PriceReader(config.data, store)
    dataset = build_dataset(config, reader, reports.note, start=start)
    config, windows, loader = dataset.config, dataset.windows, dataset.loader
    split = windows.split
    require_unseen_test(config, split)
    origins, of_covariates = reader.origins_of(config.data.tickers), reader.origins_of(config.data.covariates)
    _note_constant_features(windows.series, split, reports.note)

    key = fingerprint(fingerprint_inputs(config, origins | of_covariates))
    with (
        _checkpoints(runs_dir, key, resume, reports.note) as checkpoints,
        _scratch(runs_dir) as scratch,
    ):
        clock = time.perf_counter()
        with reports.training() as on_progress, _cleared_if_diverged(checkpoints):
            forecaster = fit_with_refit(config, windows, loader, on_progress, checkpoints)
        fit = forecaster.fit
        train_seconds = time.perf_counter() - clock
        if fit.interrupted:
            which = "last" if config.training.early_stopping is None else "best"
            reports.note(
                f"stopped by Ctrl-C: the {which} validated weights are scored and saved; "
                "`--resume` continues after the last complete epoch"
            )
        note_kept_starts(config, fit, reports.note)
        forecasts = scratch / "forecasts.parquet"
        with _training_is_kept(checkpoints, reports.note):
            n_scored = len(forecaster.windows.test)
            regressions = regressions_of(config, forecaster.windows)
            jobs = score_jobs(config, forecaster, loader, regressions)
            scored = score_tickers(jobs, n_scored, n_workers or n_cores())
            scores, verdict = _score(config, scored, n_scored, forecasts, runs_dir, reports)

        python, platform = environment()
        provenance = RunProvenance(
            created=started.isoformat(timespec="seconds"),
            seed=config.seed,
            val_start=str(split.val_start),
            test_start=str(split.test_start),
            n_params=fit.network.count_params(),
            n_train_windows=sum(map(len, windows.train)),
            n_val_windows=sum(map(len, windows.val)),
            train_seconds=round(train_seconds, 1),
            interrupted=fit.interrupted,
            tickers=origins,
            packages=package_versions(),
            python=python,
            platform=platform,
            key=key,
            covariates=of_covariates,
        )
        results = RunResults(
            config=config,
            fitted=ModelArtifacts(
                network=fit.network,
                scalers=forecaster.scalers,
                calibrators=forecaster.calibrators,
                regressions=regressions,
                onnx=exported_network(config, forecaster, reports.note),
            ),
            history=fit.history,
            forecasts=forecasts,
            scores=scores,
            provenance=provenance,
            verdict=verdict,
        )
        run = save_run(runs_dir, results)
        if checkpoints is not None and not fit.interrupted:
            checkpoints.clear()
    return run


def _score(
    config: Config,
    results: Generator[ScoredTicker],
    n_tickers: int,
    file: Path,
    runs_dir: Path,
    reports: Reports,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Collect the scores, and write the forecasts to a file.

    Returns:
        The score table and the verdict.

    Raises:
        RunError: The forecasts cannot be written.
    """

    def save(forecasts: pd.DataFrame) -> None:
        with _saving(runs_dir):
            writer.add(forecasts)

    with ForecastWriter(file) as writer, reports.scoring() as on_scored:
        found = collect_scores(results, subject_of(config), n_tickers, save, on_scored, reports.note)
        with _saving(runs_dir):
            writer.close()
    return found


@contextmanager
def _checkpoints(
    runs_dir: Path, key: str, resume: bool, note: Callable[[str], None]
) -> Iterator[Checkpoints | None]:
    """Open the checkpoints of a training; None while another process holds them.

    Raises:
        RunError: The disk refuses, or another process holds the training that should be resumed.
    """
    work_dir = WorkDir(runs_dir, "training", key)
    with ExitStack() as stack:
        try:
            stack.enter_context(work_dir)
        except RunError:
            if resume:
                raise
            note("another process runs the same training: this one writes no checkpoints")
            yield None
            return
        except OSError as error:
            raise cannot_save(runs_dir, error) from error
        checkpoints = Checkpoints(work_dir, note, restart=not resume)
        n_epochs = checkpoints.n_epochs
        if resume and n_epochs:
            note(f"continuing after epoch {n_epochs}")
        elif resume:
            note("no training of the same config, prices, packages and code to resume: starting at epoch 1")
        elif n_epochs:
            note(f"starting at epoch 1; `--resume` would have continued this training after epoch {n_epochs}")
        yield checkpoints


@contextmanager
def _cleared_if_diverged(checkpoints: Checkpoints | None) -> Iterator[None]:
    """Delete the checkpoints of a training that diverges: resumed, it would diverge again."""
    try:
        yield
    except ConfigError:
        if checkpoints is not None:
            checkpoints.clear()
        raise


@contextmanager
def _training_is_kept(checkpoints: Checkpoints | None, on_note: Callable[[str], None]) -> Iterator[None]:
    """If the scoring is interrupted or a worker killed, tell the user that `--resume` need not train again.

    Raises:
        ConfigError: A worker was killed.
    """
    try:
        yield
    except KeyboardInterrupt:
        if checkpoints is not None:
            on_note("interrupted while scoring: the trained network is kept, and `--resume` scores it")
        raise
    except WorkerKilledError as error:
        hint = "choose fewer `--jobs`"
        if checkpoints is not None:
            hint += ", and add `--resume`: the trained network is kept"
        raise ConfigError(error.message, hint) from error


@contextmanager
def _scratch(runs_dir: Path) -> Iterator[Path]:
    """Make a temporary folder on the disk of the runs; RunError if that fails."""
    with ExitStack() as stack:
        with _saving(runs_dir):
            folder = stack.enter_context(temporary_dir(runs_dir))
        yield folder


@contextmanager
def _saving(runs_dir: Path) -> Iterator[None]:
    """Turn an OSError of writing a run into a RunError."""
    try:
        yield
    except OSError as error:
        raise cannot_save(runs_dir, error) from error


def _note_constant_features(
    series: Sequence[TickerSeries], split: Split, on_note: Callable[[str], None]
) -> None:
    texts = [
        (one.ticker, f"{one.ticker}: `{name}` is constant on the train bars and carries no information")
        for one in series
        for name in one.constant_features(split)
    ]
    for text in group_messages(texts):
        on_note(text)
