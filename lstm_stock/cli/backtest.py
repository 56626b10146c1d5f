"""The commands that put a model to the proof: `backtest` and `leakcheck`."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import (
    INTERRUPTED,
    ConfigFile,
    DataDir,
    Overrides,
    Quiet,
    RunName,
    RunsDir,
    app,
    open_store,
)
from lstm_stock.cli.train import show_scores
from lstm_stock.errors import ConfigError, DataError

if TYPE_CHECKING:
    from lstm_stock.runs.backtest import Backtest


class WindowKind(StrEnum):
    """What a later fold learns from."""

    expanding = "expanding"
    rolling = "rolling"


class BackendKind(StrEnum):
    """Who does the work."""

    loky = "loky"
    dask = "dask"
    ray = "ray"


@app.command()
def backtest(
    config: ConfigFile = None,
    overrides: Overrides = None,
    folds: Annotated[int, typer.Option(min=1, help="Blocks of the test period, each with its refit.")] = 8,
    window: Annotated[
        WindowKind,
        typer.Option(help="Learn from all bars before a block, or from as many as the first fold has."),
    ] = WindowKind.expanding,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Workers [default: one a core].", show_default=False)
    ] = None,
    backend: Annotated[
        BackendKind, typer.Option(help="Who does the work: this machine's cores, or another engine.")
    ] = BackendKind.loky,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="A running Dask or Ray cluster; one on this machine if left out."
        ),
    ] = None,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Refit at each of several folds, forecast the next block, and score all blocks together.

    Everything is refitted: scaler, network and baselines, each on the bars before its block. The blocks tile the
    test period of the config's `split`. Interrupted, it goes on where it stopped when the same command is
    given again.
    """
    from lstm_stock.config import load_config
    from lstm_stock.config.schema import require_market
    from lstm_stock.report import console, progress
    from lstm_stock.runs.folder import require_writable
    from lstm_stock.workflow.parallel import Engine, n_cores

    settings = load_config(config, overrides or [])
    require_market(settings)
    store = open_store(data_dir)
    for ticker in settings.data.tickers:
        store.read(ticker)  # so that a missing ticker is told before anything heavy loads
    require_writable(runs_dir)
    from lstm_stock.workflow.backtest import Plan, backtest

    plan = Plan(folds, window.value, Engine(backend.value, jobs or n_cores(), cluster))
    try:
        with progress.counted_progress("parts", quiet) as on_progress:
            results, path = backtest(
                settings, store, runs_dir, plan, on_progress, lambda text: console.note(text, quiet)
            )
    except KeyboardInterrupt:
        console.warn("interrupted: what was done is kept, and the same command goes on from there")
        raise SystemExit(INTERRUPTED) from None
    _show(results)
    for figure in _draw(results, path):
        console.note(f"wrote {figure}", quiet)
    console.note(f"\nsaved {path}", quiet)


@app.command()
def leakcheck(
    run: RunName = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    cutoffs: Annotated[
        int, typer.Option(min=1, help="Dates of the test period after which to change the bars.")
    ] = 5,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Change every bar after a cutoff, and see whether anything known at the cutoff moves by a bit.

    Checks a run (the newest if left out), or what a config would train: `--config default`. Ends with 2, and the
    name of the first thing that moved, if there is a leak.
    """
    from lstm_stock.config import load_config
    from lstm_stock.config.schema import require_market
    from lstm_stock.network.tensorflow_setup import load_tensorflow
    from lstm_stock.report import console, progress, run_tables
    from lstm_stock.runs.catalog import find_run

    of_config = config is not None or bool(overrides)
    if run is not None and of_config:
        raise ConfigError(
            f"got the run {run} and a config: one of them can be checked at a time", "leave out one of them"
        )
    saved = None if of_config else find_run(runs_dir, run)
    settings = load_config(config, overrides or []) if saved is None else saved.config
    require_market(settings)
    store = open_store(data_dir)
    for ticker in settings.data.tickers:
        store.read(ticker)  # so that a missing ticker is told before TensorFlow takes its seconds to load
    load_tensorflow()
    from lstm_stock.workflow.leakcheck.check import check_config, check_run

    with progress.counted_progress("walks", quiet) as on_progress:
        if saved is None:
            checked = check_config(
                settings, store, cutoffs, on_progress, lambda text: console.note(text, quiet)
            )
        else:
            checked = check_run(saved, store, cutoffs, on_progress, console.warn)
    console.show(run_tables.leak_table(checked.n_arrays, checked.n_values))
    first, last = checked.cutoffs[0], checked.cutoffs[-1]
    print(
        f"no leak: {len(checked.cutoffs)} cutoffs from {first} to {last};\n"
        "whatever came after them, nothing known at the cutoff moved by a bit"
    )


def _show(results: Backtest) -> None:
    from lstm_stock.report import console, score_tables
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, comparison, verdict_text

    model, n_folds = results.config.model.cell, len(results.folds)
    tickers = results.config.data.tickers
    if len(tickers) > MAX_DETAILED_TICKERS:
        show_scores(results.scores, results.verdict, results.config)
        return
    for ticker in tickers:
        title = f"{n_folds} folds, {results.provenance.window} window, pooled"
        console.show(score_tables.score_table(results.scores, model, ticker, title))
        console.show(score_tables.fold_table(results.fold_scores, results.folds, model, ticker))
        print(comparison(results.scores, model, ticker))
    print("\n" + verdict_text(results.verdict))


def _draw(results: Backtest, path: Path) -> list[Path]:
    from urllib.parse import quote

    from lstm_stock.report import plots
    from lstm_stock.report.text import MAX_DETAILED_TICKERS

    tickers, model = results.config.data.tickers, results.config.model.cell
    written: list[Path] = []
    if len(tickers) > MAX_DETAILED_TICKERS:
        with suppress(DataError):  # a point without spread
            figure = plots.skill_by_ticker(results.scores, model)
            written += plots.save_figure(figure, path / "plots", "tickers")
        return written
    for ticker in tickers:
        suffix = "" if len(tickers) == 1 else f"-{quote(ticker, safe='')}"
        figure = plots.skill_by_fold(results.fold_scores, results.scores, results.folds, ticker, model)
        written += plots.save_figure(figure, path / "plots", f"skill_by_fold{suffix}")
    return written
