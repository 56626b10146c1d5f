"""A cell and a head that are registered elsewhere work everywhere a built-in one does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from keras import layers, ops

from lstm_stock.config import TrainingConfig, json_schema, load_config
from lstm_stock.config.cells import CELLS, CellSpec
from lstm_stock.config.heads import HEADS, HeadSpec
from lstm_stock.config.size import count_params
from lstm_stock.distributions import Normal
from lstm_stock.network.build import build_ensemble, build_network
from lstm_stock.network.cells.base import Cell
from lstm_stock.network.forecast import forecast_returns
from lstm_stock.network.heads import Head
from lstm_stock.network.training import fit_network
from lstm_stock.workflow.forecast import architecture_of
from tests.network.test_training import RECIPE, TEST, TRAIN, VAL, split_windows


def linear(x, spec):
    """A cell without recurrence."""
    return layers.Dense(spec.units[0], name="linear")(layers.Flatten()(x))


UNIT_NORMAL = Head(
    start=lambda _: (0.0,),
    location=0,
    loss=lambda y_true, params: ops.square(y_true[..., 0] - params[..., 0]) / 2,
    distribution=lambda params: Normal(params[..., 0], np.ones(params.shape[:-1])),
)


def count(n_inputs, units):
    return (RECIPE.look_back * n_inputs + 1) * units[0], units[0]


@pytest.fixture
def registered(monkeypatch):
    spec = CellSpec("a test", "none", "(60m + 1) n", count, linear)
    monkeypatch.setitem(CELLS, "linear", spec)
    monkeypatch.setitem(HEADS, "unit_normal", HeadSpec("a normal of variance 1", 1, UNIT_NORMAL, "a loss"))


SETTINGS = (
    "model.cell=linear",
    "model.head=unit_normal",
    "model.units=[3]",
    "model.dense=[]",
    f"features=[{', '.join(RECIPE.features)}]",
    f"window.look_back={RECIPE.look_back}",
    f"window.horizon={RECIPE.horizon}",
)


def test_a_config_accepts_the_names_and_the_schema_lists_them(registered):
    config = load_config(None, list(SETTINGS))
    assert (config.model.cell, config.model.head) == ("linear", "unit_normal")
    model = json.loads(json_schema())["$defs"]["ModelConfig"]["properties"]
    assert "linear" in model["cell"]["enum"]
    assert "unit_normal" in model["head"]["enum"]
    assert build_network(architecture_of(config)).count_params() == count_params(config)


def test_a_network_of_them_trains_and_forecasts(registered):
    spec = architecture_of(load_config(None, list(SETTINGS)))
    training = TrainingConfig(epochs=1, batch_size=64)
    fit = fit_network(spec, split_windows([TRAIN], [VAL]), training, seed=1)
    assert fit.network.get_layer("member_1").get_layer("linear").units == 3
    forecast = forecast_returns(fit.network, spec, TEST)
    width = forecast.quantile(0.975) - forecast.quantile(0.025)
    np.testing.assert_allclose(width, 2 * 1.959964 * TEST.volatility_scale, rtol=1e-5)


def test_a_cell_may_forecast_in_its_own_way(registered, monkeypatch):
    def forecast_zero(network, windows, spec):
        return np.zeros((len(windows), network.output_shape[1], spec.horizon, 1), np.float32)

    cell = Cell(build=linear, forecast=forecast_zero)
    monkeypatch.setitem(CELLS, "linear", CellSpec("a test", "none", "", count, cell, one_step=True))
    spec = architecture_of(load_config(None, list(SETTINGS)))
    network = build_ensemble([build_network(spec)])
    assert network.output_shape == (None, 1, 1, 1)
    forecast = forecast_returns(network, spec, TEST)
    np.testing.assert_array_equal(forecast.quantile(0.5), np.zeros((len(TEST), spec.horizon)))
