from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy import stats

from lstm_stock.config import EarlyStoppingConfig, ReduceLrConfig, TrainingConfig
from lstm_stock.dataset.build import SplitWindows
from lstm_stock.dataset.series import WindowSpec, fit_ticker
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import Windows, windows_of
from lstm_stock.errors import ConfigError
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.batches import WindowBatches
from lstm_stock.network.callbacks import HistoryAndProgress, Progress
from lstm_stock.network.checkpoints import MemberState
from lstm_stock.network.forecast import forecast_returns
from lstm_stock.network.training import TrainingResult, fit_network, kept_epochs, refit_network
from lstm_stock.prices.table import adjusted
from tests.helpers import random_prices

RECIPE = WindowSpec(("log_return", "log_range"), "log_return", "trailing_vol", 8, 2, "minmax")
TINY = Architecture("lstm", (4,), 0.1, (4,), "student_t", look_back=8, n_features=2, horizon=2)
SETTINGS = TrainingConfig(epochs=3, batch_size=64, early_stopping=None)


def parts_of(seed: int = 0) -> tuple[Windows, Windows, Windows]:
    table = adjusted(random_prices(400, seed))
    split = Split.by_share(table.index.to_numpy().astype("datetime64[D]"), 0.2, 0.2)
    series = fit_ticker("AAA", table, RECIPE, split)
    train, val, test = (windows_of(series, RECIPE, split, part) for part in ("train", "val", "test"))
    return train, val, test


TRAIN, VAL, TEST = parts_of()


def split_windows(train: list[Windows], val: list[Windows]) -> SplitWindows:
    return SplitWindows(Split(np.datetime64("2020-01-01"), np.datetime64("2021-01-01")), train, val, [])


traced_once = pytest.mark.usefixtures("networks_traced_once")
"""For tests of how long is trained and of which weights are kept."""


@pytest.fixture(scope="module")
def seen() -> list[Progress]:
    """The progress reported in the training of `fit`."""
    return []


@pytest.fixture(scope="module")
def traced() -> list[object]:
    """Each time that TensorFlow traced the training step of `fit`."""
    return []


@pytest.fixture(scope="module")
def fit(seen, traced) -> TrainingResult:
    """A training with the seed 5, of a network of its own, that several tests look at."""
    step = keras.Model.train_step
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(
            keras.Model, "train_step", lambda self, data: traced.append(data) or step(self, data)
        )
        return fit_network(TINY, split_windows([TRAIN], [VAL]), SETTINGS, seed=5, on_progress=seen.append)


def epochs_of(fit):
    """The history without its epoch 0."""
    return fit.history[fit.history["epoch"] > 0]


def val_loss_of(network):
    """The validation loss by another route: the log score of the forecast, with weights 1 and 1/2 of the steps."""
    forecast = forecast_returns(network, TINY, VAL).rescale(1 / VAL.volatility_scale)
    by_step = forecast.log_score(VAL.targets.astype(np.float64)).mean(axis=0)
    return np.average(by_step, weights=[1, 1 / 2])


def weights(fit):
    return [w.tobytes() for w in fit.network.get_weights()]


def press_ctrl_c_once(epoch: int = 2) -> Callable[[Progress], None]:
    """Return an `on_progress` that sends Ctrl-C after the first batch of an epoch."""
    pressed: list[bool] = []

    def observe(progress: Progress) -> None:
        if (progress.epoch, progress.batch) == (epoch, 1) and not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    return observe


def test_batches_hold_every_window_of_every_ticker_once_in_a_new_order_each_epoch():
    other = parts_of(seed=1)[0]
    batches = WindowBatches([TRAIN, other], batch_size=50, seed=3)
    epochs = []
    for _ in range(2):
        epochs.append(np.concatenate([batches[i][0] for i in range(len(batches))]))
        batches.next_epoch()
    everything = np.concatenate([TRAIN.inputs, other.inputs])
    assert epochs[0].shape == everything.shape
    for epoch in epochs:
        np.testing.assert_array_equal(
            np.sort(epoch.reshape(len(epoch), -1), axis=0),
            np.sort(everything.reshape(len(epoch), -1), axis=0),
        )
    assert not np.array_equal(epochs[0], epochs[1])


def test_each_x_keeps_its_y():
    batches = WindowBatches([TRAIN], batch_size=50, seed=3)
    place = {window.tobytes(): i for i, window in enumerate(TRAIN.inputs)}
    x, y = batches[1]
    rows = [place[window.tobytes()] for window in x]
    np.testing.assert_array_equal(y[..., 0], TRAIN.targets[rows])


def test_without_a_seed_windows_come_in_order():
    batches = WindowBatches([VAL], batch_size=30)
    np.testing.assert_array_equal(
        np.concatenate([batches[i][1] for i in range(len(batches))])[..., 0], VAL.targets
    )


@traced_once
def test_weights_follow_the_seed_of_each_member(fit):
    pair = fit_network(
        TINY, split_windows([TRAIN], [VAL]), SETTINGS.model_copy(update={"members": 2}), seed=4
    )
    n = len(weights(fit))
    assert weights(pair)[n:] == weights(fit)  # the second member has the seed 5
    assert weights(pair)[:n] != weights(fit)
    assert sorted(pair.history["member"].unique()) == [1, 2]


@traced_once
def test_the_best_weights_are_restored_and_the_history_says_which():
    # A learning rate this high overshoots, so the last epoch is not the best one.
    settings = TrainingConfig(
        epochs=30,
        batch_size=16,
        learning_rate=0.1,
        early_stopping=EarlyStoppingConfig(patience=3, min_delta=0),
        reduce_lr=None,
    )
    fit = fit_network(TINY, split_windows([TRAIN], [VAL]), settings, seed=1)
    history = fit.history
    best = history["val_loss"].idxmin()
    assert history["epoch"].tolist() == list(range(best + 1 + 3))
    assert 0 < best < 30 - 3
    assert kept_epochs(history, settings) == [best]
    assert val_loss_of(fit.network) == pytest.approx(history["val_loss"].min(), abs=1e-4)


@traced_once
def test_a_decrease_below_min_delta_is_kept_but_does_not_prolong_the_training():
    settings = TrainingConfig(
        epochs=30,
        batch_size=16,
        learning_rate=0.001,
        early_stopping=EarlyStoppingConfig(patience=12, min_delta=1),
        reduce_lr=None,
    )
    fit = fit_network(TINY, split_windows([TRAIN], [VAL]), settings, seed=1)
    val_loss = epochs_of(fit)["val_loss"]
    assert len(val_loss) == 1 + 12
    assert val_loss.argmin() > 0
    assert val_loss_of(fit.network) == pytest.approx(val_loss.min(), abs=1e-4)


@traced_once
@pytest.mark.parametrize("ema_momentum", [0.0, 0.9])
@pytest.mark.parametrize("stop", ["early", "last epoch", "ctrl-c in epoch 1", "ctrl-c in epoch 2"])
def test_the_weights_kept_are_those_that_were_validated(ema_momentum, stop):
    settings = TrainingConfig(
        epochs=3,
        batch_size=32,
        learning_rate=0.05,
        ema_momentum=ema_momentum,
        early_stopping=EarlyStoppingConfig(patience=1) if stop == "early" else None,
        reduce_lr=None,
    )

    on_progress = press_ctrl_c_once(int(stop[-1])) if stop.startswith("ctrl-c") else None
    fit = fit_network(TINY, split_windows([TRAIN], [VAL]), settings, seed=2, on_progress=on_progress)
    val_loss = fit.history["val_loss"]
    kept = val_loss.min() if stop == "early" else val_loss.iloc[-1]
    assert val_loss_of(fit.network) == pytest.approx(kept, abs=1e-4)


# --- zero epochs ---


# Each step moves the weights by about this rate: the first epoch is far off, and no later one comes back.
HOPELESS = TrainingConfig(
    epochs=2, batch_size=64, learning_rate=1, early_stopping=EarlyStoppingConfig(patience=2), reduce_lr=None
)


def start_loss():
    """By hand: that of the Student-t with 5 degrees of freedom and variance 1 at every window."""
    by_step = -stats.t.logpdf(VAL.targets, 5, scale=np.sqrt(3 / 5)).mean(axis=0)
    return np.average(by_step, weights=[1, 1 / 2])


@traced_once
def test_a_training_of_which_no_epoch_is_better_keeps_the_start():
    fit = fit_network(TINY, split_windows([TRAIN], [VAL]), HOPELESS, seed=5)
    start = fit.history.iloc[0]
    assert (start["epoch"], start["learning_rate"]) == (0, 1)
    assert np.isnan(start["loss"])
    assert kept_epochs(fit.history, HOPELESS) == [0]
    assert start["val_loss"] == pytest.approx(start_loss(), abs=1e-5)
    forecast = forecast_returns(fit.network, TINY, TEST)
    expected = stats.t.ppf(0.95, 5, scale=np.sqrt(3 / 5)) * TEST.volatility_scale
    np.testing.assert_allclose(forecast.quantile(0.95), expected, rtol=1e-5)
    assert np.abs(forecast.quantile(0.5)).max() < 1e-9


@traced_once
def test_patience_counts_epochs_without_a_new_lowest_epoch_whatever_the_start():
    """The first epochs of a short training are often worse than the start, and later ones better."""
    slow = replace_epochs(30).model_copy(
        update={"learning_rate": 1e-4, "early_stopping": EarlyStoppingConfig(patience=2, min_delta=0)}
    )
    val_loss = fit_network(TINY, split_windows([TRAIN], [VAL]), slow, seed=5).history["val_loss"]
    assert val_loss[1:5].min() > val_loss[0]
    assert len(val_loss) > 1 + 4


@traced_once
def test_the_start_is_no_candidate_without_early_stopping_or_when_the_train_loss_is_monitored():
    for stopping in (None, EarlyStoppingConfig(monitor="loss", patience=2)):
        settings = HOPELESS.model_copy(update={"epochs": 2, "early_stopping": stopping})
        fit = fit_network(TINY, split_windows([TRAIN], [VAL]), settings, seed=5)
        (kept,) = kept_epochs(fit.history, settings)
        assert kept > 0
        assert val_loss_of(fit.network) == pytest.approx(fit.history["val_loss"][kept], rel=1e-4)


@traced_once
def test_a_refit_for_zero_epochs_is_the_start():
    pair = HOPELESS.model_copy(update={"members": 2})
    first = fit_network(TINY, split_windows([TRAIN], [VAL]), pair, seed=5)
    assert kept_epochs(first.history, pair) == [0, 0]
    refitted = refit_network(TINY, split_windows([TRAIN], []), first, pair, seed=5)
    assert weights(refitted) == weights(first)
    assert not refitted.interrupted


def floats(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Leave out the random seeds, which lie between the weights."""
    return [array for array in arrays if array.dtype == np.float32]


class StatesInMemory:
    """Stands in for `Checkpoints` and records every state."""

    def __init__(self) -> None:
        self.states: list[MemberState] = []

    def read(self, member: int) -> None:
        return None

    def keep(self, member: int, state: MemberState) -> None:
        self.states.append(state)

    def flush(self) -> None:
        pass

    def write(self, member: int, state: MemberState) -> None:
        pass


@traced_once
def test_averaged_weights_are_the_running_mean_of_the_weights():
    """One batch an epoch, so that the history of plain training gives every set of weights to average."""
    plain = TrainingConfig(epochs=3, batch_size=4096, ema_momentum=0, early_stopping=None, reduce_lr=None)
    kept = StatesInMemory()
    fit = fit_network(TINY, split_windows([TRAIN], [VAL]), plain, 2, None, kept)
    last = fit.network.get_weights()
    after = [floats(state.arrays["variables"])[: len(last)] for state in kept.states[:3]]
    for kept_last, of_fit in zip(after[-1], last, strict=True):
        np.testing.assert_array_equal(kept_last, of_fit)
    averaged = plain.model_copy(update={"ema_momentum": 0.9})
    got = fit_network(TINY, split_windows([TRAIN], [VAL]), averaged, seed=2).network.get_weights()
    for i, weights in enumerate(got):
        mean = after[0][i]
        for later in after[1:]:
            mean = 0.9 * mean + 0.1 * later[i]
        np.testing.assert_allclose(weights, mean, atol=1e-5)


@traced_once
def test_the_learning_rate_is_cut_on_plateaus():
    settings = TrainingConfig(
        epochs=6,
        batch_size=64,
        learning_rate=1e-7,
        early_stopping=None,
        reduce_lr=ReduceLrConfig(factor=0.5, patience=1, min_lr=0),
    )
    rates = epochs_of(fit_network(TINY, split_windows([TRAIN], [VAL]), settings, seed=1))["learning_rate"]
    assert len(rates) == 6
    assert rates.iloc[-1] < rates.iloc[0]


@traced_once
def test_the_learning_rate_is_not_cut_below_its_limit():
    reduce_lr = ReduceLrConfig(factor=0.1, patience=0, min_delta=1, min_lr=3e-4)
    settings = TrainingConfig(epochs=5, batch_size=64, learning_rate=0.01, reduce_lr=reduce_lr)
    rates = epochs_of(fit_network(TINY, split_windows([TRAIN], [VAL]), settings, seed=1))["learning_rate"]
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.001, 3e-4, 3e-4], rtol=1e-6)


def test_progress_is_reported_at_the_start_and_the_end_of_every_epoch(fit, seen):
    n_batches = -(-len(TRAIN) // 64)
    for epoch in (1, 2, 3):
        batches = [progress.batch for progress in seen if progress.epoch == epoch]
        assert (batches[0], batches[-1]) == (1, n_batches)
        assert batches == sorted(batches)
    assert seen[-1].epoch == 3
    assert [seen[-1].val_loss, seen[-1].best_val_loss] == [
        fit.history["val_loss"].iloc[-1],
        fit.history["val_loss"].min(),
    ]
    assert np.isfinite([seen[0].loss, seen[-1].learning_rate]).all()


def test_progress_within_an_epoch_is_reported_ten_times_a_second():
    class Optimizer:
        n_reads = 0

        @property
        def learning_rate(self) -> float:
            self.n_reads += 1
            return 0.1

    now, reports = [0.0], []
    history = HistoryAndProgress(1, 1, 640, threading.Event(), reports.append, clock=lambda: now[0])
    history.set_params({"steps": 100, "epochs": 2})
    history.set_model(SimpleNamespace(optimizer=(optimizer := Optimizer()), stop_training=False))
    for epoch in range(2):
        history.on_epoch_begin(epoch)
        for batch in range(100):
            now[0] += 1 / 64
            history.on_train_batch_end(batch, {"loss": float(batch)})
        history.on_epoch_end(epoch, {"loss": 5.0, "val_loss": 3.0 - epoch})
    for epoch in (1, 2):
        own = [report for report in reports if report.epoch == epoch]
        # 7 batches of 1/64 s are the first that take 0.1 s.
        assert [report.batch for report in own] == [*range(1, 101, 7), 100]
        assert [report.loss for report in own] == [*range(0, 100, 7), 5.0]
    assert (reports[-1].val_loss, reports[-1].best_val_loss) == (2.0, 2.0)
    assert history.rows[0]["seconds"] == 100 / 64
    assert optimizer.n_reads == len(reports) + 2  # and once an epoch for the history


def test_the_training_step_is_traced_once_also_with_a_smaller_last_batch(fit, traced):
    assert len(TRAIN) % SETTINGS.batch_size > 0
    assert len(traced) == 1


@traced_once
def test_ctrl_c_once_keeps_what_was_learnt():
    before = signal.getsignal(signal.SIGINT)
    fit = fit_network(
        TINY, split_windows([TRAIN], [VAL]), replace_epochs(50), seed=5, on_progress=press_ctrl_c_once()
    )
    assert fit.interrupted
    assert len(epochs_of(fit)) == 2
    assert signal.getsignal(signal.SIGINT) is before


@traced_once
def test_ctrl_c_twice_stops_at_once():
    def interrupt(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit_network(TINY, split_windows([TRAIN], [VAL]), replace_epochs(50), seed=5, on_progress=interrupt)


@traced_once
def test_training_works_outside_the_main_thread():
    fits = []
    thread = threading.Thread(
        target=lambda: fits.append(fit_network(TINY, split_windows([TRAIN], [VAL]), SETTINGS, seed=5))
    )
    thread.start()
    thread.join()
    assert not fits[0].interrupted


def replace_epochs(epochs: int) -> TrainingConfig:
    return SETTINGS.model_copy(update={"epochs": epochs})


@traced_once
def test_a_training_that_diverges_says_so():
    broken = replace(TRAIN, series=replace(TRAIN.series, close=np.full_like(TRAIN.series.close, np.nan)))
    with pytest.raises(ConfigError, match="training diverged: at epoch 1 the loss is nan") as caught:
        fit_network(TINY, split_windows([broken], [VAL]), SETTINGS, seed=5)
    assert "lower `training.learning_rate`" in caught.value.hint


def test_a_trained_network_survives_saving_in_safe_mode(fit, tmp_path):
    fit.network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(
        fit.network.predict(TEST.inputs, verbose=0), loaded.predict(TEST.inputs, verbose=0)
    )


def test_forecasts_are_returns_of_each_window(fit):
    forecast = forecast_returns(fit.network, TINY, TEST)
    width = forecast.quantile(0.95) - forecast.quantile(0.05)
    assert width.shape == TEST.returns.shape
    assert np.corrcoef(width[:, 0], TEST.volatility_scale[:, 0])[0, 1] > 0.9


@traced_once
def test_a_process_that_ignores_ctrl_c_trains_on():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        fit = fit_network(TINY, split_windows([TRAIN], [VAL]), SETTINGS, 3, press_ctrl_c_once())
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert not fit.interrupted
    assert len(epochs_of(fit)) == SETTINGS.epochs


# --- refit on train and val ---


@traced_once
def test_a_refit_trains_on_all_windows_for_the_number_of_epochs_that_was_best_on_val():
    plain = SETTINGS.model_copy(
        update={"ema_momentum": 0, "reduce_lr": None, "learning_rate": 0.1, "members": 2}
    )
    plain = plain.model_copy(update={"epochs": 6, "early_stopping": EarlyStoppingConfig(patience=2)})
    first = fit_network(TINY, split_windows([TRAIN], [VAL]), plain, seed=6)
    wider = replace(TRAIN, cutoffs=np.concatenate([TRAIN.cutoffs, VAL.cutoffs]))
    refitted = refit_network(TINY, split_windows([wider], []), first, plain, seed=6)
    assert refitted.history is first.history
    n_best = kept_epochs(first.history, plain)
    assert n_best[0] != n_best[1] < plain.epochs
    # The second member: the next test is about the first.
    alone = plain.model_copy(update={"epochs": n_best[1], "early_stopping": None, "members": 1})
    expected = fit_network(TINY, split_windows([wider], [VAL]), alone, seed=7)
    second = refitted.network.get_layer("member_2")
    for ours, theirs in zip(second.get_weights(), expected.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@traced_once
def test_a_refit_repeats_learning_rates_and_averaging():
    rates = ReduceLrConfig(patience=0, factor=0.5)
    settings = TrainingConfig(epochs=4, batch_size=64, learning_rate=0.3, reduce_lr=rates, ema_momentum=0.9)
    first = fit_network(TINY, split_windows([TRAIN], [VAL]), settings, seed=5)
    refitted = refit_network(TINY, split_windows([TRAIN], []), first, settings, seed=5)  # on the same windows
    for ours, theirs in zip(refitted.network.get_weights(), first.network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@traced_once
def test_mixed_precision_forecasts_as_float32_within_a_hundredth_of_the_width():
    plain, mixed = (
        fit_network(
            TINY, split_windows([TRAIN], [VAL]), SETTINGS.model_copy(update={"precision": precision}), seed=5
        )
        for precision in ("float32", "mixed_bfloat16")
    )
    assert weights(plain) != weights(mixed)
    assert {weight.dtype for weight in mixed.network.weights} == {"float32"}
    assert {layer.compute_dtype for layer in mixed.network.layers} == {"float32"}
    one, other = (forecast_returns(fit.network, TINY, TEST) for fit in (plain, mixed))
    width = one.quantile(0.95) - one.quantile(0.05)
    for probability in (0.05, 0.5, 0.95):
        difference = np.abs(one.quantile(probability) - other.quantile(probability)) / width
        assert difference.max() < 0.01
