"""The exceptions that this package raises on purpose.

    LstmStockError
    ├── ConfigError    a config file, a `--set`, an option
    ├── DataError      prices, a CSV file, the store
    │   └── ShortHistoryError
    ├── LeakError      something known at a date depends on later bars
    ├── RunError       a run folder that is missing, damaged or in the way
    ├── BaselineError  a simple model that cannot be fitted; the others go on without it
    └── SourceError    the place prices come from
        ├── UnknownTickerError
        └── TemporaryError        what may be over in a moment: network, server, and
            └── RateLimitError    too many requests

Anything else that escapes is a bug of ours and keeps its traceback.
"""

from __future__ import annotations


class LstmStockError(Exception):
    """What came and what was expected, with the way out.

    Attributes:
        message: One or more lines without a final full stop: what came, what was expected.
        hint: What the user can do next; empty when the message already says it.
        exit_code: What the command line ends with.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(LstmStockError):
    """A setting that cannot be used: unknown, of the wrong type, or out of range."""


class DataError(LstmStockError):
    """Prices that cannot be used: malformed, too few, or not there."""


class ShortHistoryError(DataError):
    """A ticker with too few bars for what is asked; other tickers can go on without it."""


class LeakError(LstmStockError):
    """Something that is said to be known at a cutoff depends on bars after it."""


class RunError(LstmStockError):
    """A run folder that cannot be read or written."""


class BaselineError(LstmStockError):
    """A simple model that cannot be fitted to the prices it was given; it drops out and the rest go on."""


class SourceError(LstmStockError):
    """A source that did not deliver: no network, a rate limit, an unknown ticker."""

    exit_code = 3


class UnknownTickerError(SourceError):
    """A ticker that the source does not have."""


class TemporaryError(SourceError):
    """A source that may deliver when asked again: no network, a timeout, a server's trouble."""


class RateLimitError(TemporaryError):
    """A source that takes no more requests for now; asking again at once makes it worse."""
