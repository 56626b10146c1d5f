"""Ticker names, and files of them: one or more per line, separated by spaces or commas; `#` starts a comment."""

from __future__ import annotations

import re
from pathlib import Path

from lstm_stock.config.yaml_reader import quoted
from lstm_stock.errors import ConfigError, DataError

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


def names_a_file(text: str) -> bool:
    """Return whether a text is the name of a file instead of a ticker: it ends in .txt or has a slash.

    >>> names_a_file("sp500.txt"), names_a_file("BRK-B"), names_a_file("lists/dow")
    (True, False, True)
    """
    return text.lower().endswith(SUFFIX) or "/" in text or "\\" in text


def read_tickers_file(path: Path) -> list[str]:
    """Return the tickers of a file as they are written there, each once.

    Raises:
        ConfigError: The file cannot be read, or has no ticker.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the tickers file {path} is not a text file", "write one ticker per line, in UTF-8"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"the tickers file {path} cannot be read: {why}", "check its name") from error
    lines = (line.partition("#")[0] for line in text.splitlines())
    tickers = [ticker for line in lines for ticker in line.replace(",", " ").split()]
    if not tickers:
        raise ConfigError(f"the tickers file {path} has no ticker", "write one ticker per line")
    return distinct(tickers)


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
