"""The commands about runs: `train`, `predict`, `plot`, `runs`, and `demo`, which is all of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import app
from lstm_stock.cli.options import (
    ConfigFile,
    CostBp,
    DataDir,
    Format,
    Overrides,
    Quiet,
    RunName,
    RunsDir,
    ShowStrategy,
    open_store,
    parse_date,
)
from lstm_stock.cli.prices import report_fetch
from lstm_stock.errors import DataError, RunError

INTERVALS = {
    "none": "intervals as trained",
    "conformal": "intervals stretched to what held in the validation period",
    "adaptive": "intervals as trained, corrected by their hits and misses since",
}
"""What `predict` says of its intervals, by the config's `calibration`."""

if TYPE_CHECKING:
    import pandas as pd

    from lstm_stock.config import Config
    from lstm_stock.run import Run
    from lstm_stock.store import Store


@app.command()
def train(
    config: ConfigFile = None,
    overrides: Overrides = None,
    strategy: ShowStrategy = False,
    cost_bp: CostBp = 5.0,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Train the network, judge it beside the baselines, and save the run."""
    from lstm_stock.config import load_config

    settings = load_config(config, overrides or [])
    run = _train(settings, open_store(data_dir), runs_dir, quiet)
    if strategy:
        show_strategy(run.forecasts, settings.model.cell, cost_bp)


@app.command()
def predict(
    run: RunName = None,
    ticker: Annotated[
        str | None, typer.Option(help="One of the run's tickers; all of them if left out.")
    ] = None,
    cutoff: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Forecast as of this past date, using nothing after it."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Forecast the next sessions, with intervals."""
    from lstm_stock.run import find_run

    as_of = parse_date(cutoff, "--cutoff")
    _predict(find_run(runs_dir, run), open_store(data_dir), ticker, as_of, output, quiet)


@app.command()
def plot(
    run: RunName = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; the run's `plots` if left out.")
    ] = None,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Draw the run: training, test period, forecast fan, calibration, scores."""
    from lstm_stock.run import find_run

    _plot(find_run(runs_dir, run), open_store(data_dir), output, quiet)


@app.command()
def runs(runs_dir: RunsDir = Path("runs"), quiet: Quiet = False) -> None:
    """List the runs with their key scores."""
    from lstm_stock import report, terminal
    from lstm_stock.run import list_backtests, list_runs

    found, backtests = list_runs(runs_dir), list_backtests(runs_dir)
    if backtests:
        names = ", ".join(path.name for path in backtests[-3:])
        terminal.note(f"backtests lie beside the runs, the newest last: {names}", quiet)
    if not found:
        terminal.note(f"no runs in {runs_dir}; `lstm-stock train` makes one", quiet)
        return
    rows = []
    for run in found:
        try:
            rows.append(report.run_summary(run))
        except RunError as error:
            terminal.warn(error.message)
    terminal.show(report.runs_table(rows))


@app.command()
def demo(
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Do the main job on the shipped AAPL sample: fetch, train, predict, plot. Needs no network."""
    from lstm_stock import terminal
    from lstm_stock.config import Config
    from lstm_stock.fetching import FetchOptions, fetch_into
    from lstm_stock.sources import SAMPLE_TICKER

    store = open_store(data_dir)
    terminal.note("[1/4] fetch: AAPL, the sample that comes with the package", quiet)
    try:
        fetched = fetch_into(store, SAMPLE_TICKER, FetchOptions(source="sample"))
    except DataError as error:
        raise DataError(
            error.message, "`lstm-stock demo --data-dir demo-data` leaves your prices alone"
        ) from error
    report_fetch(fetched, store, quiet)
    terminal.note("\n[2/4] train: the default config", quiet)
    run = _train(Config(), store, runs_dir, quiet)
    terminal.note("\n[3/4] predict: the next five sessions", quiet)
    _predict(run, store, None, None, Format.table, quiet)
    terminal.note("\n[4/4] plot", quiet)
    _plot(run, store, None, quiet)
    terminal.note(
        "\nnext: `lstm-stock train --config classic` shows what the tutorial recipe is worth", quiet
    )


def show_strategy(forecasts: pd.DataFrame, model: str, cost_bp: float) -> None:
    """Print what following the forecasts would have earned."""
    from lstm_stock import report, terminal
    from lstm_stock.strategy import strategy_table

    terminal.show(report.strategy_table(strategy_table(forecasts, model, cost_bp), cost_bp))


def _train(config: Config, store: Store, runs_dir: Path, quiet: bool) -> Run:
    from lstm_stock import report, terminal
    from lstm_stock.run import require_writable
    from lstm_stock.tensorflow_setup import load_tensorflow

    for ticker in config.data.tickers:
        store.read(ticker)  # so that a missing ticker is told before TensorFlow takes its seconds to load
    require_writable(runs_dir)  # and a folder that cannot be written before the training takes its minutes
    load_tensorflow()
    from lstm_stock.workflow import train

    with terminal.training_progress(quiet) as on_progress:
        run = train(config, store, runs_dir, on_progress, lambda text: terminal.note(text, quiet))
    scores = run.scores
    for ticker in config.data.tickers:
        terminal.show(report.score_table(scores, config.model.cell, ticker))
        print(report.comparison(scores, config.model.cell, ticker))
    print("\n" + report.verdict_text(run.verdict))
    terminal.note(f"\nsaved {run.path}", quiet)
    return run


def _predict(
    run: Run, store: Store, ticker: str | None, cutoff: dt.date | None, output: Format, quiet: bool
) -> None:
    import json

    import pandas as pd

    from lstm_stock import report, terminal
    from lstm_stock.config import normalise_ticker
    from lstm_stock.run import records
    from lstm_stock.tensorflow_setup import load_tensorflow

    tickers = run.config.data.tickers if ticker is None else [run.require_ticker(normalise_ticker(ticker))]
    for one in tickers:
        store.read(one)  # what is missing is told before TensorFlow takes its seconds to load
    load_tensorflow()
    from lstm_stock.workflow import predict

    outlooks = [predict(run, store, one, cutoff, dt.date.today()) for one in tickers]
    for outlook in outlooks:
        for warning in outlook.warnings:
            terminal.warn(warning)
    forecast = pd.concat([outlook.table for outlook in outlooks], ignore_index=True)
    if output == Format.json:
        print(json.dumps(records(forecast), indent=2))
    elif output == Format.csv:
        print(forecast.to_csv(index=False), end="")
    else:
        for outlook in outlooks:
            terminal.show(report.outlook_table(outlook.table, outlook.currency))
        terminal.note(f"{INTERVALS[run.config.calibration]}; in quoted prices. Not financial advice", quiet)


def _plot(run: Run, store: Store, output: Path | None, quiet: bool) -> None:
    from lstm_stock import terminal
    from lstm_stock.tensorflow_setup import load_tensorflow

    load_tensorflow()
    from lstm_stock.workflow import draw

    folder = output or run.path / "plots"
    for path in draw(run, store, folder, terminal.warn):
        terminal.note(f"wrote {path}", quiet)
