"""Say that a training kept the start of the network, because no epoch was better on val."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from lstm_stock.config import Config
from lstm_stock.network.training import kept_epochs


def note_kept_starts(config: Config, history: pd.DataFrame, on_note: Callable[[str], None]) -> None:
    """Note the members whose training was of no use, and what their start forecasts.

    Args:
        config: The whole config.
        history: That of the training.
        on_note: Called with the note, if there is one.
    """
    if config.training.epochs == 0:
        return
    kept = kept_epochs(history, config.training)
    starts = [number for number, epoch in enumerate(kept, start=1) if epoch == 0]
    if not starts:
        return
    which = "the network"
    if len(kept) > 1:
        which = f"network {', '.join(map(str, starts))} of {len(kept)}"
    on_note(
        f"no epoch was better on val than the start of {which}: the start is kept, which forecasts "
        f"{_start_forecast(config)}"
    )


def _start_forecast(config: Config) -> str:
    if config.target != "log_return":
        return "the same price at every cutoff"
    if config.model.shortcut == "linear":
        return "what the regression pooled_t of its train windows does"
    if config.model.head == "point":
        return "no move"
    if config.target_scale == "trailing_vol":
        return "no move, with the EWMA volatility"
    return f"no move, with the volatility of `target_scale: {config.target_scale}`"
