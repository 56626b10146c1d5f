"""One registry entry is all that a new cell, head, feature, target scale, source or baseline takes."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest

from lstm_stock.baselines import BASELINES, BaselineSpec
from lstm_stock.config import json_schema, load_config
from lstm_stock.config.cells import CELLS, CellSpec
from lstm_stock.config.features import FEATURES, FeatureSpec
from lstm_stock.config.heads import HEADS, HeadSpec
from lstm_stock.config.scales import SCALES, ScaleSpec
from lstm_stock.dataset.scale import UnfittedScale
from lstm_stock.distributions import Normal
from lstm_stock.network.heads import Head
from lstm_stock.prices.sources import SOURCES, Fetched, SourceSpec
from tests.conftest import TINY
from tests.helpers import random_prices


class MeanCell:
    """The mean of each feature over the window, and one dense layer."""

    def __call__(self, x, spec):
        from keras import layers

        return layers.Dense(spec.units[-1], name="mean_dense")(layers.GlobalAveragePooling1D()(x))


class UnitNormal:
    """A normal distribution with a learnt location and the standard deviation 1."""

    def loss(self, y_true, params):
        from keras import ops

        return ops.square(y_true[..., 0] - params[..., 0]) / 2

    def distribution(self, params):
        return Normal(params[..., 0], np.ones(params.shape[:-1]))


class BodyFeature:
    """`log(close_t / open_t)`."""

    def __call__(self, bars):
        return np.log(bars.close / bars.open)


class DoubleVolatility(UnfittedScale):
    """Twice the trailing volatility."""

    def volatility(self, bars):
        return 2 * bars.volatility


class RandomSource:
    """Prices of a random walk."""

    calls: ClassVar[list[str]] = []

    def __call__(self, ticker, options):
        self.calls.append(ticker)
        return Fetched(random_prices(900, start="2012-01-02"), "USD", "XNYS")


class FixedNormal:
    """A normal distribution with a fixed standard deviation of 2 % for every step."""

    def __call__(self, task):
        shape = (len(task.cutoffs), task.horizon)
        return Normal(np.zeros(shape), np.full(shape, 0.02))


@pytest.fixture
def registered(monkeypatch):
    """Register one of each kind."""
    cell = CellSpec(
        "a test", "nobody", "(m + 1) n", lambda m, units: ((m + 1) * units[-1], units[-1]), MeanCell(), ()
    )
    monkeypatch.setitem(CELLS, "mean", cell)
    head = UnitNormal()
    spec = HeadSpec("a test", 1, Head(lambda _: (0.0,), 0, head.loss, head.distribution), "a loss")
    monkeypatch.setitem(HEADS, "unit_normal", spec)
    monkeypatch.setitem(FEATURES, "body", FeatureSpec("a test", "return", BodyFeature()))
    monkeypatch.setitem(SCALES, "double", ScaleSpec("a test", DoubleVolatility))
    monkeypatch.setitem(SOURCES, "random", SourceSpec("a test", RandomSource()))
    monkeypatch.setitem(BASELINES, "fixed", BaselineSpec(FixedNormal()))


MINE = (
    *("--set", "model.cell=mean", "--set", "model.head=unit_normal", "--set", "features=[body, log_range]"),
    *("--set", "target_scale=double", "--set", "data.tickers=[RANDOM]"),
)


def test_the_config_and_its_schema_know_new_names(registered):
    config = load_config(None, [text for text in MINE if text != "--set"])
    assert (config.model.cell, config.model.head, config.target_scale) == ("mean", "unit_normal", "double")
    text = json_schema()
    assert all(f'"{name}"' in text for name in ("mean", "unit_normal", "double", "body"))


def test_a_run_is_trained_with_one_new_entry_of_each_kind(registered, cli, tmp_path):
    folders = ("--data-dir", tmp_path / "data", "--runs-dir", tmp_path / "runs")
    fetched = cli("fetch", "RANDOM", "--source", "random", "--data-dir", tmp_path / "data")
    assert fetched.code == 0, fetched.err
    assert RandomSource.calls == ["RANDOM"]
    trained = cli("train", *TINY, *MINE, *folders)
    assert trained.code == 0, trained.err
    (run,) = (tmp_path / "runs").glob("*-mean")
    models = {row["model"] for row in json.loads((run / "scores.json").read_text())["scores"]}
    assert {"mean", "fixed"} <= models
    forecast = cli("predict", "--format", "json", *folders)
    assert forecast.code == 0, forecast.err
    assert "mean" in cli("models", *MINE).out
