"""What a training reads from the store stays what it was when the training began."""

from __future__ import annotations

import pandas as pd
import pytest

from lstm_stock.config import DataConfig
from lstm_stock.errors import DataError
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from tests.helpers import random_prices

DATA = DataConfig(tickers=("AAA",), start=None, end=None)


def write(store: Store, table: pd.DataFrame) -> None:
    origin = PriceProvenance("csv", "2020-01-01T00:00:00+00:00", None, None, None, None, table_hash(table))
    store.write(PriceHistory("AAA", table, origin))


def test_bars_fetched_during_a_training_are_for_the_next_one(tmp_path):
    store, table = Store(tmp_path), random_prices(120)
    write(store, table.iloc[:100])
    reader = PriceReader(DATA, store)
    before = reader.table("AAA")
    write(store, table)
    pd.testing.assert_frame_equal(reader.table("AAA"), before, check_freq=False)
    assert len(PriceReader(DATA, store).table("AAA")) == 120


def test_a_past_that_has_changed_ends_the_training(tmp_path):
    store, table = Store(tmp_path), random_prices(120)
    write(store, table)
    reader = PriceReader(DATA, store)
    reader.table("AAA")
    write(store, table.assign(close=table["close"] * 1.0001))
    with pytest.raises(DataError, match="the stored prices of AAA changed while they were in use"):
        reader.table("AAA")
