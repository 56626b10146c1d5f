"""The command that fills the price store: `fetch`."""

from __future__ import annotations

import math
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
    SourceName,
    app,
    open_store,
    parse_date,
    print_error,
)
from lstm_stock.config.tickers import distinct, read_tickers_file
from lstm_stock.errors import ConfigError, LstmStockError, SourceError

if TYPE_CHECKING:
    from lstm_stock.prices.sources import FetchOptions
    from lstm_stock.prices.store import Store
    from lstm_stock.prices.update import FetchResult
    from lstm_stock.report.price_tables import FetchOutcome
    from lstm_stock.report.progress import FetchProgress


_LONGEST_SECONDS = 86400.0


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
            metavar="FILE", help="Fetch the tickers in this file too, one a line; `#` begins a comment."
        ),
    ] = None,
    source: Annotated[
        SourceName | None, typer.Option(help="Where prices come from [default: yahoo].")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="First date, YYYY-MM-DD [default: where the store begins, or else the earliest].",
            metavar="DATE",
        ),
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="Last date, inclusive [default: the newest].", metavar="DATE")
    ] = None,
    from_csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read a CSV file of yours, of any usual layout.")
    ] = None,
    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="How the CSV writes dates such as 03/04/2020."),
    ] = None,
    exchange: Annotated[
        str | None,
        typer.Option(
            metavar="MIC",
            help="Exchange, such as XNYS, XLON or 24/7, where the source does not know it; dates the forecasts.",
        ),
    ] = None,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh", help="Fetch all of it again in place of what the store has, damaged or not."
        ),
    ] = False,
    include_partial: Annotated[
        bool, typer.Option("--include-partial", help="Keep the bar of a session that is not over.")
    ] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Longest time for one request.")] = 30,
    max_wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Longest time to try a ticker again; 0: do not try again."),
    ] = 90,
    pause: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Least time from one ticker's first request to the next's."),
    ] = 0.1,
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Download daily prices into the local store: what is new, or all where the past has changed."""
    from lstm_stock.prices.sources import FetchOptions

    names = _all_tickers(tickers or [], tickers_file)
    if source is SourceName.csv and from_csv is None:
        raise ConfigError("`--source csv` needs a file", "name it: `--from-csv FILE`")
    if from_csv is not None and source not in (None, SourceName.csv):
        raise ConfigError(
            f"`--from-csv` and `--source {source}` contradict each other", "leave out one of them"
        )
    if from_csv is not None and len(names) > 1:
        raise ConfigError(f"`--from-csv` holds one ticker, but {len(names)} are named", "fetch one at a time")
    options = FetchOptions(
        source="csv" if from_csv is not None else (source or SourceName.yahoo).value,
        start=parse_date(start, "--start"),
        end=parse_date(end, "--end"),
        csv_path=from_csv,
        day_first=day_first,
        exchange=exchange,
        refresh=refresh,
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
    """Say what was fetched and where it is now."""
    from lstm_stock.report import console

    for note in done.notes:
        console.note(f"  {note}", quiet)
    table = done.history.table
    new = f", {done.n_new} of them new" if done.n_new < len(table) else ""
    console.note(
        f"{done.history.ticker}: {len(table)} bars, {table.index[0]:%F} to {table.index[-1]:%F}{new}, "
        f"in {store.path(done.history.ticker)}",
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
            done = fetch_into(store, ticker, options, bar.wait)
    except KeyboardInterrupt:
        print(f"interrupted: what the store has of {ticker} stays as it was", file=sys.stderr)
        sys.exit(INTERRUPTED)
    report_fetch(done, store, quiet)


def _fetch_all(store: Store, names: list[str], options: FetchOptions, pause: float, quiet: bool) -> None:
    """Fetch one ticker after the other, whatever becomes of each; then say what did."""
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
        print(f"interrupted: {n_kept} of {len(names)} tickers are fetched and stay", file=sys.stderr)
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
    """Fetch each ticker and append what became of it: also when it is interrupted, what is done is told."""
    from lstm_stock.config import normalise_ticker
    from lstm_stock.prices.retry import RetryBudget
    from lstm_stock.prices.update import fetch_into
    from lstm_stock.report.price_tables import FetchOutcome

    patience = RetryBudget(options.max_wait)
    next_start = time.monotonic()
    for name in names:
        progress.begin(name)
        time.sleep(max(0.0, next_start - time.monotonic()))
        begun = time.monotonic()
        try:
            wanted = replace(options, max_wait=patience.seconds)
            done = fetch_into(store, normalise_ticker(name), wanted, progress.wait)
        except LstmStockError as error:
            patience.failed(error)
            outcomes.append(FetchOutcome(name, None, error.message))
            progress.end(
                f"{name}: error: {error.message}" + (f" (hint: {error.hint})" if error.hint else ""), True
            )
        else:
            patience.succeeded()
            outcomes.append(FetchOutcome(name, done))
            progress.end(f"{name}: {len(done.history.table)} bars, {done.n_new} of them new", False)
            if not done.asked:
                continue
        next_start = begun + pause


def _all_tickers(named: list[str], path: Path | None) -> list[str]:
    """Return the tickers of the command line and of a file, each once, in order.

    Raises:
        ConfigError: There are none, or the file cannot be read.
    """
    words = list(named) + ([] if path is None else read_tickers_file(path))
    if not words:
        raise ConfigError(
            "no TICKER is named",
            "`lstm-stock fetch AAPL` fetches one; `--tickers-file FILE` names a list of them",
        )
    return distinct(words)


def _seconds(value: float, option: str, least: float) -> float:
    if math.isfinite(value) and least <= value <= _LONGEST_SECONDS:
        return value
    raise ConfigError(
        f"{option}: got {value:g}, expected seconds from {least:g} to {_LONGEST_SECONDS:g}",
        "give another number",
    )
