"""Many files of prices at once, and files of many tickers: which tickers they hold, and what to store them as."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from lstm_stock.config import normalise_ticker
from lstm_stock.errors import DataError
from lstm_stock.prices.csv.columns import NoPricesError, same_ticker
from lstm_stock.prices.csv.reader import CsvFile
from lstm_stock.prices.sources import CsvOptions

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
"""The files of a folder that are read."""

_MAX_FILES = 20_000


@dataclass(frozen=True)
class FileTicker:
    """A ticker of a file.

    Attributes:
        ticker: What to store it as.
        path: The file.
        file: The file, if it was read already.
        failure: Why the file cannot be read; None if it can.
    """

    ticker: str
    path: Path
    file: CsvFile | None = None
    failure: DataError | None = None


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that are named: themselves, in folders, or by a pattern such as `prices/*.csv`.

    Raises:
        DataError: A folder or a pattern has none, or there are more than 20,000.
    """
    found: list[Path] = []
    for path in paths:
        own = [path]
        try:
            if path.is_dir():
                files = (one for one in path.iterdir() if one.suffix.lower() in SUFFIXES)
                own = sorted(one for one in files if not one.name.startswith("."))
            elif has_magic(str(path)) and not path.exists():
                own = [Path(one) for one in sorted(glob(str(path)))]  # noqa: PTH207 - a pattern may be absolute
        except (OSError, ValueError):  # reading the file reports it
            pass
        if not own:
            raise DataError(
                f"{path} has no file of prices", f"name a folder with files that end in {', '.join(SUFFIXES)}"
            )
        found += own
    if len(found) > _MAX_FILES:
        raise DataError(
            f"got {len(found)} files, expected at most {_MAX_FILES}", "fetch them in several steps"
        )
    return list(dict.fromkeys(found))


def find_tickers(paths: Sequence[Path], options: CsvOptions, wanted: Sequence[str]) -> list[FileTicker]:
    """Return the tickers that files hold: those they name, else the name of the file (`AAPL.csv`).

    Args:
        paths: The files.
        options: What the user says about them.
        wanted: Tickers to leave the others out for; all without any. One name for one file that names no other
            ticker is what to store it as.

    Returns:
        Each once, in the order of the files; a file that cannot be read has its failure.

    Raises:
        DataError: A wanted ticker is in no file.
    """
    found: list[FileTicker] = []
    taken: dict[str, Path] = {}
    held: list[str] = []
    for path in paths:
        for one in _tickers_of(path, options, wanted if len(paths) == 1 else ()):
            held.append(one.ticker)
            if wanted and one.failure is None and not any(same_ticker(one.ticker, name) for name in wanted):
                continue
            first = taken.setdefault(one.ticker, path)
            if one.failure is None and first != path:
                failure = DataError(
                    f"{path} holds {one.ticker} too, which {first} holds", "delete or rename one of them"
                )
                one = FileTicker(one.ticker, path, failure=failure)
            found.append(one)
    for name in wanted:
        if not any(same_ticker(name, one.ticker) for one in found) and not any(one.failure for one in found):
            more = f" and {len(held) - 10} more" if len(held) > 10 else ""
            raise DataError(
                f"no file holds {name}; they hold {', '.join(sorted(held)[:10])}{more}",
                "a file holds the tickers that it names, else the one of its own name (`AAPL.csv`)",
            )
    return found


def _tickers_of(path: Path, options: CsvOptions, wanted: Sequence[str]) -> list[FileTicker]:
    try:
        file = CsvFile(path, options)
        names = [] if options.value else file.tickers()
        if len(names) > 1:
            return [FileTicker(_as_ticker(name, path), path, file) for name in names]
        name = wanted[0] if len(wanted) == 1 else (names or [path.stem])[0]
        return [FileTicker(_as_ticker(name, path), path)]
    except NoPricesError:
        return [FileTicker(wanted[0] if len(wanted) == 1 else _as_ticker(path.stem, path), path)]
    except DataError as error:
        return [FileTicker(path.name, path, failure=error)]


def _as_ticker(name: str, path: Path) -> str:
    """Return a name as a ticker: BTC/USD becomes BTC-USD."""
    text = re.sub(r"[^A-Za-z0-9.^=&_+$:-]+", "-", name.strip()).strip("-.")
    try:
        return normalise_ticker(text)
    except DataError as error:
        raise DataError(
            f"{path}: `{name[:60]}` is no ticker to store it as",
            f"name it: `lstm-stock fetch TICKER --from-csv {path}`",
        ) from error
