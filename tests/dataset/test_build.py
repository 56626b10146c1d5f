"""The dataset of a config: a ticker's file is read once, unusable tickers are left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config import DataConfig, load_config
from lstm_stock.dataset.build import build_dataset
from lstm_stock.errors import UnusableTickerError
from lstm_stock.prices.reader import PriceReader, Snapshot
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.workflow.backtest import Plan, plan_backtest
from lstm_stock.workflow.parallel import Engine
from lstm_stock.workflow.train_each import TrainJob, train_one
from tests.helpers import random_prices

DATA = DataConfig(tickers=("AAA",), start=None, end=None)
SETTINGS = ["window.look_back=10", "data.start=null", "data.end=null", "split.val=0.2", "split.test=0.2"]


def write(store: Store, table: pd.DataFrame, ticker: str = "AAA") -> None:
    origin = PriceProvenance("csv", "2020-01-01T00:00:00+00:00", None, None, None, None, table_hash(table))
    store.write(PriceHistory(ticker, table, origin))


def test_prices_that_change_during_a_training_are_not_read_again(tmp_path):
    store, table = Store(tmp_path), random_prices(120)
    write(store, table.iloc[:100])
    reader = PriceReader(DATA, store)
    before = reader.table("AAA")
    changed = table.assign(close=table["close"] * 1.0001)
    write(store, changed)
    pd.testing.assert_frame_equal(reader.table("AAA"), table.iloc[:100], check_freq=False)
    assert reader.table("AAA") is before and reader.origins["AAA"].hash == table_hash(before)
    pd.testing.assert_frame_equal(PriceReader(DATA, store).table("AAA"), changed, check_freq=False)


def test_of_a_longer_history_a_reader_keeps_the_bars_in_range_alone(tmp_path):
    store, table = Store(tmp_path), random_prices(120)
    write(store, table.assign(adj_close=table["close"] * np.linspace(0.8, 1, 120)))
    data = DATA.model_copy(update={"start": table.index[20].date(), "end": table.index[-11].date()})
    history, kept = store.read("AAA"), Snapshot(store)
    reader = PriceReader(data, kept)
    cut = reader.table("AAA")
    pd.testing.assert_frame_equal(cut, history.table.iloc[20:-10])
    assert not np.shares_memory(cut.to_numpy(), kept.read("AAA").table.to_numpy())
    origin = reader.origins["AAA"]
    assert origin.hash == table_hash(cut) != history.provenance.hash
    assert origin.first_close == cut["adj_close"].iloc[0] and origin.n_bars == 90
    whole = PriceReader(DATA, kept)
    assert np.shares_memory(whole.table("AAA").to_numpy(), kept.read("AAA").table.to_numpy())
    assert whole.origins["AAA"].hash == table_hash(history.table)


def without_open(table: pd.DataFrame, row: int) -> pd.DataFrame:
    changed = table.copy()
    changed.iloc[row, changed.columns.get_loc("open")] = 0.0
    return changed


def constant_close(table: pd.DataFrame) -> pd.DataFrame:
    """The close never changes on the train bars."""
    changed = table.copy()
    changed.iloc[:250, :6] = 7.0
    return changed


UNUSABLE = {
    "open of 0": (
        lambda table: without_open(table, 300),
        "the features of BBB cannot be computed on the bar of 2016-02-25, ",
    ),
    "no movement": (constant_close, "the close of BBB never changes on its 2"),
}


@pytest.fixture(params=UNUSABLE)
def unusable(request, tmp_path):
    """A store of three tickers, of which BBB is unusable, and the start of its error."""
    change, message = UNUSABLE[request.param]
    store = Store(tmp_path)
    for seed, ticker in enumerate(("AAA", "BBB", "CCC")):
        table = random_prices(400, seed)
        write(store, change(table) if ticker == "BBB" else table, ticker)
    return store, message


@pytest.mark.parametrize("scale", ["trailing_vol", "har_market"])
def test_of_several_tickers_one_that_is_unusable_is_left_out_by_name(unusable, scale):
    store, message = unusable
    notes: list[str] = []
    config = load_config(None, [*SETTINGS, "data.tickers=[AAA,BBB,CCC]", f"target_scale={scale}"])
    dataset = build_dataset(config, PriceReader(config.data, store), notes.append)
    assert dataset.config.data.tickers == ("AAA", "CCC")
    left_out = [note for note in notes if note.startswith("left out: BBB (BBB: ")]
    assert len(left_out) == 1 and message in left_out[0]
    alone = load_config(None, [*SETTINGS, "data.tickers=[AAA,CCC]", f"target_scale={scale}"])
    expected = build_dataset(alone, PriceReader(alone.data, store), lambda _: None)
    for with_bbb, without in zip(dataset.windows.train, expected.windows.train, strict=True):
        assert (with_bbb.inputs == without.inputs).all() and (with_bbb.targets == without.targets).all()


def test_a_backtest_leaves_an_unusable_ticker_out_of_all_folds(unusable):
    store, message = unusable
    notes: list[str] = []
    config = load_config(None, [*SETTINGS, "data.tickers=[AAA,BBB,CCC]"])
    plan = Plan(2, "expanding", Engine("loky", 1))
    config, folds = plan_backtest(config, PriceReader(config.data, store), plan, notes.append)
    assert config.data.tickers == ("AAA", "CCC") and len(folds) == 2
    assert message in notes[0]


def test_a_single_ticker_that_is_unusable_is_an_error(unusable, tmp_path):
    store, message = unusable
    config = load_config(None, [*SETTINGS, "data.tickers=[BBB]"])
    with pytest.raises(UnusableTickerError, match=message):
        build_dataset(config, PriceReader(config.data, store), pytest.fail)
    outcome = train_one(TrainJob(config, store.root, tmp_path / "runs", resume=False))  # of `train --each`
    assert outcome.path is None and message in outcome.failure


def test_the_hint_names_a_start_for_one_ticker_alone(tmp_path):
    store = Store(tmp_path)
    for seed, ticker in enumerate(("AAA", "BBB")):
        write(store, without_open(random_prices(400, seed), 300), ticker)
    config = load_config(None, [*SETTINGS, "data.tickers=[AAA,BBB]"])
    with pytest.raises(UnusableTickerError) as raised:
        build_dataset(config, PriceReader(config.data, store), lambda _: None)
    assert raised.value.hint.startswith(
        "train AAA alone with `data.start` after 2016-02-25, or leave `open_gap`"
    )
