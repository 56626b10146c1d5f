"""The token cell: returns as tokens of a language model, and the paths simulated with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lstm_stock import baselines
from lstm_stock.config import Config, ModelConfig, TrainingConfig, load_config
from lstm_stock.dataset.build import build_dataset
from lstm_stock.dataset.series import WindowSpec, fit_ticker
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.volatility import trailing_volatility
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.distributions import Binned
from lstm_stock.distributions.binned import bin_edges
from lstm_stock.errors import ConfigError
from lstm_stock.network.architecture import Architecture, Sampling
from lstm_stock.network.build import build_ensemble, build_network
from lstm_stock.network.cells.token.cell import BinMeans
from lstm_stock.network.cells.token.head import log_softmax
from lstm_stock.network.cells.token.sampling import PathStart, draw, forecast_paths, simulate, uniforms
from lstm_stock.network.forecast import forecast_returns, to_distribution
from lstm_stock.network.training import fit_network
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, adjusted, table_hash
from lstm_stock.prices.update import fetch_into
from lstm_stock.runs.run import Run
from lstm_stock.workflow.fit import FittedForecaster, fit_calibrators
from lstm_stock.workflow.forecast import architecture_of
from lstm_stock.workflow.leakcheck.compare import Checked, Corruption
from lstm_stock.workflow.leakcheck.training import Prices, Reference, TrainingPasses
from lstm_stock.workflow.predict import predict
from lstm_stock.workflow.run_bars import RunBars
from lstm_stock.workflow.train import Reports, train
from tests.helpers import random_prices
from tests.network.test_training import split_windows

LOOK_BACK, HORIZON, TOKENS = 6, 3, 8
RECIPE = WindowSpec(("log_return",), "log_return", "trailing_vol", LOOK_BACK, HORIZON, "none")
SAMPLING = Sampling(n_paths=8, temperature=1.0, seed=3)
TINY = Architecture(
    "token", (4, 3), 0.0, (5,), "vocabulary", LOOK_BACK, 1, HORIZON, vocabulary=TOKENS, sampling=SAMPLING
)


def unit_t(x):
    """The density of a Student-t with 5 degrees of freedom and unit variance."""
    return stats.t.pdf(x, 5, scale=np.sqrt(3 / 5))


def whipsaw_windows(part: str) -> Windows:
    """Windows of a series whose returns change sign each day but for one in ten."""
    table = adjusted(random_prices(420))
    random = np.random.default_rng(5)
    signs = np.cumprod(np.where(random.uniform(size=len(table)) < 0.1, 1, -1))
    close = 50 * np.exp(np.cumsum(signs * 0.01 * np.exp(random.normal(0, 0.3, len(table)))))
    table = table.assign(open=close, high=close * 1.001, low=close / 1.001, close=close)
    split = Split.by_share(table.index.to_numpy().astype("datetime64[D]"), 0.2, 0.2)
    return windows_of(fit_ticker("ZIG", table, RECIPE, split), RECIPE, split, part)


def random_member(spec: Architecture = TINY, seed: int = 1) -> keras.Model:
    """A network whose forecasts depend strongly on its inputs."""
    keras.utils.set_random_seed(seed)
    member = build_network(spec)
    member.set_weights([3 * w for w in member.get_weights()])
    return member


def random_start(n: int = 5) -> PathStart:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(n, LOOK_BACK, 1)).astype(np.float32)
    return PathStart(inputs, np.exp(random.normal(-4, 0.3, n)), random.integers(20, 90, n))


@pytest.fixture(scope="module")
def fit():
    """The one training of this file."""
    settings = TrainingConfig(epochs=3, batch_size=16, learning_rate=0.03, ema_momentum=0)
    spec = replace(TINY, units=(6,), dense=())
    return fit_network(
        spec, split_windows([whipsaw_windows("train")], [whipsaw_windows("val")]), settings, seed=5
    )


@pytest.fixture(scope="module")
def member():
    return random_member()


PROBABILITY = np.array([0.3, 0.05, 0.05, 0.1, 0.1, 0.2, 0.15, 0.05])


@pytest.fixture(scope="module")
def constant():
    """A network that outputs `PROBABILITY` whatever its inputs."""
    member = build_network(TINY)
    kernel, _ = member.get_layer("head").get_weights()
    member.get_layer("head").set_weights([np.zeros_like(kernel), np.log(PROBABILITY) + 7])
    return build_ensemble([member])


# --- tokens ------------------------------------------------------------------------------------------------------


def test_the_edges_are_quantiles_of_a_student_t_of_unit_variance():
    expected = stats.t.ppf(np.arange(1, 64) / 64, 5, scale=np.sqrt(3 / 5))
    np.testing.assert_allclose(bin_edges(64), expected, atol=1e-12)
    assert (ModelConfig().vocabulary, TINY.vocabulary) == (Architecture.vocabulary, TOKENS)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_tokens=st.integers(2, 70), level=st.floats(1e-6, 1 - 1e-6))
def test_a_draw_is_the_quantile_of_the_forecast_and_falls_into_its_token(seed, n_tokens, level):
    log_probability = log_softmax(np.random.default_rng(seed).normal(0, 2, (3, 1, n_tokens)))
    token, y = draw(log_probability, np.array([[level]]))
    np.testing.assert_array_equal(np.searchsorted(bin_edges(n_tokens), y), token)
    # Interpolated in a table, whose error is far below the sampling error.
    np.testing.assert_allclose(Binned(np.exp(log_probability)).cdf(y[..., 0]), level, atol=1e-5)


def test_the_network_reads_tokens_and_not_values(member):
    edges = bin_edges(TOKENS)
    inside = np.concatenate([[edges[0] - 1], (edges[1:] + edges[:-1]) / 2, [edges[-1] + 1]])
    which = np.random.default_rng(2).integers(0, TOKENS, (4, LOOK_BACK, 1))
    moved = inside[which] + np.where(which % 2, 0.01, -0.01)
    for values in (inside[which], moved):
        np.testing.assert_array_equal(member.get_layer("token")(values.astype(np.float32)), which)
    np.testing.assert_array_equal(*(member(x.astype(np.float32)) for x in (inside[which], moved)))


def test_parameters_follow_the_formula():
    def lstm(n_in: int, n_hidden: int) -> int:
        return 4 * (n_in + n_hidden + 1) * n_hidden

    expected = 16 * TOKENS + lstm(16, 4) + lstm(4, 3) + (3 + 1) * 5 + (5 + 1) * TOKENS
    assert build_network(TINY).count_params() == expected


def test_the_embedding_starts_from_the_bin_means():
    start = np.asarray(BinMeans()((TOKENS, 5)))
    np.testing.assert_allclose(start[:, 1], np.abs(start[:, 0]))
    assert (np.diff(start[:, 0]) > 0).all()
    assert start[:, 0].mean() == pytest.approx(0, abs=1e-6)  # equally likely bins of a symmetric reference


# --- one bar ahead -----------------------------------------------------------------------------------------------


def test_the_first_step_is_exactly_the_histogram_that_the_network_outputs(constant):
    windows = whipsaw_windows("test")
    forecast = forecast_returns(constant, TINY, windows)
    edges = stats.t.ppf(np.arange(1, 8) / 8, 5, scale=np.sqrt(3 / 5))
    for y in (-7.0, -0.3, 0.0, 0.2, 4.0):
        share = PROBABILITY[np.searchsorted(edges, y)]
        unit = windows.volatility_scale[:, 0]
        expected = -np.log(share * 8 * unit_t(y) / unit)
        np.testing.assert_allclose(
            forecast.log_score(y * windows.volatility_scale)[:, 0], expected, atol=1e-6
        )
    below = 0.3 + 0.05  # the two lowest bins
    np.testing.assert_allclose(forecast.cdf(edges[1] * windows.volatility_scale)[:, 0], below, atol=1e-6)


def test_temperature_sharpens_or_flattens_the_forecast(constant):
    plain, cold, hot = (
        forecast_paths(constant, random_start(), 1, Sampling(4, temperature, 0))[:, 0, 0]
        for temperature in (1.0, 0.5, 2.0)
    )
    np.testing.assert_allclose(cold, log_softmax(2 * plain), atol=1e-5)
    np.testing.assert_allclose(hot, log_softmax(plain / 2), atol=1e-5)


# --- paths -------------------------------------------------------------------------------------------------------


def states_of(member, start, draws, temperature=1.0):
    """The states of all paths of all windows before each bar."""
    ((_, states),) = simulate(member, start, draws, temperature)
    n = len(start.inputs)
    return [[x[:n] for x in (state.log_probability, state.log_return, state.volatility)] for state in states]


@pytest.fixture(scope="module")
def states(member):
    return states_of(member, random_start(), uniforms(8, HORIZON, seed=3))


def moves(before, after):
    """The returns drawn between two bars, in units of the volatility before."""
    return (after[1] - before[1]) / before[2]


def test_continuing_from_states_equals_reading_the_longer_sequence(member, states):
    start = random_start()
    sequence = np.repeat(start.inputs[:, None, :, 0], 8, axis=1)
    for k in (1, 2):
        y = moves(states[k - 1], states[k])
        expected = draw(states[k - 1][0], uniforms(8, HORIZON, seed=3)[:, k - 1 : k])
        np.testing.assert_allclose(y, expected[1][..., 0], rtol=1e-9)
        sequence = np.concatenate([sequence, y[..., None]], axis=-1).astype(np.float32)
        longer = build_network(replace(TINY, look_back=LOOK_BACK + k))
        longer.set_weights(member.get_weights())
        logits = longer(sequence.reshape(-1, LOOK_BACK + k, 1))
        expected = log_softmax(np.asarray(logits).reshape(states[k][0].shape).astype(np.float64))
        np.testing.assert_allclose(states[k][0], expected, atol=1e-4)
    assert np.ptp(states[2][0], axis=1).max() > 0.5  # paths that have gone apart expect different things


def test_the_volatility_of_a_path_is_that_of_the_longer_series(member):
    close = random_prices(60, seed=4)["close"].to_numpy()
    volatility = trailing_volatility(close)
    rows = np.array([30, 59])
    start = PathStart(random_start(2).inputs, volatility[rows], rows)
    states = states_of(member, start, uniforms(4, HORIZON, seed=1))
    for i, row in enumerate(rows):
        for path in range(4):
            prices = [close[row] * np.exp(state[1][i, path]) for state in states[1:]]
            longer = trailing_volatility(np.concatenate([close[: row + 1], prices]))
            assert [state[2][i, path] for state in states[1:]] == pytest.approx(longer[row + 1 :], rel=1e-9)


def test_without_temperature_every_path_is_the_likeliest_one(member):
    states = states_of(member, random_start(), uniforms(8, HORIZON, seed=3), temperature=1e-4)
    for before, after in pairwise(states):
        which = np.searchsorted(bin_edges(TOKENS), moves(before, after))
        np.testing.assert_array_equal(which, np.broadcast_to(before[0].argmax(axis=-1), which.shape))


def test_later_steps_agree_with_plain_simulation(constant):
    start = PathStart(np.zeros((1, LOOK_BACK, 1), np.float32), np.array([0.02]), np.array([40]))
    params = forecast_paths(constant, start, HORIZON, Sampling(512, 1.0, 0))
    forecast = to_distribution("vocabulary", params)

    random, n = np.random.default_rng(0), 100_000
    total, variance = np.zeros(n), np.full(n, 0.02**2)
    weight = sum(0.94**i for i in range(40))
    for k in range(1, HORIZON + 1):
        which = random.choice(TOKENS, n, p=PROBABILITY)
        y = stats.t.ppf((which + random.uniform(size=n)) / TOKENS, 5, scale=np.sqrt(3 / 5))
        move = np.sqrt(variance) * y
        total += move
        variance = (0.94 * weight * variance + move**2) / (0.94 * weight + 1)
        weight = 0.94 * weight + 1
        ends = total / (0.02 * np.sqrt(k))
        for edge in bin_edges(TOKENS):  # between edges the forecast is smoothed to the reference's shape
            assert forecast.cdf(edge)[0, k - 1] == pytest.approx((ends <= edge).mean(), abs=0.008)


def test_a_forecast_does_not_depend_on_the_other_windows(fit):
    windows = whipsaw_windows("test")
    params = [
        forecast_paths(
            fit.network,
            PathStart(windows.inputs[rows], np.full(len(rows), 0.01), windows.cutoffs[rows]),
            HORIZON,
            Sampling(1000, 1.0, 7),
        )
        for rows in (np.arange(11), np.array([2]), np.array([9, 2, 5]))
    ]
    np.testing.assert_array_equal(params[1], params[0][[2]])
    np.testing.assert_array_equal(params[2], params[0][[9, 2, 5]])


def test_members_have_their_own_draws_and_their_probabilities_are_averaged(member):
    twin = build_network(TINY)
    twin.set_weights(member.get_weights())
    alone, params = (
        forecast_paths(build_ensemble(members), random_start(), HORIZON, SAMPLING)
        for members in ([member], [member, twin])
    )
    assert params.shape == (5, 2, HORIZON, TOKENS)
    np.testing.assert_array_equal(params[:, 0], alone[:, 0])
    np.testing.assert_array_equal(params[:, 1, 0], params[:, 0, 0])
    assert np.abs(params[:, 1, 1] - params[:, 0, 1]).max() > 0.01
    mixed = to_distribution("vocabulary", params)
    np.testing.assert_allclose(mixed.probability, np.exp(params).mean(axis=1), rtol=1e-5)


def test_uniforms_fill_every_bar_evenly_and_come_from_the_seed():
    for n_paths in (1, 100, 128):
        assert uniforms(n_paths, 4, seed=1).shape == (n_paths, 4)
    points = uniforms(64, 5, seed=1)
    np.testing.assert_array_equal(points, uniforms(64, 5, seed=1))
    assert not np.array_equal(points, uniforms(64, 5, seed=2))
    assert ((points > 0) & (points < 1)).all()
    np.testing.assert_array_equal(
        np.sort((64 * points).astype(int), axis=0), np.tile(np.arange(64)[:, None], 5)
    )


# --- training ----------------------------------------------------------------------------------------------------


def test_training_finds_a_pattern_that_a_histogram_of_all_days_cannot(fit):
    train, val = (whipsaw_windows(part).targets[:, 0] for part in ("train", "val"))
    counts = np.bincount(np.searchsorted(bin_edges(TOKENS), train), minlength=TOKENS)
    histogram = Binned((counts / counts.sum())[None]).log_score(val).mean()
    assert fit.history["val_loss"].min() < histogram - 0.2


def test_the_val_loss_is_the_mean_log_score_of_the_first_step(fit):
    val = whipsaw_windows("val")
    start = PathStart(val.inputs, val.volatility_scale[:, 0], val.cutoffs)
    forecast = to_distribution("vocabulary", forecast_paths(fit.network, start, 1, SAMPLING))
    scores = forecast.log_score(val.targets[:, :1].astype(np.float64))
    assert scores.mean() == pytest.approx(fit.history["val_loss"].min(), abs=1e-4)


def test_a_saved_network_forecasts_the_same_bits(member, tmp_path):
    network, start = build_ensemble([member]), random_start()
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(
        *(forecast_paths(one, start, HORIZON, SAMPLING) for one in (network, loaded))
    )


# --- the whole pipeline ------------------------------------------------------------------------------------------

SETTINGS = ("model.cell=token", "model.paths=8", "window.look_back=6", "window.horizon=3")


@pytest.fixture
def few_baselines(monkeypatch):
    few = {name: baselines.BASELINES[name] for name in ("naive", "constant_t")}
    monkeypatch.setattr(baselines, "BASELINES", few)


def test_nothing_leaks(fit, few_baselines):
    table = random_prices(400, seed=1)
    origin = PriceProvenance("csv", "2020-01-01T00:00:00+00:00", None, None, None, None, table_hash(table))
    histories = {"AAA": PriceHistory("AAA", table, origin)}
    config = load_config(None, [*SETTINGS, "data.tickers=[AAA]"])
    dataset = build_dataset(config, PriceReader(config.data, Prices(histories)), lambda _: None)
    calibrators = fit_calibrators(config, fit.network, dataset.windows)
    reference = Reference.of(dataset, FittedForecaster(fit, dataset.windows, calibrators))
    (test,) = dataset.windows.test
    checked = Checked()
    cutoff = test.series.dates[test.cutoffs[30]]
    TrainingPasses(histories, checked).compare_forecasts(reference, Corruption(cutoff, "shuffle"))
    assert checked.n_values["forecast"] > 0


def test_from_prices_to_the_next_sessions(few_baselines, tmp_path):
    store = Store(tmp_path / "data")
    fetch_into(store, "AAPL", FetchOptions(source="sample"))
    quick = ("model.units=[4]", "training.epochs=1", "training.batch_size=512", "data.start=2020-01-01")
    config = load_config(None, [*SETTINGS, *quick])
    saved = train(config, store, tmp_path / "runs", Reports.only_notes(lambda note: None))
    run = Run(saved.path)
    tested = run.forecasts[run.forecasts["model"] == "token"]
    assert np.isfinite(tested[["y_pred", "lo_95", "hi_95", "crps", "nll", "pit"]]).to_numpy().all()
    cutoff = tested["cutoff"].iloc[60]
    outlook = predict(RunBars(run, store, cutoff.date()), "AAPL", date(2024, 1, 2)).table
    columns = ["y_pred", "lo_50", "hi_50", "lo_95", "hi_95"]
    before = tested[tested["cutoff"] == cutoff]
    ratio = outlook["last_close"].iloc[0] / before["last_close"].iloc[0]
    np.testing.assert_allclose(outlook[columns], before[columns] * ratio, rtol=1e-6)


def test_the_cell_sets_the_other_keys_that_it_requires():
    config = load_config(None, ["model.cell=token"])
    assert (config.features, config.scaler, config.model.head) == (("log_return",), "none", "vocabulary")
    assert config == Config(model=ModelConfig(cell="token"))
    assert architecture_of(config).n_steps == 1
    given = ["model.cell=token", "model.head=vocabulary", "scaler=none", "features=[log_return]"]
    assert load_config(None, given) == config


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("model.head=gaussian", "--set model.head: got 'gaussian', must be vocabulary (or left out) with"),
        (
            "features=[log_return, open_gap]",
            "--set features: cell token needs features: [log_return], not [log_r",
        ),
        ("scaler=minmax", "--set scaler: cell token needs scaler: none, not minmax (or leave it out)"),
        ("target_scale=none", "--set target_scale: cell token needs target_scale: trailing_vol, not none"),
        ("target_scale=trailing_range", "target_scale: trailing_vol, not trailing_range"),
        ("target=close", "--set target: cell token needs target: log_return, not close"),
        ("model.vocabulary=1", "--set model.vocabulary: got 1, must be at least 2"),
        ("model.paths=0", "--set model.paths: got 0, must be at least 1"),
        ("model.temperature=0", "--set model.temperature: got 0.0, must be at least 0.1"),
    ],
)
def test_settings_that_contradict_the_cell_are_refused(given, message):
    with pytest.raises(ConfigError) as caught:
        load_config(None, ["model.cell=token", given])
    assert message in caught.value.message


def test_other_cells_have_no_vocabulary():
    with pytest.raises(
        ConfigError, match=r"model\.head: got 'vocabulary', which only model\.cell: token has"
    ):
        load_config(None, ["model.head=vocabulary"])
