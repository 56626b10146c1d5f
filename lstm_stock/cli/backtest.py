"""The command `backtest`."""

from __future__ import annotations

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
    RunsDir,
    Tickers,
    app,
    load_settings,
    open_store,
)
from lstm_stock.cli.train import show_scores
from lstm_stock.errors import DataError

if TYPE_CHECKING:
    from lstm_stock.runs.backtest import Backtest


class WindowKind(StrEnum):
    """Train bars of the later folds."""

    expanding = "expanding"
    rolling = "rolling"


class BackendKind(StrEnum):
    """Engine of the workers."""

    loky = "loky"
    dask = "dask"


@app.command()
def backtest(
    tickers: Tickers = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    folds: Annotated[
        int, typer.Option(min=1, help="Number of blocks of the test period, each with a refit.")
    ] = 8,
    window: Annotated[
        WindowKind,
        typer.Option(help="Train on all bars before a block, or on as many as the first fold has."),
    ] = WindowKind.expanding,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Workers [default: one per core].", show_default=False)
    ] = None,
    backend: Annotated[
        BackendKind, typer.Option(help="Engine of the workers: this machine's cores, or Dask.")
    ] = BackendKind.loky,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A running Dask cluster [default: one on this machine]."),
    ] = None,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Refit at each of several folds, forecast the next block, and score all blocks together.

    Scaler, network and baselines are refitted on the bars before each block. The blocks tile the test period of
    the config's `split`. After an interruption, the same command continues where it stopped.
    """
    from lstm_stock.config.schema import require_market
    from lstm_stock.network.tensorflow_setup import n_cores
    from lstm_stock.report import console, progress
    from lstm_stock.runs.folder import require_writable
    from lstm_stock.workflow.parallel import Engine

    settings = load_settings(config, overrides, data_dir, quiet, tickers)
    require_market(settings)
    store = open_store(data_dir, settings.data.all_tickers, settings.data.interval)
    require_writable(runs_dir)
    from lstm_stock.workflow.backtest import Plan, backtest

    plan = Plan(folds, window.value, Engine(backend.value, jobs or n_cores(), cluster))
    try:
        with progress.counted_progress("parts", quiet) as on_progress:
            results, path = backtest(
                settings, store, runs_dir, plan, on_progress, lambda text: console.note(text, quiet)
            )
    except KeyboardInterrupt:
        console.warn("interrupted: finished parts are kept, and the same command continues from there")
        raise SystemExit(INTERRUPTED) from None
    _show_backtest(results)
    for figure in _draw_backtest(results, path):
        console.note(f"wrote {figure}", quiet)
    console.note(f"\nsaved {path}", quiet)


def _show_backtest(results: Backtest) -> None:
    from lstm_stock.report import console, score_tables
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, comparison, verdict_text

    model, n_folds = results.config.model_name, len(results.folds)
    tickers = list(dict.fromkeys(results.scores["ticker"]))
    if len(tickers) > MAX_DETAILED_TICKERS:
        show_scores(results.scores, results.verdict, results.config)
        return
    for ticker in tickers:
        title = f"{n_folds} folds, {results.provenance.window} window, pooled"
        console.show(score_tables.score_table(results.scores, model, ticker, title, results.config.words))
        console.show(score_tables.fold_table(results.fold_scores, results.folds, model, ticker))
        print(comparison(results.scores, model, ticker))
    print("\n" + verdict_text(results.verdict))


def _draw_backtest(results: Backtest, path: Path) -> list[Path]:
    from urllib.parse import quote

    from lstm_stock.report import console, plots
    from lstm_stock.report.text import MAX_DETAILED_TICKERS

    tickers, model = list(dict.fromkeys(results.scores["ticker"])), results.config.model_name
    written: list[Path] = []
    if len(tickers) > MAX_DETAILED_TICKERS:
        try:
            figure = plots.skill_by_ticker(results.scores, model)
            written += plots.save_figure(figure, path / "plots", "tickers")
        except DataError as error:
            console.warn(f"no figure of all tickers: {error.message}")
        return written
    for ticker in tickers:
        suffix = "" if len(tickers) == 1 else f"-{quote(ticker, safe='')}"
        figure = plots.skill_by_fold(results.fold_scores, results.scores, results.folds, ticker, model)
        written += plots.save_figure(figure, path / "plots", f"skill_by_fold{suffix}")
    return written
