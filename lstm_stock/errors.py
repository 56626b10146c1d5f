"""The exceptions that this package raises on purpose.

    LstmStockError
    ├── ConfigError    a config file, a `--set`, an option
    ├── DataError      prices, a CSV file, the store
    ├── LeakError      something known at a date depends on later bars
    ├── RunError       a run folder that is missing, damaged or in the way
    └── SourceError    the place prices come from: network, rate limit, unknown ticker

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


class LeakError(LstmStockError):
    """Something that is said to be known at a cutoff depends on bars after it."""


class RunError(LstmStockError):
    """A run folder that cannot be read or written."""


class SourceError(LstmStockError):
    """A source that did not deliver: no network, a rate limit, an unknown ticker."""

    exit_code = 3
