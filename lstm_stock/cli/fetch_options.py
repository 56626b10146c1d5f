"""The options of `fetch`, checked: tickers, files, how to read them, times."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from lstm_stock.cli.app import home
from lstm_stock.errors import ConfigError, DataError
from lstm_stock.prices.sources import SOURCES, CsvOptions, DateOrder, DecimalMark, FetchOptions, Quote

_MAX_SECONDS = 86400.0


@dataclass(frozen=True)
class Job:
    """One ticker to fetch.

    Attributes:
        name: The ticker as the user typed it, or as its file names it.
        options: How to fetch it.
        failure: Why its file cannot be read; None if it can.
    """

    name: str
    options: FetchOptions
    failure: DataError | None = None


def all_tickers(arguments: list[str], file: Path | None, may_be_none: bool) -> list[str]:
    """Return the tickers of the command line and of a file, each once, in order.

    Args:
        arguments: Those of the command line.
        file: A file of more.
        may_be_none: Whether there may be none.

    Raises:
        ConfigError: There are none, or the file cannot be read.
    """
    from lstm_stock.config.tickers import distinct, read_tickers_file

    tickers = arguments + ([] if file is None else read_tickers_file(file))
    if not tickers and not may_be_none:
        raise ConfigError(
            "no TICKER is named",
            "`lstm-stock fetch AAPL` fetches one; `--tickers-file FILE` names a list of them",
        )
    return distinct(tickers)


def apart(arguments: list[str], from_csv: list[Path]) -> tuple[list[str], list[Path]]:
    """Return the tickers among the arguments, and the files: a shell makes one option and arguments of `*.csv`.

    Args:
        arguments: Those of the command line.
        from_csv: The files of the options `--from-csv`; without any, all arguments are tickers.
    """
    from lstm_stock.prices.csv.many import SUFFIXES

    if not from_csv:
        return arguments, []
    files = [one for one in arguments if one.lower().endswith(SUFFIXES)]
    return [one for one in arguments if one not in files], [*from_csv, *map(Path, files)]


def fetch_jobs(names: list[str], files: list[Path], options: FetchOptions) -> list[Job]:
    """Return what to fetch: each ticker that is named, or each of the files.

    Raises:
        DataError: The files lack one of the tickers.
    """
    from lstm_stock.prices.csv.many import find_files, find_tickers

    if not files:
        return [Job(name, options) for name in names]
    paths = find_files([home(path) for path in files])
    if len(paths) == len(names) == 1:
        return [Job(names[0], replace(options, csv_path=paths[0]))]
    return [
        Job(one.ticker, replace(options, csv_path=one.path, csv_file=one.file), one.failure)
        for one in find_tickers(paths, options.csv, names)
    ]


def check_source(source: str | None, has_file: bool, value: str | None) -> str:
    """Return the name of the source.

    Args:
        source: The option `--source`.
        has_file: Whether a file is named.
        value: The option `--value`.

    Raises:
        ConfigError: There is no such source, or the options contradict each other.
    """
    if source is None:
        source = "csv" if has_file else "yahoo"
    if source not in SOURCES:
        raise ConfigError(
            f"--source: got {source!r}, expected one of {', '.join(SOURCES)}", "choose one of those"
        )
    if source == "csv" and not has_file:
        raise ConfigError("`--source csv` needs a file", "name it: `--from-csv FILE`")
    if has_file and source != "csv":
        raise ConfigError(
            f"`--from-csv` and `--source {source}` contradict each other", "leave out one of them"
        )
    if value is not None and not has_file:
        raise ConfigError("`--value` names a column of a file", "name the file, too: `--from-csv FILE`")
    return source


def date_order(day_first: bool | None, year_first: bool) -> DateOrder | None:
    """Return what comes first in dates, or None if no option says it."""
    if year_first and day_first is not None:
        other = "--day-first" if day_first else "--month-first"
        raise ConfigError(f"`--year-first` and `{other}` contradict each other", "leave out one of them")
    if year_first:
        return "year"
    return None if day_first is None else "day" if day_first else "month"


def csv_options(
    order: DateOrder | None, value: str | None, decimal: str | None, columns: list[str], quote: str | None
) -> CsvOptions:
    """Return how to read files; raise a ConfigError if an option has none of its values."""
    from lstm_stock.prices.csv.named import parse_columns

    mark, side = _choice(decimal, "--decimal", DecimalMark), _choice(quote, "--quote", Quote)
    return CsvOptions(
        order, value, cast("DecimalMark | None", mark), parse_columns(columns), cast("Quote | None", side)
    )


def _choice(value: str | None, option: str, choices: object) -> str | None:
    """Return `value`; raise a ConfigError if it is none of a `Literal`."""
    allowed = get_args(choices)
    if value is None or value in allowed:
        return value
    raise ConfigError(
        f"{option}: got {value!r}, expected one of {' '.join(allowed)}", f"such as `{option} {allowed[0]}`"
    )


def seconds(value: float, option: str, minimum: float) -> float:
    """Return `value`; raise a ConfigError if it is not a number of seconds in range."""
    if math.isfinite(value) and minimum <= value <= _MAX_SECONDS:
        return value
    raise ConfigError(
        f"{option}: got {value:g}, expected seconds from {minimum:g} to {_MAX_SECONDS:g}",
        "give another number",
    )
