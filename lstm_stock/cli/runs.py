"""The commands about runs there are: `predict`, `plot`, `runs`; and `demo`, which makes one for them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import DataDir, Format, Quiet, RunName, RunsDir, app, open_store, parse_date
from lstm_stock.cli.fetch import report_fetch
from lstm_stock.cli.train import train_together
from lstm_stock.errors import DataError, RunError, ShortHistoryError

if TYPE_CHECKING:
    from lstm_stock.prices.store import Store
    from lstm_stock.runs.run import Run


INTERVALS = {
    "none": "intervals as trained",
    "conformal": "intervals stretched to what held in the validation period",
    "adaptive": "intervals as trained, corrected by their hits and misses since",
}
"""What `predict` says of its intervals, by the config's `calibration`."""


@app.command()
def predict(
    run: RunName = None,
    ticker: Annotated[
        str | None,
        typer.Option(
            help="A ticker; of a run of several also one it was not trained on. All of the run's if left out."
        ),
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
    from lstm_stock.runs.catalog import find_run

    as_of = parse_date(cutoff, "--cutoff")
    _predict(find_run(runs_dir, run), open_store(data_dir), ticker, as_of, output, quiet)


@app.command()
def plot(
    run: RunName = None,
    ticker: Annotated[
        str | None,
        typer.Option(help="One of the run's tickers [default: all, together where they are many]."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; the run's `plots` if left out.")
    ] = None,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Draw the run: training, test period, forecast fan, calibration, scores; many tickers in one figure."""
    from lstm_stock.runs.catalog import find_run

    _plot(find_run(runs_dir, run), open_store(data_dir), ticker, output, quiet)


@app.command()
def runs(runs_dir: RunsDir = Path("runs"), quiet: Quiet = False) -> None:
    """List the runs with their key scores."""
    from lstm_stock.report import console, run_tables
    from lstm_stock.runs.catalog import list_backtests, list_runs

    found, backtests = list_runs(runs_dir), list_backtests(runs_dir)
    if backtests:
        names = ", ".join(path.name for path in backtests[-3:])
        console.note(f"backtests lie beside the runs, the newest last: {names}", quiet)
    if not found:
        console.note(f"no runs in {runs_dir}; `lstm-stock train` makes one", quiet)
        return
    rows = []
    for run in found:
        try:
            rows.append(run_tables.run_summary(run))
        except RunError as error:
            console.warn(error.message)
    console.show(run_tables.runs_table(rows))


@app.command()
def demo(
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Do the main job on the shipped AAPL sample: fetch, train, predict, plot. Needs no network."""
    from lstm_stock.config import Config
    from lstm_stock.prices.sources import SAMPLE_TICKER
    from lstm_stock.prices.update import FetchOptions, fetch_into
    from lstm_stock.report import console

    store = open_store(data_dir)
    console.note("[1/4] fetch: AAPL, the sample that comes with the package", quiet)
    try:
        fetched = fetch_into(store, SAMPLE_TICKER, FetchOptions(source="sample"))
    except DataError as error:
        raise DataError(
            error.message, "`lstm-stock demo --data-dir demo-data` leaves your prices alone"
        ) from error
    report_fetch(fetched, store, quiet)
    console.note("\n[2/4] train: the default config", quiet)
    run = train_together(Config(), store, runs_dir, quiet)
    console.note("\n[3/4] predict: the next five sessions", quiet)
    _predict(run, store, None, None, Format.table, quiet)
    console.note("\n[4/4] plot", quiet)
    _plot(run, store, None, None, quiet)
    console.note("\nnext: `lstm-stock train --config classic` shows what the tutorial recipe is worth", quiet)


def _predict(
    run: Run, store: Store, ticker: str | None, cutoff: dt.date | None, output: Format, quiet: bool
) -> None:
    import json

    import pandas as pd

    from lstm_stock.config import normalise_ticker
    from lstm_stock.network.tensorflow_setup import load_tensorflow
    from lstm_stock.report import console, run_tables
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, group_messages
    from lstm_stock.runs.files import records

    tickers = run.config.data.tickers if ticker is None else [run.require_ticker(normalise_ticker(ticker))]
    for one in tickers:
        store.read(one)  # what is missing is told before TensorFlow takes its seconds to load
    load_tensorflow()
    from lstm_stock.workflow.predict import market_until, predict

    market = market_until(run, store, cutoff)
    predictions, warnings, failures = [], [], []
    for one in tickers:
        try:
            predictions.append(predict(run, store, one, cutoff, dt.date.today(), market))
            warnings += [(one, text) for text in predictions[-1].warnings]
        except ShortHistoryError as error:  # of several, the others can be forecast
            failures.append(error)
            warnings.append((one, f"no forecast of {one}: {error.message}"))
    if not predictions:
        raise failures[0]
    for text in group_messages(warnings):
        console.warn(text)
    forecast = pd.concat([prediction.table for prediction in predictions], ignore_index=True)
    if output == Format.json:
        print(json.dumps(records(forecast), indent=2))
    elif output == Format.csv:
        print(forecast.to_csv(index=False), end="")
    else:
        if len(predictions) > MAX_DETAILED_TICKERS:
            console.show(run_tables.predictions_table(forecast))
        else:
            for prediction in predictions:
                console.show(run_tables.prediction_table(prediction.table, prediction.currency))
        console.note(f"{INTERVALS[run.config.calibration]}; in quoted prices. Not financial advice", quiet)


def _plot(run: Run, store: Store, ticker: str | None, output: Path | None, quiet: bool) -> None:
    from lstm_stock.config import normalise_ticker
    from lstm_stock.network.tensorflow_setup import load_tensorflow
    from lstm_stock.report import console
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, name_tickers

    known = run.config.data.tickers
    named = None if ticker is None else normalise_ticker(ticker)
    if named is not None and named not in known:
        raise RunError(
            f"run {run.name} has no scores of {named}: its tickers are {name_tickers(known)}",
            "name one of those; `lstm-stock predict --ticker` forecasts others, too, of a run of several tickers",
        )
    load_tensorflow()
    from lstm_stock.workflow.plot import draw

    folder = output or run.path / "plots"
    for path in draw(run, store, folder, named, console.warn):
        console.note(f"wrote {path}", quiet)
    if named is None and len(known) > MAX_DETAILED_TICKERS:
        console.note(f"`lstm-stock plot {run.name} --ticker {known[0]}` draws one of its tickers", quiet)
