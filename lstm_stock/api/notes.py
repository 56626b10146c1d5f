"""Where the sentences of a workflow go: nothing is printed."""

from __future__ import annotations

import logging
import sys
import warnings

_logger = logging.getLogger("lstm_stock")


class LstmStockWarning(UserWarning):
    """What limits a forecast or a score, such as old prices or days that the network was trained on."""


def note(text: str) -> None:
    """Log what was done, at the level INFO of the logger `lstm_stock`."""
    _logger.info(text)


def warn(text: str) -> None:
    """Issue a `LstmStockWarning` that names the user's line, the first one outside of this package."""
    level = 1
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("lstm_stock."):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, LstmStockWarning, stacklevel=level)
