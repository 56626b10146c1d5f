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
    RunsDir,
    app,
    open_store,
    parse_date,
    parse_dividends,
)
from lstm_stock.cli.journal import write_journal
from lstm_stock.cli.questions import parse_asked, print_answers
from lstm_stock.errors import ConfigError, DataError, LstmStockError

if TYPE_CHECKING:
    from lstm_stock.distributions.questions import Question
    from lstm_stock.prices.store import Store
    from lstm_stock.runs.pretrained import PretrainedFolder
    from lstm_stock.runs.run import Run


@app.command()
def predict(
    tickers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TICKER]...",
            help="Tickers of the store to forecast [default: those of the newest run].",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Forecast with a run (its name or path, or `newest`) or a folder of `pretrain` [default: the "
            "universal network of the package].",
            show_default=False,
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
    """Forecast the next sessions, with intervals, or answer questions about them.

    `predict NVDA` needs no training: the universal network that ships with the package forecasts any ticker of the
    store, 1 to 10 sessions ahead. `--run` takes a network of one's own.
    """
    from lstm_stock.report import console
    from lstm_stock.runs.catalog import list_runs
    from lstm_stock.workflow.forecast_tickers import (
        find_network,
        preferred_run,
        store_for,
        tickers_to_forecast,
    )

    questions, as_of = parse_asked(ask), parse_date(cutoff, "--cutoff")
    store = open_store(data_dir)
    if run is None and not tickers and (runs := list_runs(runs_dir)):
        preferred, told = preferred_run(runs)
        run = preferred.name
        if told is not None:
            console.note(told, quiet)
    network = find_network(run, runs_dir)
    store = store_for(network, store)
    names = tickers_to_forecast(tickers or (), network, store)
    asked = Asked(names, as_of, parse_dividends(dividend, names), questions, journal_dir if journal else None)
    try:
        predict_tickers(network, store, asked, output, quiet)
    except DataError as error:
        raise _is_a_run(error, names, runs_dir) or error from None


def _is_a_run(error: DataError, names: Sequence[str], runs_dir: Path) -> LstmStockError | None:
    """Return the error of a run that is named where a ticker belongs."""
    for name in names:
        for path in runs_dir.glob("*") if runs_dir.is_dir() else ():
            if path.name.upper() == name and name in error.message:
                return ConfigError(
                    f"{path.name} is a run, not a ticker", f"`--run {path.name}` forecasts with it"
                )
    return None


@dataclass(frozen=True)
class Asked:
    """What to forecast and to print.

    Attributes:
        tickers: The tickers.
        cutoff: The date to forecast as of; None for the newest bar.
        dividends: Announced dividends per share by ex-date; None for the usual ones.
        questions: Questions to answer instead of a table of the forecast.
        journal: The journal to append the forecast to; None for none.
    """

    tickers: Sequence[str]
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


def predict_tickers(
    network: Run | PretrainedFolder, store: Store, asked: Asked, output: Format, quiet: bool
) -> None:
    """Forecast some tickers, and print the forecasts, or the answers to questions.

    Raises:
        ConfigError: A dividend cannot be taken off, or a question is about a session that is not forecast.
        ShortHistoryError: None of the tickers has enough bars.
        DataError: Prices are missing.
        RunError: The run cannot be read, or cannot forecast one of the tickers.
        JournalError: The forecasts are printed, but none can be appended to the journal.
    """
    import json

    from lstm_stock.prices.reader import Snapshot
    from lstm_stock.report import console, run_tables
    from lstm_stock.report.dividends import left_out, taken_off
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, group_messages
    from lstm_stock.runs.files import records
    from lstm_stock.workflow.forecast_tickers import Wanted, forecast_tickers

    prices = Snapshot(store)
    found = forecast_tickers(network, store, prices, Wanted(asked.tickers, asked.cutoff, asked.dividends))
    config = next(iter(found.networks.values())).config
    words, printed = config.words, found.table
    if config.of_values:
        printed = printed.drop(columns="dividend").rename(columns={"last_close": "last_value"})
    ahead = {ticker: prediction.dividends for ticker, prediction in found.predictions.items()}
    for text in group_messages(found.warnings) + left_out(ahead):
        console.warn(text)
    if asked.questions:
        print_answers(next(iter(found.networks.values())), found.predictions, asked.questions, output, quiet)
    elif output == Format.json:
        print(json.dumps(records(printed), indent=2))
    elif output == Format.csv:
        print(printed.to_csv(index=False), end="")
    elif len(found.predictions) > MAX_DETAILED_TICKERS:
        console.show(run_tables.predictions_table(found.table, words))
    else:
        for prediction in found.predictions.values():
            console.show(run_tables.prediction_table(prediction.table, prediction.currency, words))
    if output == Format.table:
        for text in taken_off(ahead):
            console.note(text, quiet)
        for text in group_messages(found.notes):
            console.note(text, quiet)
        of_prices = "; prices comparable with the stored closes. Not financial advice"
        console.note(found.intervals + ("" if config.of_values else of_prices), quiet)
    if asked.journal is not None:
        write_journal(asked.journal, found.networks, found.predictions, prices, quiet)
