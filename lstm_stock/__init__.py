"""Forecast stocks with an LSTM, honestly.

    import lstm_stock as ls

    ls.fetch("AAPL", source="sample")
    forecast = ls.predict("AAPL")

`docs/python.md` has more. Every name is imported when it is first used: `import lstm_stock` loads nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_stock.api import (
        BaselineError,
        Config,
        ConfigError,
        DataError,
        JournalError,
        LeakError,
        LstmStockError,
        LstmStockWarning,
        OutputError,
        RateLimitError,
        Result,
        RunError,
        ShortHistoryError,
        SourceError,
        TemporaryError,
        UnknownTickerError,
        UnusableTickerError,
        Verdict,
        backtest,
        evaluate,
        fetch,
        load_config,
        load_run,
        predict,
        train,
    )
    from lstm_stock.prices.store import read_bars as prices

__all__ = [
    "BaselineError",
    "Config",
    "ConfigError",
    "DataError",
    "JournalError",
    "LeakError",
    "LstmStockError",
    "LstmStockWarning",
    "OutputError",
    "RateLimitError",
    "Result",
    "RunError",
    "ShortHistoryError",
    "SourceError",
    "TemporaryError",
    "UnknownTickerError",
    "UnusableTickerError",
    "Verdict",
    "backtest",
    "evaluate",
    "fetch",
    "load_config",
    "load_run",
    "predict",
    "prices",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "prices":  # a room of the package, which can be called
        return importlib.import_module("lstm_stock.prices")
    value = globals()[name] = getattr(importlib.import_module("lstm_stock.api"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
