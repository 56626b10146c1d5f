"""Which interval a training has, and what it rules out; a weekly ticker from the store to its forecast."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config import load_config
from lstm_stock.errors import ConfigError, DataError
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.workflow.interval import require_daily, settle_interval
from tests.helpers import random_prices


def stored(store: Store, ticker: str, interval: str, freq: str, n: int = 60) -> Store:
    table = random_prices(n, volatility=0.02)
    table.index = pd.date_range("2015-01-02", periods=n, freq=freq, unit="s", name="date")
    origin = PriceProvenance("csv", "2024-01-02T00:00:00+00:00", None, None, None, None, table_hash(table))
    store.write(PriceHistory(ticker, table, PriceProvenance(**{**origin.__dict__, "interval": interval})))
    return store


@pytest.fixture
def store(tmp_path) -> Store:
    found = Store(tmp_path)
    stored(found, "DAY", "1d", "B")
    stored(found, "BOTH", "1d", "B")
    stored(found, "BOTH", "1wk", "W-FRI")
    return stored(found, "WEEK", "1wk", "W-FRI")


def config_of(*changes: str):
    return load_config(None, ["data.start=null", "data.end=null", *changes])


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (["data.tickers=[DAY, BOTH]"], "1d"),
        (["data.tickers=[WEEK]"], "1wk"),
        (["data.tickers=[WEEK, BOTH]", "data.interval=1wk"], "1wk"),
    ],
)
def test_the_interval_is_that_of_the_config_or_of_the_store(store, changes, name):
    config, bound = settle_interval(config_of(*changes), store)
    assert config.data.interval == bound.interval == name
    assert {bound.read(ticker).interval.name for ticker in config.data.tickers} == {name}


def test_tickers_of_different_intervals_are_refused(store):
    with pytest.raises(ConfigError, match="different intervals") as error:
        settle_interval(config_of("data.tickers=[WEEK, DAY]"), store)
    assert "data.interval=1wk" in error.value.hint


def test_settings_that_need_daily_bars_are_refused_with_others(store):
    for change, message in (
        ("features=[log_return, seasonal_vol_13w]", "seasonal_vol_13w"),
        ("data.covariates=[BOTH]", "data.covariates"),
    ):
        features = ["features=[log_return, BOTH.log_close]"] if "covariates" in change else []
        config = config_of("data.tickers=[WEEK]", "data.interval=1wk", change, *features)
        with pytest.raises(ConfigError, match=message):
            settle_interval(config, store)


def test_pretrained_networks_refuse_other_bars(store):
    require_daily(store, ["DAY", "BOTH"])
    with pytest.raises(DataError, match="the store has weekly bars of WEEK") as error:
        require_daily(store, ["WEEK"])
    assert "--set data.tickers=WEEK" in error.value.hint


def test_a_split_of_intraday_bars_starts_with_a_day():
    from lstm_stock.dataset.split import Split, plan_folds

    days = np.arange("2024-01-01", "2024-02-10", dtype="datetime64[D]")
    times = np.concatenate([day + np.arange(9, 16) * np.timedelta64(3600, "s") for day in days])
    split = Split.by_share(times, 0.2, 0.3)
    assert (split.val_start, split.test_start) == (days[20], days[28])
    folds = plan_folds(times, split, 3, "expanding", 5)
    assert [fold.test_start.astype("datetime64[D]") for fold in folds] == [fold.test_start for fold in folds]
    assert [fold.test_end + np.timedelta64(18, "h") for fold in folds[:-1]] == [
        fold.test_start + np.timedelta64(9, "h") for fold in folds[1:]
    ]


def test_a_weekly_ticker_is_forecast_by_its_weeks(tmp_path, networks_traced_once):
    from lstm_stock.workflow.predict import predict
    from lstm_stock.workflow.run_bars import RunBars
    from lstm_stock.workflow.train import Reports, train

    store = stored(Store(tmp_path), "WEEK", "1wk", "W-FRI", 300)
    config = config_of(
        *("data.tickers=[WEEK]", "model.units=[4]", "model.dense=[4]", "window.look_back=10"),
        *("window.horizon=3", "training.epochs=1", "training.batch_size=256"),
    )
    run = train(config, store, tmp_path / "runs", Reports.only_notes(lambda _: None))
    assert run.config.data.interval == "1wk"
    found = predict(RunBars(run, store.at("1wk"), None), "WEEK", dt.date(2020, 10, 5))
    last = store.read("WEEK").table.index[-1]
    assert list(found.table["date"]) == [last + pd.Timedelta(days=7 * k) for k in (1, 2, 3)]
    assert not any("skip weekends" in text for text in found.warnings)
