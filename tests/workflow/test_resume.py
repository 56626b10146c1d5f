from __future__ import annotations

import os
import signal
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from itertools import count

import numpy as np
import pytest

from lstm_stock.atomic import WorkDir
from lstm_stock.config import EarlyStoppingConfig, ReduceLrConfig, TrainingConfig
from lstm_stock.network import checkpoints as checkpoints_module
from lstm_stock.network import compiled as compiled_module
from lstm_stock.network.architecture import Architecture, Regularisers
from lstm_stock.network.checkpoints import Checkpoints, MemberState, n_epochs_of
from lstm_stock.network.training import TrainingResult, fit_network
from tests.network.test_training import HOPELESS, TINY, TRAIN, VAL, epochs_of, split_windows, weights

pytestmark = pytest.mark.usefixtures("networks_traced_once")


class KilledError(Exception):
    """The process ends here."""


class Deadly(Checkpoints):
    """Kills the process after the first state that is written; its clock stands still, so that writing is free."""

    def __init__(self, folder):
        super().__init__(folder, pytest.fail, clock=lambda: 0.0)

    def write(self, member, state):
        super().write(member, state)
        raise KilledError


@pytest.fixture
def folder(tmp_path):
    with WorkDir(tmp_path, "training", "key") as folder:
        yield folder


# Stopped by early stopping, after the learning rate fell; and run to its last epoch, without averaged weights.
STOPPED = TrainingConfig(
    epochs=6,
    batch_size=64,
    learning_rate=0.3,
    ema_momentum=0.5,
    early_stopping=EarlyStoppingConfig(patience=2),
    reduce_lr=ReduceLrConfig(patience=0),
)
TO_THE_END = TrainingConfig(
    epochs=1, batch_size=64, members=2, early_stopping=None, reduce_lr=None, ema_momentum=0
)
ALONE = TO_THE_END.model_copy(update={"members": 1, "epochs": 2})


RANDOM = replace(TINY, regularisers=Regularisers(recurrent_dropout=0.2, zoneout=0.2))
"""Random numbers also inside the cell."""

SHORTCUT = replace(TINY, head="drift_t", shortcut=True)


@cache
def uninterrupted(shape: Architecture, settings: TrainingConfig) -> TrainingResult:
    """The training that each interrupted one has to equal."""
    return fit_network(shape, split_windows([TRAIN], [VAL]), settings, seed=5)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [(RANDOM, STOPPED), (SHORTCUT, TO_THE_END), (TINY, HOPELESS)],
    ids=["stopped", "to the end", "start kept"],
)
def test_a_training_killed_after_every_epoch_ends_with_the_same_weights(folder, shape, settings):
    whole = uninterrupted(shape, settings)
    assert settings is not STOPPED or whole.history["learning_rate"].nunique() > 1
    n_killed = 0
    while True:
        try:
            fit = fit_network(shape, split_windows([TRAIN], [VAL]), settings, 5, None, Deadly(folder))
            break
        except KilledError:
            n_killed += 1
    assert n_killed == len(epochs_of(whole)) + settings.members  # after each epoch, and after each network
    assert weights(fit) == weights(whole)
    unlike = ["seconds"]
    assert fit.history.drop(columns=unlike).equals(whole.history.drop(columns=unlike))


@pytest.mark.parametrize("min_products", [0, compiled_module.MIN_PRODUCTS], ids=["compiled", "not compiled"])
def test_a_training_killed_within_an_epoch_repeats_that_epoch(folder, monkeypatch, min_products):
    monkeypatch.setattr(compiled_module, "MIN_PRODUCTS", min_products)
    monkeypatch.setattr(compiled_module, "STEPS_PER_EXECUTION", 1)
    whole = fit_network(TINY, split_windows([TRAIN], [VAL]), ALONE, seed=5)

    def kill(progress):
        if (progress.epoch, progress.batch) == (2, 1):
            raise KilledError

    with pytest.raises(KilledError):
        fit_network(TINY, split_windows([TRAIN], [VAL]), ALONE, 5, kill, Checkpoints(folder, pytest.fail))
    assert Checkpoints(folder, pytest.fail).n_epochs == 1
    fit = fit_network(TINY, split_windows([TRAIN], [VAL]), ALONE, 5, None, Checkpoints(folder, pytest.fail))
    assert weights(fit) == weights(whole)


class Rare(Checkpoints):
    """Each call of its clock takes a second, and so does each write; a killed process writes no more."""

    is_killed = False

    def __init__(self, folder):
        super().__init__(folder, pytest.fail, clock=count().__next__)
        self.n_epochs_written = []

    def write(self, member, state):
        super().write(member, state)
        self.n_epochs_written.append(n_epochs_of(state.facts["rows"]))

    def flush(self):
        if not self.is_killed:
            super().flush()


@pytest.mark.parametrize("epoch", [2, 6])
def test_a_training_killed_between_two_writes_ends_with_the_same_weights(folder, monkeypatch, epoch):
    monkeypatch.setattr(checkpoints_module, "WRITING_SHARE", 0.3)
    settings = STOPPED.model_copy(update={"early_stopping": None})
    whole = uninterrupted(TINY, settings)
    checkpoints = Rare(folder)

    def kill(progress):
        if (progress.epoch, progress.batch) == (epoch, 1):
            checkpoints.is_killed = True
            raise KilledError

    with pytest.raises(KilledError):
        fit_network(TINY, split_windows([TRAIN], [VAL]), settings, 5, kill, checkpoints)
    assert checkpoints.n_epochs_written == [one for one in (1, 4) if one < epoch]
    assert checkpoints.n_epochs == checkpoints.n_epochs_written[-1]
    resumed = Rare(folder)
    fit = fit_network(TINY, split_windows([TRAIN], [VAL]), settings, 5, None, resumed)
    assert weights(fit) == weights(whole)
    assert resumed.n_epochs_written[-1] == 6


@pytest.mark.parametrize("n_presses", [1, 2])
def test_ctrl_c_writes_the_state_of_the_last_complete_epoch(folder, monkeypatch, n_presses):
    monkeypatch.setattr(checkpoints_module, "WRITING_SHARE", 1e-9)  # never a second write
    settings = TO_THE_END.model_copy(update={"members": 1, "epochs": 5})
    whole = uninterrupted(TINY, settings)
    checkpoints, presses = Rare(folder), [signal.SIGINT] * n_presses

    def press(progress):
        while (progress.epoch, progress.batch) == (4, 1) and presses:
            os.kill(os.getpid(), presses.pop())

    with nullcontext() if n_presses == 1 else pytest.raises(KeyboardInterrupt):
        assert fit_network(TINY, split_windows([TRAIN], [VAL]), settings, 5, press, checkpoints).interrupted
    assert checkpoints.n_epochs_written == [1, 3]
    fit = fit_network(TINY, split_windows([TRAIN], [VAL]), settings, 5, None, Rare(folder))
    assert weights(fit) == weights(whole)


def test_writing_takes_a_small_share_of_the_time(folder):
    now, written = [0.0], []

    def write(name, write):
        now[0] += 0.5
        written.append(now[0])

    folder.write = write
    checkpoints = Checkpoints(folder, pytest.fail, clock=lambda: now[0])
    for epoch in range(1, 1001):
        now[0] += 0.1
        checkpoints.keep(1, replace(STATE, facts={"rows": [{"epoch": epoch}]}))
    assert written[0] == pytest.approx(0.6)
    assert 0.018 < 0.5 * len(written) / now[0] < 0.025
    n_written = len(written)
    checkpoints.flush()
    checkpoints.flush()
    assert len(written) == n_written + 1
    checkpoints.write(1, replace(STATE, is_done=True))
    checkpoints.keep(2, STATE)  # the first state of the next member
    assert len(written) == n_written + 3


STATE = MemberState(
    False, {"rows": [{"epoch": 1, "loss": 0.1}], "best": None}, {"variables": [np.arange(3.0)], "none": []}
)


def test_a_state_comes_back_as_it_was_kept_and_a_damaged_one_is_none(folder):
    checkpoints = Checkpoints(folder, pytest.fail)
    assert checkpoints.read(1) is None
    checkpoints.write(1, STATE)
    again = checkpoints.read(1)
    assert (again.is_done, again.facts, again.arrays["none"]) == (False, STATE.facts, [])
    np.testing.assert_array_equal(again.arrays["variables"][0], STATE.arrays["variables"][0])
    assert checkpoints.n_epochs == 1
    (file,) = folder.path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    assert checkpoints.read(1) is None
    file.write_bytes(b"")
    assert checkpoints.read(1) is None
    assert checkpoints.n_epochs == 0
    checkpoints.clear()
    assert not list(folder.path.glob("*.npz"))


def test_to_begin_anew_loses_no_state_that_is_further(folder):
    further = replace(STATE, facts={"rows": [{"epoch": 3}]})
    Checkpoints(folder, pytest.fail).write(1, further)
    anew = Checkpoints(folder, pytest.fail, restart=True)
    assert anew.n_epochs == 3
    assert anew.read(1) is None
    anew.write(1, STATE)
    assert Checkpoints(folder, pytest.fail).read(1).facts == further.facts
    anew.write(1, replace(STATE, facts={"rows": [{"epoch": 4}]}))
    assert Checkpoints(folder, pytest.fail).n_epochs == 4


def test_a_disk_that_refuses_is_told_once_and_the_training_goes_on(folder, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "write", refuse)
    notes = []
    checkpoints = Checkpoints(folder, notes.append)
    checkpoints.write(1, STATE)
    checkpoints.write(1, STATE)
    assert notes == [
        "cannot write checkpoints (No space left on device): if this training is killed, it has to start again"
    ]
