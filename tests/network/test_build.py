from __future__ import annotations

import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats
from scipy.special import gammaln

from lstm_stock.config.cells import CELLS
from lstm_stock.config.heads import HEADS
from lstm_stock.distributions import Mixture
from lstm_stock.errors import ConfigError
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.build import build_ensemble, build_network
from lstm_stock.network.cells.base import cell_of
from lstm_stock.network.forecast import to_distribution
from lstm_stock.network.heads import QUANTILES, Head, head_of
from lstm_stock.network.losses import log_gamma_step, loss_of, training_loss

DEFAULT = Architecture("lstm", (128, 64), 0.3, (32,), "student_t", look_back=60, n_features=7, horizon=5)
TINY = replace(DEFAULT, units=(4, 3), dense=(5,), look_back=6, n_features=2, horizon=2)


def test_every_cell_and_head_of_the_registries_can_be_imported():
    assert all(callable(cell_of(name).build) for name in CELLS)
    assert all(isinstance(head_of(name), Head) for name in HEADS)


def test_parameters_of_the_default_network_follow_the_formula():
    def lstm(n_in: int, n_hidden: int) -> int:
        return 4 * (n_in + n_hidden + 1) * n_hidden

    expected = lstm(7, 128) + lstm(128, 64) + (64 + 1) * 32 + (32 + 1) * 5 * 3
    assert build_network(DEFAULT).count_params() == expected


def test_layers_of_the_default_network():
    kinds = [type(layer).__name__ for layer in build_network(DEFAULT).layers]
    assert kinds == [
        "InputLayer",
        "LSTM",
        "Dropout",
        "LSTM",
        "Dropout",
        "Dense",
        "Dense",
        "Reshape",
        "Rescaling",
    ]
    dropouts = [
        layer.rate for layer in build_network(DEFAULT).layers if isinstance(layer, keras.layers.Dropout)
    ]
    assert dropouts == [0.3, 0.3]


@pytest.mark.parametrize("head", HEADS)
def test_before_training_the_head_forecasts_the_trailing_volatility(head):
    member = build_network(replace(TINY, head=head))
    kernel, bias = member.get_layer("head").get_weights()
    member.get_layer("head").set_weights([np.zeros_like(kernel), bias])
    network = build_ensemble([member])
    windows = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)
    forecast = to_distribution(head, network.predict(windows, verbose=0))
    # The common drift of one and two bars, in scales of the Student-t with variance 1.
    location = 0.04 * np.sqrt([[1, 2]] * 3) * np.sqrt(3 / 5) if head == "drift_t" else np.zeros((3, 2))
    np.testing.assert_allclose(forecast.quantile(0.5), location, atol=1e-6)
    if head == "point":
        return
    unit_variance_t5 = np.sqrt(3 / 5) * stats.t.ppf(0.95, 5)
    expected = stats.norm.ppf(0.95) if head == "gaussian" else unit_variance_t5
    np.testing.assert_allclose(forecast.quantile(0.95), location + expected, rtol=1e-5)


def random_params(head: str) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    n_params = len(head_of(head).start(TINY))
    return random.normal(size=(40, 2)).astype(np.float32), random.normal(size=(40, 2, n_params)).astype(
        np.float32
    )


def mean_loss(head: str, y_true: np.ndarray, params: np.ndarray) -> float:
    losses = loss_of(head)(ops.convert_to_tensor(y_true[..., None]), ops.convert_to_tensor(params))
    assert losses.shape == y_true.shape
    return float(ops.mean(losses))


@pytest.mark.parametrize("head", ["gaussian", "student_t", "drift_t", "vocabulary"])
def test_the_training_loss_is_the_mean_log_score_of_the_distribution(head):
    y_true, params = random_params(head)
    loss = mean_loss(head, y_true, params)
    scores = head_of(head).distribution(params.astype(np.float64)).log_score(y_true.astype(np.float64))
    assert loss == pytest.approx(scores.mean(), rel=1e-5)


def test_losses_of_closed_forms_agree_with_scipy():
    y_true, params = random_params("gaussian")
    loss = mean_loss("gaussian", y_true, params)
    expected = -stats.norm.logpdf(y_true, params[..., 0], np.exp(params[..., 1])).mean()
    assert loss == pytest.approx(expected, rel=1e-5)
    y_true, params = random_params("student_t")
    loss = mean_loss("student_t", y_true, params)
    df = 2.05 + np.log1p(np.exp(params[..., 2]))
    expected = -stats.t.logpdf(y_true, df, params[..., 0], np.exp(params[..., 1])).mean()
    assert loss == pytest.approx(expected, rel=1e-5)
    y_true, params = random_params("drift_t")
    loss = mean_loss("drift_t", y_true, params)
    scale, df = np.exp(params[..., 0]), 2.05 + np.log1p(np.exp(params[..., 1]))
    expected = -stats.t.logpdf(y_true, df, 0.04 * np.sqrt([1, 2]) * scale, scale).mean()
    assert loss == pytest.approx(expected, rel=1e-5)


def test_quantile_loss_is_the_mean_pinball_loss_of_the_fan():
    y_true, params = random_params("quantile")
    loss = mean_loss("quantile", y_true, params)
    fan = head_of("quantile").distribution(params.astype(np.float64))
    losses = [
        np.maximum(p * (y_true - fan.quantile(p)), (p - 1) * (y_true - fan.quantile(p))).mean()
        for p in QUANTILES
    ]
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_point_loss_is_the_mean_squared_error():
    y_true, params = random_params("point")
    loss = mean_loss("point", y_true, params)
    assert loss == pytest.approx(np.mean((y_true - params[..., 0]) ** 2), rel=1e-5)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("horizon", [1, 3])
def test_keras_trains_with_the_heads_loss_weighted_by_one_over_the_step(head, horizon):
    """Keras squeezes axes of length 1 before it calls a loss, which would broadcast y_true against itself."""
    network = build_network(replace(TINY, head=head, horizon=horizon))
    network.compile(loss=training_loss(head, horizon))
    random = np.random.default_rng(0)
    x, y = random.normal(size=(6, 6, 2)), random.normal(size=(6, horizon, 1))
    losses = loss_of(head)(ops.convert_to_tensor(y, "float32"), network(x))
    expected = np.average(ops.convert_to_numpy(losses).mean(axis=0), weights=[1, 1 / 2, 1 / 3][:horizon])
    assert network.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_the_location_is_output_in_its_own_unit():
    members = []
    for unit in (1.0, 0.1):
        keras.utils.set_random_seed(0)
        members.append(build_network(replace(TINY, location_unit=unit)))
    windows = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)
    plain, tenth = (member.predict(windows, verbose=0) for member in members)
    np.testing.assert_allclose(tenth[..., 0], 0.1 * plain[..., 0], rtol=1e-6)
    np.testing.assert_array_equal(tenth[..., 1:], plain[..., 1:])


def test_quantiles_do_not_cross():
    params = np.random.default_rng(2).normal(0, 30, size=(200, 1, len(QUANTILES)))
    fan = head_of("quantile").distribution(params)
    values = np.stack([fan.quantile(p) for p in QUANTILES], axis=-1)
    assert (np.diff(values, axis=-1) >= 0).all()


def test_log_gamma_step_agrees_with_scipy_in_float32():
    x = np.concatenate([np.linspace(1.02, 20, 500), np.geomspace(20, 1e6, 100)])
    got = ops.convert_to_numpy(log_gamma_step(ops.convert_to_tensor(x, dtype="float32")))
    expected = gammaln(x + 0.5) - gammaln(x)
    np.testing.assert_allclose(got, expected, atol=2e-6, rtol=1e-6)


def test_members_are_joined_into_one_network_whose_forecast_is_their_mixture():
    members = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        member = build_network(TINY)
        head = member.get_layer("head")
        head.set_weights([w + seed for w in head.get_weights()])
        members.append(member)
    windows = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)
    apart = [member.predict(windows, verbose=0) for member in members]
    params = build_ensemble(members).predict(windows, verbose=0)
    assert params.shape == (3, 2, 2, 3)
    np.testing.assert_allclose(params[:, 0], apart[0], rtol=1e-6)
    np.testing.assert_allclose(params[:, 1], apart[1], rtol=1e-6)
    assert isinstance(to_distribution("student_t", params), Mixture)


def test_members_around_the_common_drift_forecast_the_distribution_of_their_mean_parameters():
    """A mixture of the narrow and the wide one would have heavier tails than either."""
    log_scales, raw = np.array([-1.0, 1.0]), np.array([2.0, 4.0])
    params = np.stack([log_scales, raw], axis=-1)[None, :, None].repeat(3, axis=0).repeat(2, axis=2)
    assert params.shape == (3, 2, 2, 2)
    forecast = to_distribution("drift_t", params.astype(np.float32))
    expected = stats.t(2.05 + np.log1p(np.exp(3)), 0.04 * np.sqrt([1, 2]), 1)
    np.testing.assert_allclose(forecast.quantile(0.99), [expected.ppf(0.99)] * 3, rtol=1e-6)


def test_a_joined_network_survives_saving_in_safe_mode(tmp_path):
    network = build_ensemble([build_network(TINY), build_network(TINY)])
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    windows = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)
    np.testing.assert_array_equal(network.predict(windows, verbose=0), loaded.predict(windows, verbose=0))


@pytest.mark.parametrize("cell", CELLS)
def test_saved_networks_need_nothing_but_keras_unless_their_cell_has_layers_of_its_own(cell, tmp_path):
    head = CELLS[cell].head or "student_t"
    build_network(replace(TINY, cell=cell, head=head, n_features=1)).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        needs_package = "lstm_stock" in file.read("config.json").decode()
    assert needs_package == (cell in ("peephole", "transformer", "ntm", "token"))


def test_unknown_cells_and_heads_are_refused():
    with pytest.raises(ConfigError, match=r"model.cell: got 'gru2', allowed: rnn, lstm, gru"):
        build_network(replace(TINY, cell="gru2"))
    with pytest.raises(ConfigError, match=r"model.head: got 'cauchy', allowed: point, gaussian"):
        build_network(replace(TINY, head="cauchy"))
