"""The command `pretrain`."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.cli.app import ConfigFile, DataDir, Overrides, Quiet, app, open_store
from lstm_stock.errors import ConfigError

if TYPE_CHECKING:
    from lstm_stock.prices.store import Store


@app.command()
def pretrain(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|FILE|NAMES",
            help="A folder with a CSV of daily prices per ticker, or tickers of the store: a .txt file or names.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="New folder of the networks.", show_default=False)
    ],
    config: ConfigFile = Path("universal"),
    overrides: Overrides = None,
    exchange: Annotated[
        str | None,
        typer.Option(
            metavar="CODE", help="Exchange of the tickers of a folder, such as XNYS.", show_default=False
        ),
    ] = None,
    data_dir: DataDir = Path("data"),
    quiet: Quiet = False,
) -> None:
    """Train networks on many tickers, to forecast any ticker with `--run DIR`.

    There is one network for each set of inputs: with market and covariates, with one of them, and with neither.
    There is no test period: `evaluate DIR` scores the networks on other tickers or later dates.
    """
    from lstm_stock.config import load_config
    from lstm_stock.config.tickers import parse_tickers
    from lstm_stock.report import console
    from lstm_stock.runs.evaluation import require_new

    store = open_store(data_dir)
    with ExitStack() as stack:
        if os.path.isdir(source):  # noqa: PTH112 - a Path raises an OSError for a name that is too long
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            store, names = _read_folder(Path(source), folder, exchange)
        else:
            if exchange is not None:
                raise ConfigError(
                    "--exchange: the tickers of the store have theirs",
                    "leave it out, or name a folder of CSVs",
                )
            names = parse_tickers(source)
        # Names, as a .txt file would be read relative to the config.
        loaded = load_config(config, [*(overrides or ()), f"data.tickers=[{', '.join(map(_quoted, names))}]"])
        names = [name for name in names if name not in loaded.data.covariates]
        _copy_covariates(loaded.data.covariates, open_store(data_dir), store)
        store.require([*names, *loaded.data.covariates])
        require_new(output, "pretraining")
        from lstm_stock.network.tensorflow_setup import load_tensorflow

        load_tensorflow()
        from lstm_stock.dataset.build import with_tickers
        from lstm_stock.workflow.pretrain import pretrain as pretrain_networks

        saved = pretrain_networks(
            with_tickers(loaded, names), store, output, lambda text: console.note(text, quiet)
        )
    console.note(f"saved {saved.path}", quiet)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _read_folder(source: Path, folder: Path, exchange: str | None) -> tuple[Store, list[str]]:
    """Read the CSVs of a folder into a store in another folder.

    Raises:
        ConfigError: There is no CSV.
        DataError: One of them cannot be read.
    """
    from lstm_stock.prices.sources import FetchOptions
    from lstm_stock.prices.store import Store
    from lstm_stock.prices.update import fetch_into

    files = sorted(source.glob("*.csv"))
    if not files:
        raise ConfigError(f"{source} has no file NAME.csv", "name a folder with one CSV per ticker")
    filled = Store(folder)
    for file in files:
        fetch_into(filled, file.stem, FetchOptions(source="csv", csv_path=file, exchange=exchange))
    return filled, [file.stem.upper() for file in files]


def _copy_covariates(names: tuple[str, ...], source: Store, target: Store) -> None:
    """Copy the covariates that a temporary store lacks from the store of the user."""
    missing = [name for name in names if name not in target.tickers()]
    source.require(missing)
    for name in missing:
        target.write(source.read(name))
