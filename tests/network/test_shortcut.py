"""A network that starts from the regression over all tickers."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from lstm_stock.config import TrainingConfig, load_config
from lstm_stock.config.cells import CELLS
from lstm_stock.config.size import count_params
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.network.build import build_ensemble, build_network, set_shortcut
from lstm_stock.network.compiled import compiled_network
from lstm_stock.network.forecast import forecast_returns
from lstm_stock.network.training import fit_network, refit_network
from lstm_stock.workflow.forecast import architecture_of
from tests.network.test_training import TEST, TINY, TRAIN, VAL, parts_of, split_windows

OTHER = parts_of(seed=1)[0]
REGRESSION = PooledT.fit([TRAIN, OTHER])
SHORTCUT = replace(TINY, head="drift_t", shortcut=True)


def assert_forecasts_as(network: keras.Model, regression: PooledT) -> None:
    """Compare all parameters of the forecasts, relative to 1e-5."""
    found, expected = forecast_returns(network, SHORTCUT, TEST), regression.forecast(TEST)
    for name in ("loc", "scale", "df"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-5)
    assert np.ptp(expected.scale / TEST.volatility_scale, axis=0).min() > 0.005  # it follows the features


def regression_loss() -> float:
    """That of the regression on val, in units of the target scale, with weights 1 and 1/2 of the steps."""
    forecast = REGRESSION.forecast(VAL).rescale(1 / VAL.volatility_scale)
    by_step = forecast.log_score(VAL.returns / VAL.volatility_scale).mean(axis=0)
    return np.average(by_step, weights=[1, 1 / 2])


def test_a_new_network_forecasts_what_the_regression_does_also_when_saved(tmp_path):
    network = build_network(SHORTCUT)
    set_shortcut(network, REGRESSION)
    joined = build_ensemble([network])
    assert_forecasts_as(joined, REGRESSION)
    joined.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False, safe_mode=True)
    assert_forecasts_as(loaded, REGRESSION)


@pytest.mark.parametrize("cell", [name for name, spec in CELLS.items() if spec.head is None])
def test_every_cell_can_have_the_shortcut(cell):
    network = build_network(replace(SHORTCUT, cell=cell))
    set_shortcut(network, REGRESSION)
    params = REGRESSION.params(TEST.inputs[:3, -1].astype(np.float64))
    np.testing.assert_allclose(network(TEST.inputs[:3]), params, rtol=1e-5, atol=1e-6)


def test_in_mixed_precision_the_shortcut_computes_in_float32():
    network = compiled_network(SHORTCUT, TrainingConfig(precision="mixed_bfloat16"), seed=1, n_windows=1)
    set_shortcut(network, REGRESSION)
    params = REGRESSION.params(TEST.inputs[:20, -1].astype(np.float64))
    np.testing.assert_allclose(network(TEST.inputs[:20]), params, rtol=1e-5, atol=1e-6)


def test_a_training_starts_at_the_regression_and_moves_cell_and_shortcut():
    settings = TrainingConfig(epochs=1, batch_size=64, early_stopping=None, ema_momentum=0)
    fit = fit_network(SHORTCUT, split_windows([TRAIN, OTHER], [VAL]), settings, seed=5)
    assert fit.history["epoch"].tolist() == [0, 1]
    assert fit.history["val_loss"][0] == pytest.approx(regression_loss(), abs=1e-5)
    assert fit.history["val_loss"][1] != pytest.approx(regression_loss(), abs=1e-5)
    member = fit.network.get_layer("member_1")
    kernel, _ = member.get_layer("shortcut").get_weights()
    assert (member.get_layer("head").get_weights()[0] != 0).all()
    assert 0 < np.abs(kernel - REGRESSION.slopes.reshape(kernel.shape)).max() < 0.1


def test_without_epochs_the_network_is_the_regression_and_a_refit_that_of_more_windows():
    none = TrainingConfig(epochs=0, members=2)
    first = fit_network(SHORTCUT, split_windows([TRAIN, OTHER], [VAL]), none, seed=5)
    assert first.history["epoch"].tolist() == [0, 0]
    np.testing.assert_allclose(first.history["val_loss"], regression_loss(), atol=1e-5)
    assert_forecasts_as(first.network, REGRESSION)
    wider = replace(TRAIN, cutoffs=np.concatenate([TRAIN.cutoffs, VAL.cutoffs]))
    refitted = refit_network(SHORTCUT, split_windows([wider, OTHER], []), first, none, seed=5)
    assert_forecasts_as(refitted.network, PooledT.fit([wider, OTHER]))
    assert refitted.history is first.history and not refitted.interrupted


@pytest.mark.parametrize("embedding", [0, 3])
def test_parameters_are_counted_with_the_shortcut(embedding):
    config = load_config(
        None,
        [
            "data.tickers=[AAA,BBB]",
            "features=[log_return,log_range,seasonal_vol_13w]",
            "window={look_back: 8, horizon: 2}",
            "model={units: [4], dense: [5], head: drift_t, shortcut: linear}",
            f"model.ticker_embedding={embedding}",
        ],
    )
    network = build_network(architecture_of(config))
    assert count_params(config) == network.count_params()
    model = config.model.model_copy(update={"shortcut": "none"})
    without = config.model_copy(update={"model": model})
    assert count_params(config) - count_params(without) == (4 + 1) * 2 * 2


@pytest.mark.parametrize("spec", [TINY, SHORTCUT], ids=["no shortcut", "shortcut"])
def test_weight_decay_takes_a_share_of_each_weight_away_but_of_the_regression(spec):
    """The gradients are zero, so that Adam itself moves nothing."""
    settings = TrainingConfig(learning_rate=0.01)
    for decay in (0.0, 0.5):
        network = compiled_network(
            spec, settings.model_copy(update={"weight_decay": decay}), seed=1, n_windows=1
        )
        if spec.shortcut:
            set_shortcut(network, REGRESSION)
        before = [variable.numpy() for variable in network.trainable_variables]
        network.optimizer.apply([np.zeros_like(value) for value in before], network.trainable_variables)
        for value, variable in zip(before, network.trainable_variables, strict=True):
            share = 0 if "shortcut" in variable.path else 0.01 * decay
            np.testing.assert_allclose(variable.numpy(), value * (1 - share), rtol=1e-6)
