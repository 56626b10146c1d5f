"""The command tree, to which each module of this package adds its commands."""

from __future__ import annotations

import datetime as dt
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.atomic import write_file
from lstm_stock.errors import ConfigError

if TYPE_CHECKING:
    from lstm_stock.prices.store import Store


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


class SourceName(StrEnum):
    """Where prices come from."""

    yahoo = "yahoo"
    csv = "csv"
    sample = "sample"


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    csv = "csv"
    json = "json"


DataDir = Annotated[
    Path,
    typer.Option("--data-dir", envvar="LSTM_STOCK_DATA", help="Folder of the price store.", metavar="DIR"),
]
RunsDir = Annotated[
    Path, typer.Option("--runs-dir", envvar="LSTM_STOCK_RUNS", help="Folder of the runs.", metavar="DIR")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no notes.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="YAML file, or the packaged `default`, `classic` or `many`.",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Override one key: model.units=[64,32]. Repeatable.",
        show_default=False,
    ),
]
RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]", help="Name or path of a run; the newest if left out.", show_default=False
    ),
]


def open_store(data_dir: Path) -> Store:
    """Return the price store; nothing is made or read yet."""
    from lstm_stock.prices.store import Store

    return Store(data_dir)


def parse_date(text: str | None, option: str) -> dt.date | None:
    """Read the date that an option was given.

    Raises:
        ConfigError: It is none, or not from 1900 to 2100.
    """
    if text is None:
        return None
    try:
        day = dt.date.fromisoformat(text)
        if not 1900 <= day.year <= 2100:
            raise ValueError
        return day
    except ValueError as error:
        raise ConfigError(
            f"{option}: got {text!r}, expected a date from 1900 to 2100", "write it as YYYY-MM-DD: 2020-03-04"
        ) from error


def tell(message: str, hint: str) -> None:
    """Print an error, and what to do about it, on stderr."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"\nhint: {hint}", file=sys.stderr)


def write_whole(file: Path, text: str, force: bool = False) -> None:
    """Write a file that the user named, whole or not at all.

    Raises:
        ConfigError: There is such a file, and `force` is not given; or it cannot be written.
    """
    if file.exists() and not force:
        raise ConfigError(f"{file} exists already", "choose another name, or delete it first")
    try:
        write_file(file, text.encode())
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}", "choose another folder") from error


HELP = "Forecast stocks with an LSTM, honestly: calibrated fans, every score beside a baseline."

app = typer.Typer(
    help=HELP,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Show, check and export what is in the price store.", rich_markup_mode=None)
config_app = typer.Typer(help="Show, check and start config files.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Forecast stocks with an LSTM, honestly: calibrated fans, every score beside a baseline."""
    if version:
        from importlib.metadata import version as installed

        print(f"lstm-stock {installed('lstm-stock')}")
        raise typer.Exit
    _help_if_alone(context)


@config_app.callback(invoke_without_command=True)
def config_root(context: typer.Context) -> None:
    """Show, check and start config files."""
    _help_if_alone(context)


def _help_if_alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit
