"""Nothing may see the future: corrupt every bar after a cutoff, and no forecast made at that cutoff may change."""

from __future__ import annotations

import datetime as dt
import shutil

import numpy as np
import pandas as pd
import pytest

from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, table_hash
from lstm_stock.runs.catalog import find_run
from lstm_stock.workflow.leakcheck.corruption import corrupt
from lstm_stock.workflow.predict import predict
from lstm_stock.workflow.run_bars import RunBars


def corrupt_store(trained, tmp_path, cutoff: str, how: str) -> Store:
    shutil.copytree(trained.data, tmp_path / "data")
    store = Store(tmp_path / "data")
    history = store.read("AAPL")
    table = corrupt(history.table, np.datetime64(cutoff), how)
    assert table_hash(table) != table_hash(history.table)
    provenance = history.provenance.__class__(**{**vars(history.provenance), "hash": table_hash(table)})
    store.write(PriceHistory("AAPL", table, provenance))
    return store


@pytest.mark.parametrize(("cutoff", "how"), [("2021-06-01", "scale"), ("2022-11-10", "noise")])
def test_a_forecast_at_a_past_cutoff_does_not_change(trained, tmp_path, cutoff, how):
    run, today = find_run(trained.runs, None), dt.date(2024, 1, 2)
    day = dt.date.fromisoformat(cutoff)
    expected = predict(RunBars(run, Store(trained.data), day), "AAPL", today).table
    store = corrupt_store(trained, tmp_path, cutoff, how)
    pd.testing.assert_frame_equal(
        predict(RunBars(run, store, day), "AAPL", today).table, expected, check_exact=True
    )
    next_bar = day + dt.timedelta(days=6)
    with pytest.raises(AssertionError):
        pd.testing.assert_frame_equal(
            predict(RunBars(run, store, next_bar), "AAPL", today).table,
            predict(RunBars(run, Store(trained.data), next_bar), "AAPL", today).table,
        )
