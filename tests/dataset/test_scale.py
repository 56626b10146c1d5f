"""Target scales: the volatility of each, and a scale that only this test registers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from lstm_stock.config import json_schema, load_config
from lstm_stock.config.scales import SCALES, ScaleSpec
from lstm_stock.dataset.build import windows_by_split
from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.har import OWN, HarModel, Regressors
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.scale import Scale, scale_class
from lstm_stock.dataset.series import FittedTicker, apply_ticker, window_spec
from lstm_stock.dataset.split import Split
from lstm_stock.errors import ConfigError
from lstm_stock.prices.table import adjusted, days_of
from tests.helpers import random_bars, random_prices

N_TRAIN = 300
BARS = replace(random_bars(400, seed=1), market=np.random.default_rng(0).normal(size=400))


def test_each_scale_has_its_volatility():
    def volatility(name):
        return scale_class(name).fit(BARS, N_TRAIN).volatility(BARS)

    assert volatility("trailing_vol") is BARS.volatility
    assert volatility("trailing_range") is BARS.range_volatility
    assert volatility("none") is None
    for name, regressors in (
        ("har", OWN),
        ("lhar", Regressors(leverage=True)),
        ("har_market", Regressors(market=True)),
    ):
        model = HarModel.fit(BARS, N_TRAIN, regressors=regressors)
        np.testing.assert_array_equal(volatility(name), model.volatility(BARS))


@pytest.mark.parametrize("name", list(SCALES))
def test_a_scale_is_fitted_on_train_bars_and_survives_json(name):
    scale = scale_class(name).fit(BARS, N_TRAIN)
    volatility = scale.volatility(BARS)
    loaded = scale_class(name).from_json(json.loads(json.dumps(scale.to_json())))
    np.testing.assert_array_equal(loaded.volatility(BARS), volatility)
    table = random_prices(400, seed=1)
    table.iloc[N_TRAIN:, :5] *= 3
    changed = replace(Bars.of(adjusted(table)), market=BARS.market)
    assert scale_class(name).fit(changed, N_TRAIN).to_json() == scale.to_json()
    if volatility is not None:
        np.testing.assert_array_equal(scale.volatility(changed)[:N_TRAIN], volatility[:N_TRAIN])


def test_a_saved_run_without_the_fitted_numbers_of_its_scale_is_refused():
    with pytest.raises(TypeError, match="no HAR model"):
        scale_class("har").from_json(None)


@dataclass(frozen=True)
class TrainDeviation(Scale):
    """The standard deviation of the train returns, at every bar."""

    deviation: float

    @classmethod
    def fit(cls, bars, n_train):
        return cls(float(np.std(np.diff(np.log(bars.close[:n_train])))))

    def volatility(self, bars):
        return np.full(len(bars.close), self.deviation)

    def to_json(self):
        return {"deviation": self.deviation}

    @classmethod
    def from_json(cls, data):
        return cls(data["deviation"])


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(SCALES, "train_deviation", ScaleSpec("a test", TrainDeviation))
    return "train_deviation"


def test_a_scale_that_is_registered_is_allowed_fitted_saved_and_applied(registered):
    config = load_config(None, [f"target_scale={registered}", "window.look_back=10"])
    assert f'"{registered}"' in json_schema()
    table = adjusted(random_prices(400, seed=2))
    split = Split.by_share(days_of(table), 0.2, 0.2)
    windows = windows_by_split(["AAA"], BarLoader(lambda _: table), window_spec(config), split)
    (series,) = windows.series
    deviation = np.std(np.diff(np.log(table["close"].to_numpy()[:240])))
    np.testing.assert_allclose(series.volatility_scale, deviation, rtol=1e-6)
    (train,) = windows.train
    np.testing.assert_allclose(
        train.targets,
        train.returns / (deviation * np.sqrt(np.arange(1, 1 + config.window.horizon))),
        rtol=1e-5,
    )
    saved = json.loads(json.dumps(series.fitted.to_json()))
    assert saved["har"] == {"deviation": series.fitted.scale.deviation}
    loaded = apply_ticker("AAA", table, window_spec(config), FittedTicker.from_json(saved, registered))
    np.testing.assert_array_equal(loaded.inputs, series.inputs)
    np.testing.assert_array_equal(loaded.fitted.numbers(), series.fitted.numbers())


def test_a_scale_that_is_not_registered_is_refused():
    with pytest.raises(ConfigError, match="target_scale"):
        load_config(None, ["target_scale=train_deviation"])


def test_every_scale_that_needs_the_market_names_one_that_does_not():
    for spec in SCALES.values():
        assert not SCALES[spec.alternative].needs_market
