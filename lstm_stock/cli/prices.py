"""The command about prices: `fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import app
from lstm_stock.cli.options import DataDir, Quiet, SourceName, open_store, parse_date, tell
from lstm_stock.errors import ConfigError, LstmStockError

if TYPE_CHECKING:
    from lstm_stock.fetching import FetchResult
    from lstm_stock.store import Store


@app.command()
def fetch(
    tickers: Annotated[
        list[str], typer.Argument(metavar="TICKER", help="Tickers as Yahoo spells them: AAPL, ^GSPC.")
    ],
    source: Annotated[
        SourceName | None, typer.Option(help="Where prices come from [default: yahoo].")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First date, YYYY-MM-DD.", metavar="DATE")] = None,
    end: Annotated[str | None, typer.Option(help="Last date, inclusive.", metavar="DATE")] = None,
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
            metavar="MIC", help="Exchange of a CSV's ticker, such as XNYS, XLON or 24/7; dates the forecasts."
        ),
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Replace what the store has.")] = False,
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Download daily prices into the local store."""
    from lstm_stock.config import normalise_ticker
    from lstm_stock.fetching import FetchOptions, fetch_into

    if source is SourceName.csv and from_csv is None:
        raise ConfigError("`--source csv` needs a file", "name it: `--from-csv FILE`")
    if from_csv is not None and source not in (None, SourceName.csv):
        raise ConfigError(
            f"`--from-csv` and `--source {source}` contradict each other", "leave out one of them"
        )
    if from_csv is not None and len(tickers) > 1:
        raise ConfigError(
            f"`--from-csv` holds one ticker, but {len(tickers)} are named", "fetch one at a time"
        )
    options = FetchOptions(
        source="csv" if from_csv is not None else (source or SourceName.yahoo).value,
        start=parse_date(start, "--start"),
        end=parse_date(end, "--end"),
        csv_path=from_csv,
        day_first=day_first,
        exchange=exchange,
        refresh=refresh,
    )
    store = open_store(data_dir)
    failed = []
    for ticker in tickers:
        try:
            report_fetch(fetch_into(store, normalise_ticker(ticker), options), store, quiet)
        except LstmStockError as error:
            if len(tickers) == 1:
                raise
            tell(error.message, error.hint)
            failed.append((ticker, error.exit_code))
    if failed:
        tell(f"{len(failed)} of {len(tickers)} tickers failed: {', '.join(name for name, _ in failed)}", "")
        raise typer.Exit(max(code for _, code in failed))


def report_fetch(done: FetchResult, store: Store, quiet: bool) -> None:
    """Say what was fetched and where it is now."""
    from lstm_stock import terminal

    for note in done.notes:
        terminal.note(f"  {note}", quiet)
    table = done.history.table
    terminal.note(
        f"{done.history.ticker}: {len(table)} bars, {table.index[0]:%F} to {table.index[-1]:%F}, "
        f"in {store.path(done.history.ticker)}",
        quiet,
    )
