"""The command `train`; other commands train and print scores with its functions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_stock.cli.app import (
    INTERRUPTED,
    ConfigFile,
    DataDir,
    Overrides,
    Quiet,
    RunsDir,
    Tickers,
    app,
    load_settings,
    open_store,
)
from lstm_stock.errors import RunError

if TYPE_CHECKING:
    import pandas as pd

    from lstm_stock.config import Config
    from lstm_stock.config.targets import Words
    from lstm_stock.prices.store import Store
    from lstm_stock.runs.run import Run
    from lstm_stock.workflow.train_each import Trained


@app.command()
def train(
    tickers: Tickers = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    each: Annotated[
        bool, typer.Option("--each", help="Train one network per ticker instead of one for all.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Workers of `--each`, or of the baselines of many tickers [default: one per core].",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Continue the same training where it was interrupted, to the same weights."
        ),
    ] = False,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Train the network, score it against the baselines, and save the run.

    Several tickers train one network, unless `--each` is given. A series of values takes the config `values`.
    """
    from lstm_stock.config.schema import require_market

    settings = load_settings(config, overrides, data_dir, quiet, tickers)
    from lstm_stock.network.tensorflow_setup import n_cores
    from lstm_stock.runs.folder import require_writable

    require_market(settings)
    store = open_store(data_dir, settings.data.all_tickers, settings.data.interval)
    require_writable(runs_dir)  # before the training takes minutes
    if not each:
        run = train_together(settings, store, runs_dir, quiet, resume, jobs)
        _show_next(run, quiet)
        return
    trained = _train_each(settings, store, runs_dir, jobs or n_cores(), resume, quiet)
    if trained.failures:
        n_failed, n_all = len(trained.failures), len(settings.data.tickers)
        raise RunError(f"{n_failed} of {n_all} tickers could not be trained", "see the warnings above")


def _show_next(run: Run, quiet: bool) -> None:
    from lstm_stock.report import console

    console.note(
        f"next: `lstm-stock predict --run {run.name}` forecasts with it, `lstm-stock plot` draws it, `lstm-stock "
        "backtest` refits it at several dates, in about as many times this training's time as there are folds",
        quiet,
    )


def train_together(
    config: Config,
    store: Store,
    runs_dir: Path,
    quiet: bool,
    resume: bool = False,
    n_workers: int | None = None,
) -> Run:
    """Train one network for all tickers of a config, save the run and print its scores."""
    from lstm_stock.network.tensorflow_setup import load_tensorflow
    from lstm_stock.report import console, progress
    from lstm_stock.report.text import MAX_DETAILED_TICKERS

    load_tensorflow()
    from lstm_stock.workflow.train import Reports, train

    few = len(config.data.tickers) <= MAX_DETAILED_TICKERS
    reports = Reports(
        training=lambda: progress.training_progress(quiet),
        scoring=lambda: (
            progress.scoring_progress(quiet) if few else progress.counted_progress("tickers", quiet)
        ),
        note=lambda text: console.note(text, quiet),
    )
    run = train(config, store, runs_dir, reports, resume, n_workers)
    show_scores(run.scores, run.verdict, run.config)
    console.note(f"\nsaved {run.path}", quiet)
    return run


def _train_each(
    config: Config, store: Store, runs_dir: Path, n_jobs: int, resume: bool, quiet: bool
) -> Trained:
    """Train one network per ticker, and print all scores together."""
    from lstm_stock.report import console, progress
    from lstm_stock.workflow.train_each import TrainJob, train_each

    try:
        with progress.counted_progress("tickers", quiet) as on_progress:
            job = TrainJob(config, store.root, runs_dir, resume)
            trained = train_each(job, n_jobs, on_progress, lambda text: console.note(text, quiet))
    except KeyboardInterrupt:
        console.warn("interrupted: finished runs are kept, and `--resume` continues from there")
        raise SystemExit(INTERRUPTED) from None
    for ticker, failure in trained.failures.items():
        console.warn(f"{ticker} was not trained: {failure}")
    if trained.runs:
        show_scores(trained.scores, trained.verdict(), config)
        console.note(f"\nsaved {len(trained.runs)} runs in {runs_dir}", quiet)
    return trained


def show_scores(scores: pd.DataFrame, verdict: dict[str, Any], config: Config) -> None:
    """Print one table per ticker, or one line per ticker where they are many; then the verdict."""
    from lstm_stock.report.text import verdict_text

    show_score_tables(scores, verdict, config.model_name, words=config.words)
    print("\n" + verdict_text(verdict))


def show_score_tables(
    scores: pd.DataFrame,
    verdict: dict[str, Any],
    model: str,
    subject: str = "test scores",
    words: Words | None = None,
) -> None:
    """Print one table per ticker, or one line per ticker where they are many.

    Args:
        scores: A score table.
        verdict: Its verdict.
        model: The network's name.
        subject: What was scored, for the titles.
        words: What the series are called; None for those of prices.
    """
    from lstm_stock.config.targets import OF_PRICES
    from lstm_stock.report import console, score_tables
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, comparison
    from lstm_stock.scoring.scores import pooled_scores, ticker_scores

    words = words or OF_PRICES
    tickers = list(dict.fromkeys(scores["ticker"]))
    if len(tickers) <= MAX_DETAILED_TICKERS:
        for ticker in tickers:
            console.show(score_tables.score_table(scores, model, ticker, subject, words))
            print(comparison(scores, model, ticker))
        return
    rows, pooled = ticker_scores(scores, model), pooled_scores(scores, model)
    console.show(score_tables.tickers_table(rows, verdict["tickers"], model, words))
    if len(pooled):  # empty for point forecasts: RMSE in prices has no mean over tickers
        console.show(score_tables.pooled_table(pooled, model, words))
