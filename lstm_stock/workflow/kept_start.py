"""Say that a training kept the start of the network, because no epoch was better on val."""

from __future__ import annotations

from collections.abc import Callable

from lstm_stock.config import Config
from lstm_stock.network.training import FineTuning, TrainingResult, kept_epochs


def note_kept_starts(config: Config, fit: TrainingResult, on_note: Callable[[str], None]) -> None:
    """Note the members whose training was of no use, and what their start forecasts.

    Args:
        config: The whole config.
        fit: The training.
        on_note: Called with the note, if there is one.
    """
    if fit.fine_tuning is not None:
        on_note(_choice(config, fit.fine_tuning))
    if config.training.epochs == 0:
        return
    kept = kept_epochs(fit.history, config.training)
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


def _choice(config: Config, found: FineTuning) -> str:
    """Say whether a pretrained regression is kept as it is."""
    losses = f"NLL {found.tuned:.4f} against {found.start:.4f}"
    if found.keeps_start:
        return f"fine-tuning is no better on val ({losses}): {config.model.start} is kept as it is"
    return f"fine-tuning is better on val than {config.model.start} as it is ({losses}), and is used"


def _start_forecast(config: Config) -> str:
    if config.target == "close":
        return "the same price at every cutoff"
    if config.model.shortcut == "linear":
        return f"what the regression {config.model.start or 'pooled_t of its train windows'} does"
    if config.model.head == "point":
        return "no move"
    if config.target_scale == "trailing_vol":
        return "no move, with the EWMA volatility"
    return f"no move, with the volatility of `target_scale: {config.target_scale}`"
