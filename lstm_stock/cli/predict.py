"""The command `predict`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import DataDir, Format, Quiet, RunName, RunsDir, app, open_store, parse_date
from lstm_stock.errors import ShortHistoryError

if TYPE_CHECKING:
    from lstm_stock.prices.store import Store
    from lstm_stock.runs.run import Run


INTERVALS = {
    "none": "intervals as trained",
    "conformal": "intervals scaled to their coverage of the validation period",
    "adaptive": "intervals scaled by their hits and misses since the validation period",
}
"""Note below a forecast on its intervals, by the config's `calibration`."""


@app.command()
def predict(
    run: RunName = None,
    ticker: Annotated[
        str | None,
        typer.Option(
            help="Ticker to forecast; a run of several tickers also forecasts others [default: all of the run]."
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
    predict_run(find_run(runs_dir, run), open_store(data_dir), ticker, as_of, output, quiet)


def predict_run(
    run: Run, store: Store, ticker: str | None, cutoff: dt.date | None, output: Format, quiet: bool
) -> None:
    """Forecast one ticker, or all tickers of a run, and print the forecast.

    Raises:
        ShortHistoryError: None of the tickers has enough bars.
    """
    import json

    import pandas as pd

    from lstm_stock.config import normalise_ticker
    from lstm_stock.network.tensorflow_setup import load_tensorflow
    from lstm_stock.prices.reader import Snapshot
    from lstm_stock.report import console, run_tables
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, group_messages
    from lstm_stock.runs.files import records

    tickers = run.config.data.tickers if ticker is None else [run.require_ticker(normalise_ticker(ticker))]
    store.require(tickers)  # a missing ticker is an error before TensorFlow takes seconds to load
    load_tensorflow()
    from lstm_stock.workflow.predict import market_until, predict

    prices = Snapshot(store)
    market = market_until(run, prices, cutoff)
    predictions, warnings, failures = [], [], []
    for one in tickers:
        try:
            predictions.append(predict(run, prices, one, cutoff, dt.date.today(), market))
            warnings += [(one, text) for text in predictions[-1].warnings]
        except ShortHistoryError as error:  # the other tickers can still be forecast
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
        console.note(f"{INTERVALS[run.config.calibration]}; prices as quoted. Not financial advice", quiet)
