"""Corruptions: they change every bar after the cutoff, none before, and leave a valid price table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.prices.table import PRICES, validate
from lstm_stock.workflow.leakcheck.corruption import CORRUPTIONS, corrupt
from tests.helpers import random_prices

TABLE = random_prices(120, seed=2)
CUTOFF = TABLE.index[79].to_datetime64().astype("datetime64[D]")


@pytest.mark.parametrize("how", CORRUPTIONS)
def test_every_bar_after_the_cutoff_changes_and_none_before(how):
    corrupted = corrupt(TABLE, CUTOFF, how)
    validate(corrupted, "AAA")
    pd.testing.assert_frame_equal(corrupted.iloc[:80], TABLE.iloc[:80], check_exact=True)
    after, before = corrupted.iloc[80:], TABLE.iloc[80:]
    assert after.index.equals(before.index)
    changed = (after != before).to_numpy()
    assert changed[:, list(TABLE).index("volume")].all()
    if how != "volume":
        assert changed[:, [list(TABLE).index(name) for name in PRICES]].all()


@pytest.mark.parametrize("how", CORRUPTIONS)
def test_a_ticker_without_volume_changes_as_well(how):
    table = TABLE.assign(volume=0.0)
    corrupted = corrupt(table, CUTOFF, how)
    assert (corrupted.iloc[80:] != table.iloc[80:]).any(axis=1).all()


def test_the_same_seed_spoils_alike():
    one, two, other = (corrupt(TABLE, CUTOFF, "noise", seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert not np.array_equal(one.to_numpy(), other.to_numpy())


def test_two_bars_are_exchanged_and_one_alone_cannot_be():
    last = TABLE.index[-3].to_datetime64().astype("datetime64[D]")
    corrupted = corrupt(TABLE, last, "shuffle")
    np.testing.assert_array_equal(corrupted.iloc[-2:].to_numpy(), TABLE.iloc[[-1, -2]].to_numpy())
