"""The command `predict`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from lstm_stock.errors import ConfigError, DataError, LstmStockError, ShortHistoryError

if TYPE_CHECKING:
    from lstm_stock.distributions.questions import Question
    from lstm_stock.prices.reader import PriceSource
    from lstm_stock.prices.store import Store
    from lstm_stock.runs.pretrained import PretrainedFolder
    from lstm_stock.runs.run import Run
    from lstm_stock.workflow.predict import Prediction
    from lstm_stock.workflow.run_bars import RunBars


INTERVALS = {
    "none": "intervals as trained",
    "conformal": "intervals scaled to their coverage of the validation period",
    "adaptive": "intervals scaled by their hits and misses from the validation period on",
}
"""Note below a forecast on its intervals, by the config's `calibration`."""

OF_PRETRAINED = "intervals scaled by their hits and misses of the last two years"
"""The same of a pretrained network."""

NEWEST = "newest"
"""A value of `--run`."""


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
    from lstm_stock.config import normalise_ticker
    from lstm_stock.config.tickers import distinct

    questions, as_of = parse_asked(ask), parse_date(cutoff, "--cutoff")
    store = open_store(data_dir)
    network = _network(run, runs_dir, named=bool(tickers))
    names = distinct([normalise_ticker(name) for name in tickers or ()])
    forecast: Run | PretrainedFolder = network
    names = names or _all_tickers(forecast, store)
    wanted = Wanted(
        names, as_of, parse_dividends(dividend, names), questions, journal_dir if journal else None
    )
    try:
        predict_tickers(forecast, store, wanted, output, quiet)
    except DataError as error:
        raise _is_a_run(error, names, runs_dir) or error from None


def _network(name: str | None, runs_dir: Path, named: bool) -> Run | PretrainedFolder:
    """Return what forecasts: the run or the folder of a name, else the universal network or the newest run.

    Args:
        name: The option `--run`.
        runs_dir: Folder of the runs.
        named: Whether tickers are named.
    """
    from lstm_stock.runs.catalog import find_run, list_runs
    from lstm_stock.runs.pretrained import find_pretrained, packaged_networks

    if name is None:
        return find_run(runs_dir, None) if not named and list_runs(runs_dir) else packaged_networks()
    return find_pretrained(name) or find_run(runs_dir, None if name == NEWEST else name)


def _all_tickers(network: Run | PretrainedFolder, store: Store) -> list[str]:
    """Return the tickers of a run, or all shares of a store.

    Raises:
        DataError: The store has none.
    """
    from lstm_stock.runs.run import Run
    from lstm_stock.workflow.store_market import is_share

    if isinstance(network, Run):
        return list(network.config.data.tickers)
    shares = [ticker for ticker in store.tickers() if is_share(ticker)]
    if not shares:
        raise DataError(f"the store {store.root} has no prices", "`lstm-stock fetch AAPL` fetches some")
    return shares


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
class Wanted:
    """What to forecast.

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
    network: Run | PretrainedFolder, store: Store, wanted: Wanted, output: Format, quiet: bool
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

    import pandas as pd

    from lstm_stock.prices.reader import Snapshot
    from lstm_stock.report import console, run_tables
    from lstm_stock.report.dividends import left_out, taken_off
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, group_messages
    from lstm_stock.runs.files import records
    from lstm_stock.runs.run import Run

    prices = Snapshot(store)
    found = (
        _with_run(network, store, prices, wanted)
        if isinstance(network, Run)
        else _with_pretrained(network, store, prices, wanted)
    )
    ahead = {ticker: prediction.dividends for ticker, prediction in found.predictions.items()}
    for text in group_messages(found.warnings) + left_out(ahead):
        console.warn(text)
    forecast = pd.concat([prediction.table for prediction in found.predictions.values()], ignore_index=True)
    if wanted.questions:
        print_answers(next(iter(found.networks.values())), found.predictions, wanted.questions, output, quiet)
    elif output == Format.json:
        print(json.dumps(records(forecast), indent=2))
    elif output == Format.csv:
        print(forecast.to_csv(index=False), end="")
    elif len(found.predictions) > MAX_DETAILED_TICKERS:
        console.show(run_tables.predictions_table(forecast))
    else:
        for prediction in found.predictions.values():
            console.show(run_tables.prediction_table(prediction.table, prediction.currency))
    if output == Format.table:
        for text in taken_off(ahead):
            console.note(text, quiet)
        for text in group_messages(found.notes):
            console.note(text, quiet)
        console.note(
            f"{found.intervals}; prices comparable with the stored closes. Not financial advice", quiet
        )
    if wanted.journal is not None:
        write_journal(wanted.journal, found.networks, found.predictions, prices, quiet)


@dataclass
class Found:
    """The forecasts, and what belongs to them.

    Attributes:
        intervals: What the intervals are.
        predictions: The forecast of each ticker that could be made.
        networks: What made it.
        warnings: What limits them, by ticker.
        notes: What they were made with, by ticker.
    """

    intervals: str
    predictions: dict[str, Prediction] = field(default_factory=dict)
    networks: dict[str, Run] = field(default_factory=dict)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def add(self, bars: RunBars, ticker: str, dividends: Mapping[dt.date, float] | None) -> None:
        """Forecast a ticker; ShortHistoryError if it has too few bars."""
        from lstm_stock.workflow.predict import predict as predict_ticker

        self.predictions[ticker] = predict_ticker(bars, ticker, dt.date.today(), dividends)
        self.networks[ticker] = bars.run
        self.warnings += [(ticker, text) for text in self.predictions[ticker].warnings]


def _with_run(run: Run, store: Store, prices: PriceSource, wanted: Wanted) -> Found:
    tickers = [run.require_ticker(ticker) for ticker in wanted.tickers]
    store.require([*tickers, *run.config.data.covariates])
    from lstm_stock.workflow.run_bars import RunBars

    bars = RunBars(run, prices, end=wanted.cutoff)
    found, failures = Found(INTERVALS[run.config.calibration]), []
    for ticker in tickers:
        try:
            found.add(bars, ticker, wanted.dividends)
        except ShortHistoryError as error:  # the other tickers can still be forecast
            failures.append(error)
            found.warnings.append((ticker, f"no forecast of {ticker}: {error.message}"))
    if not found.predictions:
        raise failures[0]
    return found


def _with_pretrained(folder: PretrainedFolder, store: Store, prices: PriceSource, wanted: Wanted) -> Found:
    from lstm_stock.workflow.universal import Chooser, limits

    store.require(wanted.tickers)
    chooser = Chooser(folder, store, prices, wanted.cutoff)
    found = Found(OF_PRETRAINED)
    failures: list[tuple[str, ShortHistoryError]] = []
    for ticker in wanted.tickers:
        try:
            choice = chooser.choose(ticker)
            found.add(choice.bars, ticker, wanted.dividends)
        except ShortHistoryError as error:
            failures.append((ticker, error))
            continue
        found.warnings += [(ticker, text) for text in limits(choice, ticker)]
        reads = f", with {choice.inputs}" if choice.inputs else ", from the ticker's own bars alone"
        found.notes.append((ticker, f"{choice.network.model_name} network{reads}"))
        found.notes += [(ticker, text) for text in choice.missing]
    if not found.predictions:
        raise failures[0][1]
    found.warnings += [(ticker, f"no forecast of {ticker}: {error.message}") for ticker, error in failures]
    return found
