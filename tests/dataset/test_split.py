"""Folds: the dates of their parts, and that no fold is trained on bars of its block."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.dataset.series import WindowSpec, fit_ticker
from lstm_stock.dataset.split import Split, plan_folds
from lstm_stock.dataset.windows import windows_of
from lstm_stock.errors import DataError
from lstm_stock.prices.reader import days_of
from lstm_stock.prices.table import adjusted
from tests.helpers import random_prices

TABLE = random_prices(600, seed=4)
DATES = days_of(TABLE)
SPLIT = Split.by_share(DATES, 0.16, 0.2)
HORIZON = 4


def test_the_first_fold_is_the_split_itself_and_blocks_tile_the_test_period():
    folds = plan_folds(DATES, SPLIT, 5, "expanding", HORIZON)
    assert folds[0].split == SPLIT
    assert [fold.number for fold in folds] == [1, 2, 3, 4, 5]
    assert folds[-1].test_end == DATES[-1]
    for fold, following in pairwise(folds):
        end = int(np.searchsorted(DATES, fold.test_end))
        assert DATES[end + 1] == following.test_start
    assert {fold.train_start for fold in folds} == {DATES[0]}


def test_a_rolling_window_keeps_the_length_of_the_first_past():
    folds = plan_folds(DATES, SPLIT, 5, "rolling", HORIZON)
    rows = [np.searchsorted(DATES, (fold.train_start, fold.val_start, fold.test_start)) for fold in folds]
    assert {int(test - train) for train, _, test in rows} == {480}
    assert {int(test - val) for _, val, test in rows} == {96}


@settings(max_examples=20, deadline=None)
@given(
    n_folds=st.integers(1, 12),
    horizon=st.integers(1, 8),
    window=st.sampled_from(["expanding", "rolling"]),
)
def test_no_outcome_of_a_part_lies_in_the_next(n_folds, horizon, window):
    spec = WindowSpec(("log_return",), "log_return", "trailing_vol", 5, horizon, "minmax")
    cutoffs = []
    for fold in plan_folds(DATES, SPLIT, n_folds, window, horizon):
        bars = adjusted(fold.cut(TABLE, horizon))
        series = fit_ticker("AAA", bars, spec, fold.split)
        train, val, test = (windows_of(series, spec, fold.split, part) for part in ("train", "val", "test"))
        assert series.dates[train.future_rows].max() < fold.val_start
        assert series.dates[val.future_rows].max() < fold.test_start
        assert series.dates[test.cutoffs].min() == series.dates[series.dates < fold.test_start].max()
        assert series.dates[0] == fold.train_start
        cutoffs += series.dates[test.cutoffs].tolist()
    whole = fit_ticker("AAA", adjusted(TABLE), spec, SPLIT)
    all_windows = windows_of(whole, spec, SPLIT, "test")
    assert cutoffs == whole.dates[all_windows.cutoffs].tolist(), (
        "each cutoff of the test period is forecast once"
    )


@pytest.mark.parametrize(
    ("n_folds", "horizon", "message", "hint"),
    [
        (0, 4, "got 0 folds", "--folds"),
        (
            31,
            4,
            "31 folds do not fit: the test period has 120 bars, 3.9 a fold, and `horizon` is 4",
            "30 folds",
        ),
        (1, 200, "1 folds do not fit: the test period has 120 bars", "enlarge `split.test`"),
    ],
)
def test_folds_that_do_not_fit_are_errors(n_folds, horizon, message, hint):
    with pytest.raises(DataError) as raised:
        plan_folds(DATES, SPLIT, n_folds, "expanding", horizon)
    assert message in raised.value.message
    assert hint in raised.value.hint


def test_a_fold_without_val_is_an_error():
    split = Split(DATES[300], DATES[300])
    with pytest.raises(DataError, match="300 bars to train on and 0 to validate on"):
        plan_folds(DATES, split, 2, "expanding", HORIZON)
