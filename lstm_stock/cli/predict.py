"""The command `predict`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import (
    DataDir,
    Dividends,
    Format,
    JournalDir,
    Quiet,
    RunName,
    RunsDir,
    app,
    open_store,
    parse_date,
    parse_dividends,
)
from lstm_stock.cli.journal import write_journal
from lstm_stock.cli.questions import parse_asked, print_answers
from lstm_stock.errors import ConfigError, ShortHistoryError

if TYPE_CHECKING:
    from lstm_stock.distributions.questions import Question
    from lstm_stock.prices.store import Store
    from lstm_stock.runs.run import Run


INTERVALS = {
    "none": "intervals as trained",
    "conformal": "intervals scaled to their coverage of the validation period",
    "adaptive": "intervals scaled by their hits and misses from the validation period on",
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
    dividend: Dividends = None,
    ask: Annotated[
        list[str] | None,
        typer.Option(
            metavar="QUESTION",
            help="Answer questions instead: 'up, below 180, move 5%, between 170 and 190 at step 3, risk'. "
            "Repeatable.",
            show_default=False,
        ),
    ] = None,
    journal: Annotated[
        bool,
        typer.Option(
            "--journal", help="Append the forecast to the journal, before the fact, beside six baselines."
        ),
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    journal_dir: JournalDir = Path("journal"),
    quiet: Quiet = False,
) -> None:
    """Forecast the next sessions, with intervals, or answer questions about them."""
    from lstm_stock.runs.catalog import find_run

    questions = parse_asked(ask)
    as_of, found = parse_date(cutoff, "--cutoff"), find_run(runs_dir, run)
    dividends = parse_dividends(dividend, found.config.data.tickers, ticker)
    wanted = Wanted(ticker, as_of, dividends, questions, journal_dir if journal else None)
    predict_run(found, open_store(data_dir), wanted, output, quiet)


@dataclass(frozen=True)
class Wanted:
    """What to forecast.

    Attributes:
        ticker: The ticker; None for all of the run.
        cutoff: The date to forecast as of; None for the newest bar.
        dividends: Announced dividends per share by ex-date; None for the usual ones.
        questions: Questions to answer instead of a table of the forecast.
        journal: The journal to append the forecast to; None for none.
    """

    ticker: str | None = None
    cutoff: dt.date | None = None
    dividends: Mapping[dt.date, float] | None = None
    questions: Sequence[Question] = ()
    journal: Path | None = None

    def __post_init__(self) -> None:
        """Raise a ConfigError for a past date and a journal, which holds forecasts before the fact."""
        if self.journal is not None and self.cutoff is not None:
            raise ConfigError(
                "`--journal` takes no `--cutoff`: a forecast as of a past date is made after the fact",
                "leave one of them out; the journal has the forecasts from each ticker's newest bar",
            )


def predict_run(run: Run, store: Store, wanted: Wanted, output: Format, quiet: bool) -> None:
    """Forecast one ticker, or all tickers of a run, and print the forecast, or the answers to questions.

    Raises:
        ConfigError: A dividend cannot be taken off, or a question is about a session that is not forecast.
        ShortHistoryError: None of the tickers has enough bars.
        JournalError: The forecasts are printed, but none can be appended to the journal.
    """
    import json

    import pandas as pd

    from lstm_stock.config import normalise_ticker
    from lstm_stock.network.tensorflow_setup import load_tensorflow
    from lstm_stock.prices.reader import Snapshot
    from lstm_stock.report import console, run_tables
    from lstm_stock.report.dividends import left_out, taken_off
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, group_messages
    from lstm_stock.runs.files import records

    tickers = run.config.data.tickers
    if wanted.ticker is not None:
        tickers = (run.require_ticker(normalise_ticker(wanted.ticker)),)
    store.require(
        [*tickers, *run.config.data.covariates]
    )  # a missing ticker is an error before TensorFlow takes seconds to load
    load_tensorflow()
    from lstm_stock.workflow.predict import predict
    from lstm_stock.workflow.run_bars import RunBars

    bars = RunBars(run, Snapshot(store), end=wanted.cutoff)
    predictions, warnings, failures = {}, [], []
    for one in tickers:
        try:
            predictions[one] = predict(bars, one, dt.date.today(), wanted.dividends)
            warnings += [(one, text) for text in predictions[one].warnings]
        except ShortHistoryError as error:  # the other tickers can still be forecast
            failures.append(error)
            warnings.append((one, f"no forecast of {one}: {error.message}"))
    if not predictions:
        raise failures[0]
    ahead = {ticker: prediction.dividends for ticker, prediction in predictions.items()}
    for text in group_messages(warnings) + left_out(ahead):
        console.warn(text)
    forecast = pd.concat([prediction.table for prediction in predictions.values()], ignore_index=True)
    if wanted.questions:
        print_answers(run, predictions, wanted.questions, output, quiet)
    elif output == Format.json:
        print(json.dumps(records(forecast), indent=2))
    elif output == Format.csv:
        print(forecast.to_csv(index=False), end="")
    elif len(predictions) > MAX_DETAILED_TICKERS:
        console.show(run_tables.predictions_table(forecast))
    else:
        for prediction in predictions.values():
            console.show(run_tables.prediction_table(prediction.table, prediction.currency))
    if output == Format.table:
        for text in taken_off(ahead):
            console.note(text, quiet)
        intervals = INTERVALS[run.config.calibration]
        console.note(f"{intervals}; prices comparable with the stored closes. Not financial advice", quiet)
    if wanted.journal is not None:
        write_journal(wanted.journal, run, predictions, bars.prices, quiet)
