"""An evaluation of a saved run: its results, and the folder that they may be written to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lstm_stock.atomic import write_dir_atomically
from lstm_stock.errors import ConfigError
from lstm_stock.runs.files import records
from lstm_stock.runs.folder import Kind, cannot_save, require_writable
from lstm_stock.scoring.summary import against_followers, coverage_by_step


@dataclass(frozen=True)
class Evaluation:
    """The scores of a saved run on a period, with its weights frozen.

    Attributes:
        run: Name of the run.
        model: Name of the network in the score table.
        trained_before: First date (ISO) after the prices that the network learned from.
        start: First date (ISO) of the period.
        end: Date (ISO) of the last outcome.
        in_sample: Whether the network learned from prices of the period.
        unseen: The tickers that it was not trained on.
        left_out: The reason for each ticker without scores.
        scores: The score table, columns `lstm_stock.scoring.scores.SCORE_COLUMNS`.
        verdict: `lstm_stock.scoring.verdict.judge` of the forecasts.
    """

    run: str
    model: str
    trained_before: str
    start: str
    end: str
    in_sample: bool
    unseen: tuple[str, ...]
    left_out: dict[str, str]
    scores: pd.DataFrame
    verdict: dict[str, Any]

    @property
    def tickers(self) -> tuple[str, ...]:
        """The scored tickers."""
        return tuple(self.scores["ticker"].unique())

    def to_json(self) -> dict[str, Any]:
        """Return plain values; `scores` and `verdict` are those of a run's `scores.json`."""
        return {
            "run": self.run,
            "trained_before": self.trained_before,
            "start": self.start,
            "end": self.end,
            "in_sample": self.in_sample,
            "unseen": list(self.unseen),
            "left_out": self.left_out,
            "comparisons": records(against_followers(self.scores, self.verdict, self.model)),
            "coverage": records(coverage_by_step(self.scores, self.model)),
            "scores": records(self.scores),
            "verdict": self.verdict,
        }


def require_new(folder: Path, kind: Kind = "evaluation") -> None:
    """Check that a folder can be made, before minutes are spent on what it will hold.

    Raises:
        ConfigError: There is something of that name.
        RunError: Nothing can be written there.
    """
    if os.path.lexists(folder):
        raise ConfigError(
            f"{folder} exists already", "choose another folder with `--output`, or delete it first"
        )
    require_writable(folder.parent, kind)


def save_evaluation(folder: Path, write: Callable[[Path], None]) -> Path:
    """Make the folder of an evaluation, whole or not at all.

    Args:
        folder: The folder; if there is one of that name by now, a number is appended.
        write: Puts the files into the folder that it is called with.

    Returns:
        Its path.

    Raises:
        RunError: The disk refuses.
    """
    try:
        return write_dir_atomically(folder.parent, folder.name, write)
    except OSError as error:
        raise cannot_save(folder.parent, error, "evaluation") from error
