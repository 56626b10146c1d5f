"""What `train`, `load_run`, `evaluate` and `backtest` return: forecasts, scores and verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_stock.config import Config

if TYPE_CHECKING:
    import pandas as pd

FIRST_COLUMNS = ("ticker", "cutoff", "step", "date", "model", "y_true", "y_pred")
"""The columns before the intervals in every table of forecasts."""


class Verdict(dict[str, Any]):
    """What the tests say, as plain values: one entry for each question, with `verdict`, `sentence` and p-values.

    `print(verdict)` shows the sentences, as the command line does.
    """

    def __str__(self) -> str:
        from lstm_stock.report.text import verdict_text

        return verdict_text(self)


@dataclass(frozen=True)
class Result:
    """Forecasts of a period with their outcomes, beside those of every baseline, scores and verdict.

    The tables are read when they are first used; RunError if a file cannot be read.

    Attributes:
        name: Name of the run or backtest.
        path: Its folder; None of an evaluation.
        config: All settings of the network.
        model: The network's name in the column `model`.
    """

    name: str
    path: Path | None
    config: Config = field(repr=False)
    model: str
    _forecasts: Callable[[], pd.DataFrame] = field(repr=False)
    _scores: Callable[[], pd.DataFrame] = field(repr=False)
    _verdict: Callable[[], dict[str, Any]] = field(repr=False)

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """All forecasts of the test period, one row for each ticker, cutoff, step and model.

        Columns `ticker cutoff step date model y_true y_pred lo_50 hi_50 ... hi_95`: prices adjusted for splits and
        dividends, in the currency of the ticker; `y_pred` is the median. Then `last_close`, the scores `crps` and
        `nll` of the log return in percent, `pit`, and others; `docs/python.md` lists them. A backtest has `fold`.
        """
        return long_form(self._forecasts())

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The scores of each ticker, model and step, columns `lstm_stock.scoring.scores.SCORE_COLUMNS`.

        `rmse_percent`, `skill` (by how much it is below that of `naive`), `direction`, `coverage_*` and `width_90`
        are in percent; `crps` and `nll` are of the log return in percent.
        """
        return self._scores()

    @cached_property
    def verdict(self) -> Verdict:
        """What the tests say about the scores; `print` shows the sentences."""
        return Verdict(self._verdict())


def long_form(table: pd.DataFrame) -> pd.DataFrame:
    """Return a forecast table with `FIRST_COLUMNS` and the intervals before its other columns."""
    from lstm_stock.scoring.forecast_table import INTERVAL_COLUMNS

    first = [*FIRST_COLUMNS, *INTERVAL_COLUMNS]
    return table[first + [name for name in table if name not in first]]
