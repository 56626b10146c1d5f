"""The command `fetch`."""

from __future__ import annotations

import datetime as dt
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from lstm_stock.cli.app import (
    INTERRUPTED,
    DataDir,
    Quiet,
    app,
    check_interval,
    open_store,
    parse_date,
    print_error,
)
from lstm_stock.errors import ConfigError, LstmStockError, SourceError
from lstm_stock.prices.sources import SOURCES, CsvOptions, DateOrder, DecimalMark, FetchOptions, Quote

if TYPE_CHECKING:
    from lstm_stock.prices.store import Store
    from lstm_stock.prices.update import FetchResult
    from lstm_stock.report.price_tables import FetchOutcome
    from lstm_stock.report.progress import FetchProgress


_MAX_SECONDS = 86400.0


@app.command()
def fetch(
    tickers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TICKER...", help="Tickers as Yahoo spells them: AAPL, ^GSPC.", show_default=False
        ),
    ] = None,
    tickers_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File of more tickers, one per line; `#` starts a comment."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar=f"<{'|'.join(SOURCES)}>", help="Where prices come from [default: yahoo]."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="First date, YYYY-MM-DD [default: the first in the store, or else the earliest].",
            metavar="DATE",
        ),
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="Last date, inclusive [default: the newest].", metavar="DATE")
    ] = None,
    from_csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read your own CSV file, in any usual layout.")
    ] = None,
    value: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of the CSV file that is a series of values, no prices: temperatures, sales.",
            show_default=False,
        ),
    ] = None,
    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="Order in dates such as 03/04/2020 of the CSV file."),
    ] = None,
    year_first: Annotated[
        bool, typer.Option("--year-first", help="Dates such as 20/04/03 of the CSV file begin with the year.")
    ] = False,
    decimal: Annotated[
        str | None,
        typer.Option(
            metavar="<.|,>", help="Mark before the decimals of the CSV file, where 1.234 leaves it open."
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=COLUMN,...",
            help="Columns of the CSV file by label or number: open=Eröffnung,volume=7.",
            show_default=False,
        ),
    ] = None,
    quote: Annotated[
        str | None,
        typer.Option(metavar="<bid|ask|middle>", help="Prices to take of a CSV file with bids and asks."),
    ] = None,
    exchange: Annotated[
        str | None,
        typer.Option(
            metavar="MIC",
            help="Exchange (XNYS, XLON, 24/7) where the source does not know it; dates the forecasts.",
        ),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(
            metavar="INTERVAL",
            help="Time from bar to bar: 5m, 15m, 30m, 1h, 1wk, 1mo [default: 1d; of a file, that of its dates].",
            show_default=False,
        ),
    ] = None,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh", help="Fetch everything again and replace what the store has, damaged or not."
        ),
    ] = False,
    include_partial: Annotated[
        bool, typer.Option("--include-partial", help="Keep the bar of a session that is not over.")
    ] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Maximum time of one request.")] = 30,
    max_wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Maximum time of the retries of a ticker; 0: no retries."),
    ] = 90,
    pause: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Minimum time between the first requests of two tickers."),
    ] = 0.1,
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Download prices into the local store: new bars, or all bars where past ones have changed."""
    names = _all_tickers(tickers or [], tickers_file)
    names_source = source is not None or from_csv is not None
    if source is None:
        source = "yahoo" if from_csv is None else "csv"
    if source not in SOURCES:
        raise ConfigError(
            f"--source: got {source!r}, expected one of {', '.join(SOURCES)}", "choose one of those"
        )
    if source == "csv" and from_csv is None:
        raise ConfigError("`--source csv` needs a file", "name it: `--from-csv FILE`")
    if from_csv is not None and source != "csv":
        raise ConfigError(
            f"`--from-csv` and `--source {source}` contradict each other", "leave out one of them"
        )
    if value is not None and from_csv is None:
        raise ConfigError("`--value` names a column of a file", "name the file, too: `--from-csv FILE`")
    if from_csv is not None and len(names) > 1:
        raise ConfigError(f"`--from-csv` holds one ticker, but {len(names)} are named", "fetch one at a time")
    options = FetchOptions(
        source=source,
        start=parse_date(start, "--start"),
        end=parse_date(end, "--end"),
        csv_path=from_csv,
        csv=_csv_options(_date_order(day_first, year_first), value, decimal, columns or [], quote),
        exchange=exchange,
        interval=check_interval(interval),
        refresh=refresh,
        names_source=names_source,
        include_partial=include_partial,
        timeout=_seconds(timeout, "--timeout", 0.01),
        max_wait=_seconds(max_wait, "--max-wait", 0.0),
    )
    store = open_store(data_dir)
    if len(names) == 1:
        _fetch_one(store, names[0], options, quiet)
    else:
        _fetch_all(store, names, options, _seconds(pause, "--pause", 0.0), quiet)


def report_fetch(done: FetchResult, store: Store, quiet: bool) -> None:
    """Print what was fetched and where it is stored."""
    from lstm_stock.report import console
    from lstm_stock.report.text import date_text

    for note in done.notes:
        console.note(f"  {note}", quiet)
    table = done.history.table
    new = f", {done.n_new} of them new" if done.n_new < len(table) else ""
    what = "values" if done.history.has_values else "bars"
    console.note(
        f"{done.history.ticker}: {len(table)} {what}, {date_text(table.index[0])} to "
        f"{date_text(table.index[-1])}{new}, in "
        f"{store.at(done.history.interval.name).path(done.history.ticker)}",
        quiet,
    )


def _fetch_one(store: Store, name: str, options: FetchOptions, quiet: bool) -> None:
    from lstm_stock.config import normalise_ticker
    from lstm_stock.prices.update import fetch_into
    from lstm_stock.report import progress

    ticker = normalise_ticker(name)
    try:
        with progress.fetch_progress(1, quiet) as bar:
            bar.begin(ticker)
            done = fetch_into(store, ticker, replace(options, on_retry=bar.wait))
    except KeyboardInterrupt:
        print(f"interrupted: the stored bars of {ticker} are unchanged", file=sys.stderr)
        sys.exit(INTERRUPTED)
    report_fetch(done, store, quiet)


def _fetch_all(store: Store, names: list[str], options: FetchOptions, pause: float, quiet: bool) -> None:
    """Fetch one ticker after another, go on after a failure, and print a table of the results."""
    from lstm_stock.report import console, price_tables, progress

    outcomes: list[FetchOutcome] = []
    interrupted = False
    try:
        with progress.fetch_progress(len(names), quiet) as bar:
            _fetch_each(store, names, options, pause, bar, outcomes)
    except KeyboardInterrupt:
        interrupted = True
    if outcomes and not quiet:
        console.show(price_tables.fetch_table(outcomes))
    failed = [one.ticker for one in outcomes if one.result is None]
    if interrupted:
        n_kept = len(outcomes) - len(failed)
        print(f"interrupted: {n_kept} of {len(names)} tickers are fetched and stored", file=sys.stderr)
        sys.exit(INTERRUPTED)
    if failed:
        print_error(f"{len(failed)} of {len(names)} tickers failed: {', '.join(failed)}")
        raise typer.Exit(SourceError.exit_code)


def _fetch_each(
    store: Store,
    names: list[str],
    options: FetchOptions,
    pause: float,
    progress: FetchProgress,
    outcomes: list[FetchOutcome],
) -> None:
    """Fetch each ticker and append its outcome at once, so that an interruption loses none."""
    from lstm_stock.config import normalise_ticker
    from lstm_stock.prices.retry import RetryBudget
    from lstm_stock.prices.update import fetch_into
    from lstm_stock.report.price_tables import FetchOutcome

    budget = RetryBudget(options.max_wait)
    next_start = time.monotonic()
    for name in names:
        progress.begin(name)
        time.sleep(max(0.0, next_start - time.monotonic()))
        start = time.monotonic()
        try:
            now = dt.datetime.now(dt.UTC)
            own = replace(options, max_wait=budget.seconds, on_retry=progress.wait, now=now)
            done = fetch_into(store, normalise_ticker(name), own)
        except LstmStockError as error:
            budget.failed(error)
            outcomes.append(FetchOutcome(name, None, error.message))
            progress.end(
                f"{name}: error: {error.message}" + (f" (hint: {error.hint})" if error.hint else ""), True
            )
        else:
            budget.succeeded()
            outcomes.append(FetchOutcome(name, done))
            progress.end(f"{name}: {len(done.history.table)} bars, {done.n_new} of them new", False)
            if not done.was_requested:
                continue
        next_start = start + pause


def _all_tickers(arguments: list[str], file: Path | None) -> list[str]:
    """Return the tickers of the command line and of a file, each once, in order.

    Raises:
        ConfigError: There are none, or the file cannot be read.
    """
    from lstm_stock.config.tickers import distinct, read_tickers_file

    tickers = arguments + ([] if file is None else read_tickers_file(file))
    if not tickers:
        raise ConfigError(
            "no TICKER is named",
            "`lstm-stock fetch AAPL` fetches one; `--tickers-file FILE` names a list of them",
        )
    return distinct(tickers)


def _date_order(day_first: bool | None, year_first: bool) -> DateOrder | None:
    """Return what comes first in dates, or None if no option says it."""
    if year_first and day_first is not None:
        other = "--day-first" if day_first else "--month-first"
        raise ConfigError(f"`--year-first` and `{other}` contradict each other", "leave out one of them")
    if year_first:
        return "year"
    return None if day_first is None else "day" if day_first else "month"


def _csv_options(
    order: DateOrder | None, value: str | None, decimal: str | None, columns: list[str], quote: str | None
) -> CsvOptions:
    from lstm_stock.prices.csv.named import parse_columns

    mark, side = _choice(decimal, "--decimal", DecimalMark), _choice(quote, "--quote", Quote)
    return CsvOptions(
        order, value, cast("DecimalMark | None", mark), parse_columns(columns), cast("Quote | None", side)
    )


def _choice(value: str | None, option: str, choices: object) -> str | None:
    """Return `value`; raise a ConfigError if it is none of a `Literal`."""
    allowed = get_args(choices)
    if value is None or value in allowed:
        return value
    raise ConfigError(
        f"{option}: got {value!r}, expected one of {' '.join(allowed)}", f"such as `{option} {allowed[0]}`"
    )


def _seconds(value: float, option: str, minimum: float) -> float:
    """Return `value`; raise a ConfigError if it is not a number of seconds in range."""
    if math.isfinite(value) and minimum <= value <= _MAX_SECONDS:
        return value
    raise ConfigError(
        f"{option}: got {value:g}, expected seconds from {minimum:g} to {_MAX_SECONDS:g}",
        "give another number",
    )
