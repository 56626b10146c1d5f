"""Ticker names, and files of them: one or more per line, or a table with a column of symbols.

In a file of lines, spaces or commas separate tickers, and `#` starts a comment.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

from lstm_stock.config.yaml_reader import quoted
from lstm_stock.errors import ConfigError, DataError
from lstm_stock.readback import open_file

_TICKER_MARKS = ".-^=&_+$:"
_TICKER = re.compile(r"[A-Za-z0-9^=&_+$:][A-Za-z0-9.^=&_+$:-]{0,31}")


def normalise_ticker(text: str) -> str:
    """Return a ticker as the store and the sources spell it: in upper case.

    >>> normalise_ticker("brk-b")
    'BRK-B'

    Raises:
        DataError: It has a character that no ticker has (`/`, `..`, a space), or is empty or too long.
    """
    if _TICKER.fullmatch(text) and ".." not in text and any(map(str.isalnum, text)):
        return text.upper()
    raise DataError(
        f"got {quoted(text)}, must be a ticker: 1 to 32 letters, digits and `{_TICKER_MARKS}`, "
        "not beginning with `.` or `-`, without `..`",
        "write it as Yahoo does: AAPL, BRK-B, ^GSPC, 0700.HK",
    )


SUFFIX = ".txt"

_SYMBOL_NAMES = {"symbol", "symbols", "ticker", "tickers", "ticker symbol"}
_MAX_TICKERS = 20_000
_MAX_BYTES = 2**20


def names_a_file(text: str) -> bool:
    """Return whether a text is the name of a file instead of a ticker: it ends in .txt or has a slash.

    >>> names_a_file("sp500.txt"), names_a_file("BRK-B"), names_a_file("lists/dow")
    (True, False, True)
    """
    return text.lower().endswith(SUFFIX) or "/" in text or "\\" in text


def read_tickers_file(path: Path) -> list[str]:
    """Return the tickers of a file as they are written there, each once; of the path `-`, from stdin.

    A table with a header, such as a list of companies, has them in its column `Symbol` or `Ticker`.

    Raises:
        ConfigError: The file cannot be read, is no regular file, has no ticker, or more than 20,000.
    """
    lines = [line.partition("#")[0].strip() for line in _read_text(path).splitlines()]
    lines = [line for line in lines if line]
    column = _symbol_column(lines[0]) if lines else None
    if column is None:
        tickers = [ticker for line in lines for ticker in line.replace(",", " ").split()]
    else:
        separator, place = column
        rows = csv.reader(lines[1:], delimiter=separator, skipinitialspace=True)
        tickers = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
    if not tickers:
        raise ConfigError(f"the tickers file {path} has no ticker", "write one ticker per line")
    tickers = distinct(tickers)
    if len(tickers) > _MAX_TICKERS:
        raise ConfigError(
            f"the tickers file {path} has {len(tickers)} tickers, more than {_MAX_TICKERS}", "split it"
        )
    return tickers


def _read_text(path: Path) -> str:
    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with open_file(path.expanduser()) as file:
                content = file.read(_MAX_BYTES + 1) or b""
        if len(content) > _MAX_BYTES:
            raise ConfigError(
                f"the tickers file {path} is larger than {_MAX_BYTES // 2**20} MiB, "
                f"more than {_MAX_TICKERS} tickers",
                "name a file with one ticker per line, or split it",
            )
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the tickers file {path} is not a text file", "write one ticker per line, in UTF-8"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:  # a path with a NUL in it; a home folder of nobody
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"the tickers file {path} cannot be read: {why}", "check its name") from error


def _symbol_column(header: str) -> tuple[str, int] | None:
    """Return the separator of a table and the place of its column of tickers, if the line is its header."""
    for separator in ",;\t|":
        cells = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
        for place, cell in enumerate(cells):
            if cell.strip().lower() in _SYMBOL_NAMES:
                return separator, place
    return None


def parse_tickers(text: str) -> list[str]:
    """Return the tickers of an option, each once: names with commas or spaces between, or the name of a file.

    >>> parse_tickers("msft, BRK-B aapl,MSFT")
    ['MSFT', 'BRK-B', 'AAPL']

    Raises:
        ConfigError: The file cannot be read, or there is no ticker.
        DataError: One of the names is no ticker.
    """
    is_file = names_a_file(text.strip())
    names = read_tickers_file(Path(text.strip())) if is_file else text.replace(",", " ").split()
    if not names:
        raise ConfigError("no ticker is named", "write AAPL,MSFT or the name of a .txt file of tickers")
    return distinct([normalise_ticker(name) for name in names])


def distinct(tickers: list[str]) -> list[str]:
    """Return each ticker once, in its first spelling; upper and lower case are the same.

    >>> distinct(["aapl", "MSFT", "AAPL"])
    ['aapl', 'MSFT']
    """
    first: dict[str, str] = {}
    for ticker in tickers:
        first.setdefault(ticker.upper(), ticker)
    return list(first.values())
