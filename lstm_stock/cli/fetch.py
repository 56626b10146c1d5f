"""The command `fetch`."""

from __future__ import annotations

import datetime as dt
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from lstm_stock.cli.fetch_options import (
    Job,
    all_tickers,
    apart,
    check_source,
    csv_options,
    date_order,
    fetch_jobs,
    seconds,
)
from lstm_stock.errors import DataError, LstmStockError, SourceError
from lstm_stock.prices.sources import SOURCES, FetchOptions

if TYPE_CHECKING:
    from lstm_stock.prices.store import Store
    from lstm_stock.prices.update import FetchResult
    from lstm_stock.report.price_tables import FetchOutcome
    from lstm_stock.report.progress import FetchProgress


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
        typer.Option(
            metavar="FILE",
            help="File of more tickers, one per line, or a table with a column Symbol; `-` is stdin.",
        ),
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
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Read your own CSV, Excel or Parquet file in any usual layout: the named tickers, or all of it. "
            "Also a folder of files, `*.csv`, or `-` for stdin.",
            show_default=False,
        ),
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
    arguments, files = apart(tickers or [], from_csv or [])
    names = all_tickers(arguments, tickers_file, may_be_none=bool(files))
    options = FetchOptions(
        source=check_source(source, bool(files), value),
        start=parse_date(start, "--start"),
        end=parse_date(end, "--end"),
        csv=csv_options(date_order(day_first, year_first), value, decimal, columns or [], quote),
        exchange=exchange,
        interval=check_interval(interval),
        refresh=refresh,
        names_source=source is not None or bool(files),
        include_partial=include_partial,
        timeout=seconds(timeout, "--timeout", 0.01),
        max_wait=seconds(max_wait, "--max-wait", 0.0),
    )
    store = open_store(data_dir)
    jobs = fetch_jobs(names, files, options)
    if len(jobs) == 1:
        _fetch_one(store, jobs[0], quiet)
    else:
        _fetch_all(store, jobs, 0.0 if files else seconds(pause, "--pause", 0.0), quiet)


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


def _fetch_one(store: Store, job: Job, quiet: bool) -> None:
    from lstm_stock.config import normalise_ticker
    from lstm_stock.prices.update import fetch_into
    from lstm_stock.report import progress

    if job.failure is not None:
        raise job.failure
    ticker = normalise_ticker(job.name)
    try:
        with progress.fetch_progress(1, quiet) as bar:
            bar.begin(ticker)
            done = fetch_into(store, ticker, replace(job.options, on_retry=bar.wait))
    except KeyboardInterrupt:
        print(f"interrupted: the stored bars of {ticker} are unchanged", file=sys.stderr)
        sys.exit(INTERRUPTED)
    report_fetch(done, store, quiet)


def _fetch_all(store: Store, jobs: list[Job], pause: float, quiet: bool) -> None:
    """Fetch one ticker after another, go on after a failure, and print a table of the results."""
    from lstm_stock.report import console, price_tables, progress

    outcomes: list[FetchOutcome] = []
    interrupted = False
    try:
        with progress.fetch_progress(len(jobs), quiet) as bar:
            _fetch_each(store, jobs, pause, bar, outcomes)
    except KeyboardInterrupt:
        interrupted = True
    if outcomes and not quiet:
        console.show(price_tables.fetch_table(outcomes))
    failed = [one.ticker for one in outcomes if one.result is None]
    if interrupted:
        n_kept = len(outcomes) - len(failed)
        print(f"interrupted: {n_kept} of {len(jobs)} tickers are fetched and stored", file=sys.stderr)
        sys.exit(INTERRUPTED)
    if failed:
        print_error(f"{len(failed)} of {len(jobs)} tickers failed: {', '.join(failed)}")
        raise typer.Exit((DataError if jobs[0].options.csv_path else SourceError).exit_code)


def _fetch_each(
    store: Store, jobs: list[Job], pause: float, progress: FetchProgress, outcomes: list[FetchOutcome]
) -> None:
    """Fetch each ticker and append its outcome at once, so that an interruption loses none."""
    from lstm_stock.config import normalise_ticker
    from lstm_stock.prices.retry import RetryBudget
    from lstm_stock.prices.update import fetch_into
    from lstm_stock.report.price_tables import FetchOutcome

    budget = RetryBudget(jobs[0].options.max_wait if jobs else 0.0)
    next_start = time.monotonic()
    for job in jobs:
        name = job.name
        progress.begin(name)
        time.sleep(max(0.0, next_start - time.monotonic()))
        start = time.monotonic()
        try:
            if job.failure is not None:
                raise job.failure
            now = dt.datetime.now(dt.UTC)
            own = replace(job.options, max_wait=budget.seconds, on_retry=progress.wait, now=now)
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
