"""The Python interface, whose names `import lstm_stock` offers: each calls the same workflow as a command.

- `bars`: `fetch`; `prices` is the room of that name, which can be called. `forecasts`: `predict`.
- `training`: `train`, `evaluate`, `backtest`, `load_run`, `load_config`.
- `results`: what these return. `arguments`: paths, dates and tickers as users give them.
- `notes`: notes go to the logger `lstm_stock`, warnings to the module `warnings`; nothing is printed.
"""

from lstm_stock.api.bars import fetch
from lstm_stock.api.forecasts import predict
from lstm_stock.api.notes import LstmStockWarning
from lstm_stock.api.results import Result, Verdict
from lstm_stock.api.training import backtest, evaluate, load_config, load_run, train
from lstm_stock.config import Config
from lstm_stock.errors import (
    BaselineError,
    ConfigError,
    DataError,
    JournalError,
    LeakError,
    LstmStockError,
    OutputError,
    RateLimitError,
    RunError,
    ShortHistoryError,
    SourceError,
    TemporaryError,
    UnknownTickerError,
    UnusableTickerError,
)

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
    "train",
]
