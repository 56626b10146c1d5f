"""The command `plot`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import (
    DataDir,
    Dividends,
    Quiet,
    RunName,
    RunsDir,
    app,
    open_store,
    parse_dividends,
)
from lstm_stock.errors import RunError

if TYPE_CHECKING:
    from lstm_stock.prices.store import Store
    from lstm_stock.runs.run import Run


@app.command()
def plot(
    run: RunName = None,
    ticker: Annotated[
        str | None,
        typer.Option(help="One of the run's tickers [default: all; more than three share one figure]."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the figures [default: the run's `plots`].")
    ] = None,
    dividend: Dividends = None,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Draw the run: training, test period, forecast fan, calibration, scores; many tickers in one figure."""
    from lstm_stock.runs.catalog import find_run

    found = find_run(runs_dir, run)
    dividends = parse_dividends(dividend, found.config.data.tickers if ticker is None else (ticker,))
    plot_run(found, open_store(data_dir), ticker, output, quiet, dividends)


def plot_run(
    run: Run,
    store: Store,
    ticker: str | None,
    output: Path | None,
    quiet: bool,
    dividends: Mapping[dt.date, float] | None = None,
) -> None:
    """Draw the figures of one ticker, or of all tickers of a run.

    Raises:
        ConfigError: A dividend cannot be taken off.
        RunError: The run was not trained on the ticker.
    """
    from lstm_stock.config import normalise_ticker
    from lstm_stock.report import console
    from lstm_stock.report.text import MAX_DETAILED_TICKERS, name_tickers

    tickers = run.scored_tickers
    ticker = None if ticker is None else normalise_ticker(ticker)
    if ticker is not None and ticker not in tickers:
        raise RunError(
            f"run {run.name} has no scores of {ticker}: its tickers are {name_tickers(tickers)}",
            "name one of those; `lstm-stock predict TICKER --run RUN` forecasts others with a run of several",
        )
    from lstm_stock.workflow.plot import draw

    for path in draw(run, store, output or run.path / "plots", ticker, console.warn, dividends):
        console.note(f"wrote {path}", quiet)
    if ticker is None and len(tickers) > MAX_DETAILED_TICKERS:
        console.note(f"`lstm-stock plot {run.name} --ticker {tickers[0]}` draws one of its tickers", quiet)
