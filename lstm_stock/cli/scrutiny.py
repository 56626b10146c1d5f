"""The commands that put a model to the proof: `backtest` and `leakcheck`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import app
from lstm_stock.cli.options import (
    INTERRUPTED,
    ConfigFile,
    DataDir,
    Overrides,
    Quiet,
    RunsDir,
    open_store,
)

if TYPE_CHECKING:
    from lstm_stock.backtest_folder import Backtest


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
    from lstm_stock import terminal
    from lstm_stock.config import load_config
    from lstm_stock.parallel import Engine, n_cores
    from lstm_stock.run import require_writable

    settings = load_config(config, overrides or [])
    store = open_store(data_dir)
    for ticker in settings.data.tickers:
        store.read(ticker)  # so that a missing ticker is told before anything heavy loads
    require_writable(runs_dir)
    from lstm_stock.backtest import Plan, backtest

    plan = Plan(folds, window.value, Engine(backend.value, jobs or n_cores(), cluster))
    try:
        with terminal.backtest_progress(quiet) as on_progress:
            results, path = backtest(
                settings, store, runs_dir, plan, on_progress, lambda text: terminal.note(text, quiet)
            )
    except KeyboardInterrupt:
        terminal.warn("interrupted: what was done is kept, and the same command goes on from there")
        raise SystemExit(INTERRUPTED) from None
    _show(results)
    for figure in _draw(results, path):
        terminal.note(f"wrote {figure}", quiet)
    terminal.note(f"\nsaved {path}", quiet)


def _show(results: Backtest) -> None:
    from lstm_stock import report, terminal

    model, n_folds = results.config.model.cell, len(results.folds)
    for ticker in results.config.data.tickers:
        title = f"{n_folds} folds, {results.provenance.window} window, pooled"
        terminal.show(report.score_table(results.scores, model, ticker, title))
        terminal.show(report.fold_table(results.fold_scores, results.folds, model, ticker))
        print(report.comparison(results.scores, model, ticker))


def _draw(results: Backtest, path: Path) -> list[Path]:
    from urllib.parse import quote

    from lstm_stock import plots

    tickers, model = results.config.data.tickers, results.config.model.cell
    written: list[Path] = []
    for ticker in tickers:
        suffix = "" if len(tickers) == 1 else f"-{quote(ticker, safe='')}"
        figure = plots.skill_by_fold(results.fold_scores, results.scores, results.folds, ticker, model)
        written += plots.save_figure(figure, path / "plots", f"skill_by_fold{suffix}")
    return written
