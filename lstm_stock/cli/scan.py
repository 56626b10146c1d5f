"""The command `scan`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lstm_stock.cli.app import DataDir, Format, Quiet, app, open_store, parse_date
from lstm_stock.errors import RunError


class Sort(StrEnum):
    """The column that a scan is sorted by, the greatest value first."""

    year = "year"
    width = "width"
    calendar = "calendar"
    move = "move"


COLUMNS = {
    Sort.year: "against_year",
    Sort.width: "width_90",
    Sort.calendar: "calendar",
    Sort.move: "p_move",
}


@app.command()
def scan(
    tickers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TICKER]...",
            help="Tickers to scan [default: all shares of the store].",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        str, typer.Option(metavar="DIR", help="A folder of `pretrain`; `universal` is that of the package.")
    ] = "universal",
    cutoff: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Scan as of this past date, using nothing after it."),
    ] = None,
    move: Annotated[
        float, typer.Option(min=0.1, max=90, metavar="PERCENT", help="The move whose probability is shown.")
    ] = 5.0,
    sort: Annotated[Sort, typer.Option(help="Column to sort by, greatest first.")] = Sort.year,
    top: Annotated[
        int | None,
        typer.Option(min=1, help="Show only so many tickers [default: all].", show_default=False),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Forecast the next session of every ticker of the store, the most unusual first."""
    import json

    from lstm_stock.config import normalise_ticker
    from lstm_stock.config.interval import DAILY
    from lstm_stock.config.tickers import distinct
    from lstm_stock.errors import DataError
    from lstm_stock.network.tensorflow_setup import n_cores
    from lstm_stock.report import console, progress
    from lstm_stock.report.scan import scan_table
    from lstm_stock.report.text import group_messages
    from lstm_stock.runs.files import records
    from lstm_stock.runs.pretrained import find_pretrained
    from lstm_stock.workflow.interval import require_daily
    from lstm_stock.workflow.scan import Plan
    from lstm_stock.workflow.scan import scan as scan_tickers
    from lstm_stock.workflow.store_market import is_share

    day, store = parse_date(cutoff, "--cutoff"), open_store(data_dir)
    folder = find_pretrained(run)
    if folder is None:
        raise RunError(f"{run} is no folder of pretrained networks", "`lstm-stock pretrain` makes one")
    names = distinct([normalise_ticker(name) for name in tickers or ()])
    require_daily(store, names)
    store = store.at(DAILY.name)
    names = names or [ticker for ticker in store.tickers() if is_share(ticker)]
    if not names:
        raise DataError(f"the store {data_dir} has no shares", "`lstm-stock fetch AAPL` fetches some")
    with progress.counted_progress("tickers", quiet) as on_scanned:
        found = scan_tickers(Plan(folder, data_dir, names, day, move / 100), n_cores(), on_scanned)
    for text in group_messages([(one, f"left out: {why}") for one, why in found.left_out.items()]):
        console.warn(text)
    table = found.table.sort_values(COLUMNS[sort], ascending=False, kind="stable", na_position="last")
    if top is not None:
        table = table.head(top)
    if output == Format.json:
        print(json.dumps(records(table), indent=2))
    elif output == Format.csv:
        print(table.to_csv(index=False), end="")
    else:
        console.show(scan_table(table, move / 100))
        console.note("intervals follow the hits and misses of two years. Not financial advice", quiet)
