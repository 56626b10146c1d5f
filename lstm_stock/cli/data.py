"""The command `data` and its subcommands on the price store; none of them changes a price."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_stock.cli.app import (
    DataDir,
    Format,
    IntervalName,
    Quiet,
    check_interval,
    data_app,
    open_store,
    print_error,
    require_none_before,
    write_output,
)
from lstm_stock.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from lstm_stock.prices.store import Store
    from lstm_stock.prices.table import PriceHistory


MAX_SHOWN = 500
"""Most bars of a table: more take seconds to lay out, and nobody reads them."""

Ticker = Annotated[str, typer.Argument(metavar="TICKER", help="A ticker in the store.")]


@data_app.callback(invoke_without_command=True)
def data(
    context: typer.Context,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """List the tickers in the price store: rows, range, source, age, notes."""
    if context.invoked_subcommand is not None:
        require_none_before(context, ("output", "data_dir", "quiet"))
        return
    from lstm_stock.report import console, price_tables

    store = open_store(data_dir)
    histories = [_read(store.at(interval), ticker) for ticker, interval in store.series()]
    rows = price_tables.store_rows(
        [one.ticker if isinstance(one, _Damaged) else one for one in histories], dt.datetime.now(dt.UTC)
    )
    if not rows and output is Format.table:
        console.note(
            f"the price store {data_dir / 'prices'} is empty; `lstm-stock fetch AAPL` fills it", quiet
        )
    elif output is Format.table:
        console.show(price_tables.store_table(rows))
    else:
        _print(rows, output)
    for one in histories:
        if isinstance(one, _Damaged):
            console.warn(one.error.message)


@data_app.command("show")
def data_show(
    ticker: Ticker,
    interval: IntervalName = None,
    tail: Annotated[int, typer.Option(min=1, metavar="N", help="Number of newest bars.")] = 10,
    output: Annotated[Format, typer.Option("--format", help="How to print the bars.")] = Format.table,
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Show the source of a ticker's prices and its newest bars."""
    from lstm_stock.report import console, price_tables
    from lstm_stock.report.text import date_text

    history = open_store(data_dir, interval=check_interval(interval)).read(ticker)
    for fact in price_tables.facts(history, dt.datetime.now(dt.UTC)):
        console.note(fact, quiet)
    bars = history.table.tail(min(tail, len(history.table)))
    if output is Format.table:
        if len(bars) > MAX_SHOWN:
            console.note(
                f"the newest {MAX_SHOWN} of {len(bars)} bars; `--format csv` and `--format json` print all",
                quiet,
            )
        console.show(price_tables.bars_table(bars.tail(MAX_SHOWN)))
    elif output is Format.csv:
        print(_csv(bars), end="")
    else:
        _print(
            bars.reset_index().assign(date=[date_text(date) for date in bars.index]).to_dict("records"),
            output,
        )


@data_app.command("export")
def data_export(
    ticker: Ticker,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="File to write [default: stdout].", show_default=False),
    ] = None,
    interval: IntervalName = None,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV, the only format.")] = True,  # noqa: ARG001
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Write a ticker's bars as CSV; `fetch --from-csv` reads them back to the last digit."""
    from lstm_stock.report import console

    text = _csv(open_store(data_dir, interval=check_interval(interval)).read(ticker).table)
    if file is None:
        print(text, end="")
        return
    write_output(file, text, force)
    console.note(f"wrote {file}", quiet)


@data_app.command("check")
def data_check(
    tickers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TICKER]...", help="Tickers to check [default: all].", show_default=False),
    ] = None,
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Check the files of the store: damage, missing sessions, suspicious bars; ends with 2 if one is damaged."""
    from lstm_stock.prices.quality import quality_warnings, session_mismatches, session_notes
    from lstm_stock.report import console

    store = open_store(data_dir)
    n_damaged = n_noted = 0
    series = [(name, None) for name in tickers] if tickers else store.series()
    for name, interval in series:
        found = _read(store.at(interval), name)
        if isinstance(found, _Damaged):
            n_damaged += 1
            print(f"{name}: damaged")
            print_error(found.error.message, f"{found.error.hint}\n")
            continue
        origin = found.provenance
        mismatches = session_mismatches(found.table, origin.exchange, found.interval)
        notes = [
            *session_notes(
                mismatches, origin.exchange, origin.source, frozenset(origin.confirmed_mismatches)
            ),
            *quality_warnings(found.table, origin.exchange, found.interval),
        ]
        if origin.exchange is None and not found.has_values and found.interval.is_daily:
            notes.append("its exchange is unknown: not checked for missing sessions")
        n_noted += bool(notes)
        bars = "" if found.interval.is_daily else f" ({found.interval.adjective})"
        print(f"{found.ticker}{bars}: {'; '.join(notes) if notes else 'good'}")
    if not tickers:
        for path in store.unknown_files():
            console.note(f"{path}: not a file of this program; it is never read", quiet)
    console.note(f"{len(series)} checked: {n_damaged} damaged, {n_noted} with notes", quiet)
    if n_damaged:
        raise typer.Exit(DataError.exit_code)


class _Damaged:
    """A ticker whose file cannot be read."""

    def __init__(self, ticker: str, error: DataError) -> None:
        self.ticker = ticker
        self.error = error


def _read(store: Store, ticker: str) -> PriceHistory | _Damaged:
    """Read a ticker; return the error of a damaged file, and raise that of a missing one."""
    try:
        return store.read(ticker)
    except DataError as error:
        if not store.path(ticker).exists():
            raise
        return _Damaged(ticker, error)


def _print(rows: list[dict[Any, Any]], output: Format) -> None:
    if output is Format.json:
        import json

        print(json.dumps(rows, indent=2))
    else:
        import pandas as pd

        print(pd.DataFrame(rows).to_csv(index=False), end="")


def _csv(bars: pd.DataFrame) -> str:
    has_times = any(date.time() != dt.time() for date in bars.index)
    return str(bars.to_csv(date_format="%F %T" if has_times else "%Y-%m-%d", lineterminator="\n"))
