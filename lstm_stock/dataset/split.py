"""The dates where val and test start, and the folds of a walk-forward backtest; both depend on dates alone.

The test period is cut into blocks of equal length, oldest first. A fold forecasts one block and learns from
the bars before it: from all of them (`expanding`), or from as many as the first fold has (`rolling`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.config import SplitConfig
from lstm_stock.errors import DataError
from lstm_stock.prices.table import days_of

SplitName = Literal["train", "val", "test"]
Dates = NDArray[np.datetime64]


NO_TEST = np.datetime64("9999-12-31", "D")
"""A `Split.test_start` after every bar."""


@dataclass(frozen=True)
class Split:
    """First days of val and test; train is everything before val.

    A `test_start` of `NO_TEST` leaves no test period: val has all bars from `val_start` on.
    """

    val_start: np.datetime64
    test_start: np.datetime64

    @property
    def has_test(self) -> bool:
        """Whether there is a test period."""
        return bool(self.test_start != NO_TEST)

    @classmethod
    def by_share(cls, dates: Dates, val: float, test: float) -> Split:
        """Split the sorted distinct `dates` into train, then a share `val`, then a share `test`.

        Val and test of intraday bars start with a day.

        Raises:
            DataError: A part would be empty.
        """
        n = len(dates)
        test_row = first_row_of_day(dates, n - round(test * n))
        val_row = first_row_of_day(dates, test_row - round(val * n))
        if not 0 < val_row < test_row < n:
            raise DataError(
                f"{n} bars cannot be split into train, {val:g} for val and {test:g} for test",
                "fetch an earlier `start`, or enlarge the smallest part of `split`",
            )
        return cls(*dates[[val_row, test_row]].astype("datetime64[D]"))

    @property
    def without_val(self) -> Split:
        """The same test period, with everything before it as train."""
        return Split(self.test_start, self.test_start)

    def first_rows(self, dates: Dates) -> tuple[int, int]:
        """Return the first val row and the first test row among sorted `dates`."""
        return int(np.searchsorted(dates, self.val_start)), int(np.searchsorted(dates, self.test_start))


def first_row_of_day(dates: Dates, row: int) -> int:
    """Return the first row of the day of a row; `row` itself where it is after the last or before the first."""
    if not 0 <= row < len(dates):
        return row
    return int(np.searchsorted(dates, dates[row].astype("datetime64[D]")))


def split_of(config: SplitConfig, dates: Dates, has_test: bool = True) -> Split:
    """Return the dates where val and test start; they are the same for all tickers.

    Args:
        config: The `split` section.
        dates: `PriceReader.dates`.
        has_test: Whether there is a test period. Without one, val ends with the last date.

    Raises:
        DataError: A part would be empty.
    """
    val, test = config.val, config.test
    if not isinstance(val, float) or not isinstance(test, float):
        return Split(np.datetime64(str(val), "D"), np.datetime64(str(test), "D") if has_test else NO_TEST)
    if has_test:
        return Split.by_share(dates, val, test)
    n_val = len(dates) - first_row_of_day(dates, len(dates) - round(val * len(dates)))
    if not 0 < n_val < len(dates):
        raise DataError(
            f"{len(dates)} bars cannot be split into train and {val:g} for val", "fetch an earlier `start`"
        )
    return Split(dates[-n_val].astype("datetime64[D]"), NO_TEST)


WindowName = Literal["expanding", "rolling"]


@dataclass(frozen=True)
class Fold:
    """One fold: train on the bars before a block, forecast the block.

    Attributes:
        number: From 1, oldest first.
        train_start: First day of the train part.
        val_start: First day of the val part, which ends where the block starts.
        test_start: First day of the block.
        test_end: Last date of the block.
    """

    number: int
    train_start: np.datetime64
    val_start: np.datetime64
    test_start: np.datetime64
    test_end: np.datetime64

    @property
    def split(self) -> Split:
        """Where the fold's val part and its block start."""
        return Split(self.val_start, self.test_start)

    def cut(self, table: pd.DataFrame, horizon: int) -> pd.DataFrame:
        """Return the bars of one ticker from the start of train to the outcomes of the fold's last forecast.

        The last cutoff is the last bar but one of the block, so that the next fold's first cutoff follows it and
        each cutoff of the test period is forecast once. Its outcomes reach `horizon - 1` bars into the next
        block; they are scored, but not trained on.

        Args:
            table: A table indexed by date.
            horizon: Steps to forecast.
        """
        days = days_of(table)
        first = int(np.searchsorted(days, self.train_start))
        after = int(np.searchsorted(days, self.test_end, side="right"))
        return table.iloc[first : after + horizon - 1]


def plan_folds(
    dates: Dates, split: Split, n_folds: int, window: WindowName, horizon: int
) -> tuple[Fold, ...]:
    """Cut the test period of `split` into `n_folds` blocks, and plan the fold that forecasts each.

    The first fold has the dates of `split`; in later folds, val is the same share of the bars before the block.

    Args:
        dates: Every date with a bar, sorted and distinct.
        split: Where val and the test period start.
        n_folds: Number of blocks.
        window: The bars that later folds are trained on: all before the block, or as many as the first fold has.
        horizon: Steps to forecast; the least length of a block.

    Raises:
        DataError: The test period is too short, or train or val would be empty.
    """
    n = len(dates)
    val_row, test_row = split.first_rows(dates)
    n_test = n - test_row
    if n_folds < 1:
        raise DataError(f"got {n_folds} folds, expected at least 1", "choose more `--folds`")
    if n_test < n_folds * horizon:
        max_folds = n_test // horizon
        raise DataError(
            f"{n_folds} folds do not fit: the test period has {n_test} bars, {n_test / n_folds:.1f} a fold, "
            f"and `horizon` is {horizon}",
            (f"at most {max_folds} folds fit; " if max_folds else "")
            + "choose fewer `--folds`, or enlarge `split.test` or the range of `data`",
        )
    if not 0 < val_row < test_row:
        raise DataError(
            f"before the test period, which starts on {split.test_start}, there are {val_row} bars to train on "
            f"and {test_row - val_row} to validate on",
            "fetch an earlier `start`, or change `split`",
        )
    val_share = (test_row - val_row) / test_row
    ends = [first_row_of_day(dates, test_row + (i * n_test) // n_folds) for i in range(n_folds + 1)]
    folds = []
    for i, (start, end) in enumerate(pairwise(ends)):
        n_past = start if window == "expanding" else test_row
        firsts = [
            first_row_of_day(dates, row) for row in (start - n_past, start - round(val_share * n_past), start)
        ]
        train_start, val_start, test_start = dates[firsts].astype("datetime64[D]")
        folds.append(
            Fold(
                number=i + 1,
                train_start=train_start,
                val_start=val_start,
                test_start=test_start,
                test_end=dates[end - 1],
            )
        )
    return tuple(folds)
