"""The command tree, to which each module of this package adds a command, and the options that several share."""

from __future__ import annotations

import datetime as dt
import math
import os
import stat
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_stock.atomic import write_file
from lstm_stock.errors import ConfigError

if TYPE_CHECKING:
    from lstm_stock.config import Config
    from lstm_stock.prices.store import Store


COMMANDS = (
    "fetch",
    "train",
    "predict",
    "scan",
    "evaluate",
    "plot",
    "runs",
    "demo",
    "backtest",
    "leakcheck",
    "pretrain",
    "export",
    "models",
)
"""Each command without subcommands, and its module, in the order in which `--help` lists them."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as in shells: 128 + SIGINT."""


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    csv = "csv"
    json = "json"


def home(path: Path) -> Path:
    """Return a path with the user's home folder in place of a `~` that no shell has replaced."""
    try:
        return path.expanduser()
    except RuntimeError:  # no such user
        return path


DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="LSTM_STOCK_DATA",
        callback=home,
        help="Folder of the price store.",
        metavar="DIR",
    ),
]
RunsDir = Annotated[
    Path,
    typer.Option(
        "--runs-dir", envvar="LSTM_STOCK_RUNS", callback=home, help="Folder of the runs.", metavar="DIR"
    ),
]
JournalDir = Annotated[
    Path,
    typer.Option(
        "--journal-dir",
        envvar="LSTM_STOCK_JOURNAL",
        callback=home,
        help="Folder of the journal.",
        metavar="DIR",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no notes.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="YAML file, or a packaged config: `default`, `classic` or `many`.",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Override one key: model.units=64,32. Repeatable.",
        show_default=False,
    ),
]
Tickers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TICKER]...", help="Tickers of the store [default: those of the config].", show_default=False
    ),
]
RunName = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="Name or path of a run [default: the newest].", show_default=False),
]
IntervalName = Annotated[
    str | None,
    typer.Option("--interval", metavar="INTERVAL", help="Of bars other than daily: 1wk, 1h."),
]
Dividends = Annotated[
    list[str] | None,
    typer.Option(
        "--dividend",
        metavar="DATE=AMOUNT",
        help="Announced dividend per share, by ex-date; replaces the usual ones, 0 takes none off. Repeatable.",
        show_default=False,
    ),
]


def check_interval(name: str | None) -> str | None:
    """Return the value of an option `--interval`; ConfigError if it is no interval."""
    from lstm_stock.config.interval import INTERVALS

    if name is not None and name not in INTERVALS:
        raise ConfigError(
            f"--interval: got {name!r}, expected one of {', '.join(INTERVALS)}", "choose one of those"
        )
    return name


def open_store(data_dir: Path, tickers: Sequence[str] = (), interval: str | None = None) -> Store:
    """Return the price store; a ticker that it lacks is an error before TensorFlow takes seconds to load.

    Args:
        data_dir: Its folder.
        tickers: Tickers that must be in it.
        interval: Name of the interval of their bars; None is any.

    Raises:
        DataError: The store lacks one of the tickers.
    """
    from lstm_stock.prices.store import Store

    store = Store(data_dir, interval)
    store.require(tickers)
    return store


def load_settings(
    config: Path | None,
    overrides: Sequence[str] | None,
    data_dir: Path,
    quiet: bool,
    tickers: Sequence[str] | None = None,
) -> Config:
    """Load the config of a training; a series of values gets the config `values` where none is named, with a note.

    Args:
        config: The option `--config`.
        overrides: The options `--set`.
        data_dir: Folder of the store.
        quiet: Print no note.
        tickers: The tickers, in place of those of the config.

    Raises:
        ConfigError: A setting is wrong.
    """
    import json

    from lstm_stock.config import load_config

    named = [f"data.tickers={json.dumps(list(tickers))}"] if tickers else []
    settings_of_user = [*(overrides or ()), *named]
    if config is not None:
        return load_config(config, settings_of_user)
    # Loaded here, since an error in a config file needs neither numpy nor pandas.
    from lstm_stock.prices.store import Store
    from lstm_stock.report import console
    from lstm_stock.workflow.value_config import load_config_for

    settings, notes = load_config_for(None, settings_of_user, Store(data_dir))
    for text in notes:
        console.note(text, quiet)
    return settings


def parse_date(text: str | None, option: str) -> dt.date | None:
    """Parse the date of an option.

    Raises:
        ConfigError: It is not a date from 1900 to 2100.
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


def parse_dividends(texts: Sequence[str] | None, tickers: Sequence[str]) -> dict[dt.date, float] | None:
    """Parse the options `--dividend`: amounts by ex-date, or None without any.

    Args:
        texts: The values, each `YYYY-MM-DD=AMOUNT`.
        tickers: The tickers that are forecast.

    Raises:
        ConfigError: One of them is malformed, a date occurs twice, or it is unclear whose dividends they are.
    """
    if not texts:
        return None
    if len(tickers) > 1:
        raise ConfigError(
            f"--dividend: got {len(tickers)} tickers, expected one, whose dividend it is",
            f"name it, such as {tickers[0]}",
        )
    dividends: dict[dt.date, float] = {}
    for text in texts:
        date, _, amount_text = text.partition("=")
        try:
            amount = float(amount_text)
        except ValueError:
            amount = math.nan
        if not 0 <= amount < math.inf:
            raise ConfigError(
                f"--dividend: got {text!r}, expected a date and an amount of 0 or more",
                "write it as YYYY-MM-DD=AMOUNT: 2024-02-09=0.24",
            )
        ex_date = parse_date(date, "--dividend")
        if ex_date is None or ex_date in dividends:
            raise ConfigError(f"--dividend: got {date} twice, expected each date once", "add the amounts")
        dividends[ex_date] = amount
    return dividends


def require_none_before(context: typer.Context, names: Sequence[str]) -> None:
    """Raise a ConfigError for options before a subcommand, which the subcommand would not see.

    Args:
        context: That of the command.
        names: Its parameters.
    """
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            command = context.invoked_subcommand
            raise ConfigError(
                f"got an option before `{command}`, expected it after",
                f"write `{context.command_path} {command} ... --option`",
            )


def print_error(message: str, hint: str = "") -> None:
    """Print an error to stderr, and a hint below it."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"\nhint: {hint}", file=sys.stderr)


def write_output(file: Path, text: str, force: bool = False) -> None:
    """Write a file that the user named.

    Raises:
        ConfigError: The file exists and `force` is False, or it cannot be written.
    """
    try:
        if os.path.lexists(file):
            if not force:
                raise ConfigError(f"{file} exists already", "choose another name, or delete it first")
            if not stat.S_ISREG(file.lstat().st_mode):
                raise ConfigError(
                    f"{file} is a link, a folder or a device, and is not replaced by a file",
                    "choose another name",
                )
        write_file(file, text.encode())
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        why = getattr(error, "strerror", None) or error
        shown = str(file)[:200]
        raise ConfigError(f"{shown} cannot be written: {why}", "choose another name or folder") from error


app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Show, check and export the price store.", rich_markup_mode=None)
journal_app = typer.Typer(
    help="Score the journal of forecasts before the fact, and verify it.", rich_markup_mode=None
)
config_app = typer.Typer(help="Show, check and start config files.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Forecast stock returns as distributions with an LSTM, and score every forecast against baselines."""
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
