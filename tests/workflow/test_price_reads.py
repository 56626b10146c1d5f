"""A command reads the file of a ticker once; `test_many_tickers.py` has the whole commands."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from lstm_stock.config import Config, load_config
from lstm_stock.dataset.build import build_dataset, refit_windows
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.workflow import backtest
from lstm_stock.workflow.leakcheck import check
from lstm_stock.workflow.parallel import Engine
from tests.conftest import TINY
from tests.helpers import count_reads, random_prices

TICKERS, SHORT = ("AAA", "BBB", "CCC"), "NEW"
SETTINGS = (*TINY[1::2], "target_scale=har_market", "data.start=null", "data.end=null")


def config_of(*tickers: str) -> Config:
    return load_config(None, [*SETTINGS, f"data.tickers=[{','.join(tickers)}]"])


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path)
    for i, ticker in enumerate((*TICKERS, SHORT)):
        table = random_prices(40 if ticker == SHORT else 420, i)
        origin = PriceProvenance(
            "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", "XNYS", table_hash(table)
        )
        store.write(PriceHistory(ticker, table, origin))
    return store


def test_all_windows_of_a_training_and_the_bars_of_its_scoring_need_one_read(store, monkeypatch):
    reads, notes = count_reads(monkeypatch), []
    config = config_of(*TICKERS, SHORT)
    dataset = build_dataset(config, PriceReader(config.data, store), notes.append)
    assert f"left out: {SHORT}" in notes[0]  # so windows are cut twice
    refit_windows(dataset.config, dataset.loader, dataset.windows.split)
    for ticker in TICKERS:
        dataset.loader.adjusted(ticker)
    assert reads == Counter((*TICKERS, SHORT))


def test_a_backtest_needs_one_read_and_its_workers_get_no_bar_after_their_fold(store, monkeypatch):
    reads, jobs = count_reads(monkeypatch), []

    def stop(_engine, _function, arguments):
        jobs.extend(arguments)
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(backtest, "run_calls", stop)
    plan = backtest.Plan(3, "expanding", Engine("loky", 1))
    with pytest.raises(KeyboardInterrupt):
        backtest.backtest(
            config_of(*TICKERS), store, store.root / "runs", plan, lambda *_: None, lambda _: None
        )
    assert reads == Counter(TICKERS)
    assert len(jobs) == 3 * (1 + len(TICKERS))
    dates = store.read("AAA").table.index
    for job in jobs:
        last = dates[dates.get_loc(pd.Timestamp(job.fold.test_end)) :][: job.config.window.horizon][-1]
        for bars in job.adjusted.values():
            assert bars.index[-1] == last


def test_a_leak_check_of_a_config_needs_one_read(store, monkeypatch):
    reads, checked = count_reads(monkeypatch), []
    monkeypatch.setattr(check, "fit", lambda _: None)
    monkeypatch.setattr(check.Reference, "of", lambda *_: None)
    monkeypatch.setattr(check, "_check", lambda histories, *_: checked.append(histories))
    check.check_config(config_of(*TICKERS), store, check.Extent(1, 0), lambda *_: None, pytest.fail)
    assert reads == Counter(TICKERS) and tuple(checked[0]) == TICKERS
