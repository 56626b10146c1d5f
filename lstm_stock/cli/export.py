"""The command `export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import DataDir, Quiet, RunName, RunsDir, app, open_store
from lstm_stock.errors import ConfigError

if TYPE_CHECKING:
    from lstm_stock.prices.store import Store
    from lstm_stock.workflow.run_bars import RunBars


class NetworkFormat(StrEnum):
    """A file format of networks."""

    onnx = "onnx"


@app.command()
def export(
    run: RunName = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="New folder of the export.", show_default=False)
    ] = None,
    ticker: Annotated[
        str | None,
        typer.Option(help="Ticker of the example [default: the first of the run].", show_default=False),
    ] = None,
    network_format: Annotated[NetworkFormat, typer.Option("--format", help="Format of the network.")] = (
        NetworkFormat.onnx
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    data_dir: DataDir = Path("data"),
    runs_dir: RunsDir = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Export a network for use without lstm-stock: ONNX file, inputs and units, an example in Python.

    RUN may also be a folder of `pretrain`, or `universal`.
    """
    if output is None:
        raise ConfigError("--output: name the folder of the export", "`--output exported`")
    bars, name = _bars(run, runs_dir, open_store(data_dir), ticker)
    from lstm_stock.report import console
    from lstm_stock.workflow.export import export_run

    path = export_run(bars, name, output, force)
    console.note(f"wrote {path} ({network_format}): `python {path / 'example.py'}` forecasts {name}", quiet)


def _bars(run: str | None, runs_dir: Path, store: Store, ticker: str | None) -> tuple[RunBars, str]:
    """Return the bars of the network to export, and the ticker of the example."""
    from lstm_stock.config import normalise_ticker
    from lstm_stock.config.interval import DAILY
    from lstm_stock.prices.reader import Snapshot
    from lstm_stock.runs.catalog import find_run
    from lstm_stock.runs.pretrained import find_pretrained
    from lstm_stock.workflow.interval import require_daily
    from lstm_stock.workflow.run_bars import RunBars
    from lstm_stock.workflow.universal import Chooser

    named = None if ticker is None else normalise_ticker(ticker)
    folder = find_pretrained(run)
    if folder is not None:
        if named is None:
            raise ConfigError(
                "--ticker: a pretrained network has no tickers of its own",
                "name one for the example: `--ticker AAPL`",
            )
        require_daily(store, [named])
        store = store.at(DAILY.name)
        return Chooser(folder, store, Snapshot(store)).choose(named).bars, named
    found = find_run(runs_dir, run)
    name = found.require_ticker(named or found.config.data.tickers[0])
    store = store.at(found.config.data.interval)
    store.require([name, *found.config.data.covariates])
    return RunBars(found, Snapshot(store), end=None), name
