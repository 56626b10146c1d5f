"""The exceptions that this package raises on purpose.

    LstmStockError
    ├── ConfigError    a config file, a `--set`, an option
    ├── DataError      prices, a CSV file, the store
    │   └── UnusableTickerError   bars of one ticker; work on other tickers can continue
    │       └── ShortHistoryError
    ├── LeakError      a value known at a cutoff depends on later bars
    ├── RunError       a run folder that is missing, damaged or in the way
    ├── JournalError   a journal of forecasts that cannot be read, written or trusted
    ├── OutputError    an output that takes no more, or memory that is used up
    ├── BaselineError  a baseline that cannot be fitted; it is left out
    └── SourceError    a source of prices
        ├── UnknownTickerError
        └── TemporaryError        network or server; a retry may help
            └── RateLimitError    too many requests

Any other exception is a bug of this package and keeps its traceback.
"""

from __future__ import annotations


class LstmStockError(Exception):
    """Base of all errors of this package.

    Attributes:
        message: One or more lines without a final full stop: the value received and the value expected.
        hint: What the user can do; empty where the message says it.
        exit_code: Exit code of the command line.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # shown below a traceback


class ConfigError(LstmStockError):
    """A setting that cannot be used: unknown, of the wrong type, or out of range."""


class DataError(LstmStockError):
    """Prices that cannot be used: malformed, too few, or missing."""


class UnusableTickerError(DataError):
    """A ticker whose bars cannot be used; work on other tickers can continue."""


class ShortHistoryError(UnusableTickerError):
    """A ticker with too few bars."""


class LeakError(LstmStockError):
    """A value known at a cutoff depends on bars after it."""


class RunError(LstmStockError):
    """A run folder that cannot be read or written."""


class JournalError(LstmStockError):
    """A journal of forecasts that cannot be read, written or trusted."""


class OutputError(LstmStockError):
    """An output that cannot be written, such as one to a full disk; or too little memory."""


class BaselineError(LstmStockError):
    """A baseline that cannot be fitted to the prices; it is left out."""


class SourceError(LstmStockError):
    """A source that returned no prices: no network, a rate limit, an unknown ticker."""

    exit_code = 3


class UnknownTickerError(SourceError):
    """A ticker that the source does not have."""


class TemporaryError(SourceError):
    """A failure that a retry may solve: no network, a timeout, a server error."""


class RateLimitError(TemporaryError):
    """A source that refuses requests for now; an immediate retry makes it worse."""
