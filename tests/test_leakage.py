"""Nothing may see the future: corrupt every bar after a cutoff, and no forecast made at that cutoff may move."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from lstm_stock.baselines import BASELINES, Task
from lstm_stock.config import load_config
from lstm_stock.dataset import Split, fit_ticker, windows_of
from lstm_stock.features import Bars
from lstm_stock.fitting import architecture_of
from lstm_stock.inputs import recipe_of
from lstm_stock.prices import PriceHistory, adjusted, table_hash
from lstm_stock.run import find_run
from lstm_stock.store import Store
from lstm_stock.training import fit_network, forecast_returns
from lstm_stock.workflow import predict
from tests.conftest import TINY
from tests.helpers import random_prices

CORRUPTIONS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "scaled": lambda future: future * 3.7,
    "shuffled": lambda future: future.sample(frac=1, random_state=0).set_index(future.index),
    "noise": lambda future: future * np.random.default_rng(0).uniform(0.5, 2, (len(future), 1)),
}


def corrupted(table: pd.DataFrame, after: int, how: str) -> pd.DataFrame:
    """Change every bar after row `after`; each bar keeps its own high above its own low."""
    return pd.concat([table.iloc[: after + 1], CORRUPTIONS[how](table.iloc[after + 1 :])])


def corrupt_store(trained, tmp_path, cutoff: str, how: str) -> Store:
    shutil.copytree(trained.data, tmp_path / "data")
    store = Store(tmp_path / "data")
    history = store.read("AAPL")
    row = history.table.index.get_loc(pd.Timestamp(cutoff))
    table = corrupted(history.table, row, how)
    assert table_hash(table) != table_hash(history.table)
    provenance = history.provenance.__class__(**{**vars(history.provenance), "hash": table_hash(table)})
    store.write(PriceHistory("AAPL", table, provenance))
    return store


@pytest.mark.parametrize("how", CORRUPTIONS)
@pytest.mark.parametrize("cutoff", ["2021-06-01", "2022-11-10"])
def test_a_forecast_at_a_past_cutoff_does_not_move(trained, tmp_path, cutoff, how):
    run, today = find_run(trained.runs, None), dt.date(2024, 1, 2)
    day = dt.date.fromisoformat(cutoff)
    honest = predict(run, Store(trained.data), "AAPL", day, today).table
    store = corrupt_store(trained, tmp_path, cutoff, how)
    pd.testing.assert_frame_equal(predict(run, store, "AAPL", day, today).table, honest, check_exact=True)
    next_bar = day + dt.timedelta(days=6)
    with pytest.raises(AssertionError):
        pd.testing.assert_frame_equal(
            predict(run, store, "AAPL", next_bar, today).table,
            predict(run, Store(trained.data), "AAPL", next_bar, today).table,
        )


@pytest.mark.parametrize("how", CORRUPTIONS)
def test_training_and_test_forecasts_before_the_corruption_do_not_move(how):
    """Weights, scaler, network and baseline forecasts: all trained again on prices with a corrupted end."""
    config = load_config(None, [value for value in TINY if value != "--set"])
    recipe, shape = recipe_of(config), architecture_of(config)
    prices = random_prices(500, seed=9)
    split = Split.by_share(prices.index.to_numpy().astype("datetime64[D]"), 0.2, 0.2)
    last_clean = 450

    def road(table: pd.DataFrame):
        series = fit_ticker("AAA", adjusted(table), recipe, split)
        train, val, test = (windows_of(series, recipe, split, part) for part in ("train", "val", "test"))
        fit = fit_network(shape, [train], [val], config.training, seed=3)
        before = test.cutoffs <= last_clean
        forecasts = {"lstm": forecast_returns(fit.network, shape.head, test)}
        task = Task(Bars.of(adjusted(table)), split.first_rows(series.dates)[1], test.cutoffs, recipe.horizon)
        forecasts |= {name: baseline(task) for name, baseline in BASELINES.items()}
        quantiles = {
            (name, p): forecast.quantile(p)[before]
            for name, forecast in forecasts.items()
            for p in (0.05, 0.5, 0.8)
        }
        return series.scaler.to_json(), fit.network.get_weights(), quantiles

    scaler, weights, quantiles = road(prices)
    scaler_again, weights_again, quantiles_again = road(corrupted(prices, last_clean, how))
    assert scaler_again == scaler
    for ours, theirs in zip(weights, weights_again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for key, values in quantiles.items():
        np.testing.assert_array_equal(quantiles_again[key], values, err_msg=str(key))
