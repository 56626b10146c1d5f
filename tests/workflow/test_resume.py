from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lstm_stock.atomic import WorkDir
from lstm_stock.config import EarlyStoppingConfig, ReduceLrConfig, TrainingConfig
from lstm_stock.network.architecture import Regularisers
from lstm_stock.network.checkpoints import Checkpoints, MemberState
from lstm_stock.network.training import fit_network
from tests.network.test_training import TINY, TRAIN, VAL, weights


class KilledError(Exception):
    """The process ends here."""


class Deadly(Checkpoints):
    """Kills the process after the first state that is kept."""

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


@pytest.mark.parametrize(
    ("shape", "settings"), [(RANDOM, STOPPED), (TINY, TO_THE_END)], ids=["stopped", "to the end"]
)
def test_a_training_killed_after_every_epoch_ends_with_the_same_weights(folder, shape, settings):
    whole = fit_network(shape, [TRAIN], [VAL], settings, seed=5)
    assert settings is TO_THE_END or whole.history["learning_rate"].nunique() > 1
    n_killed = 0
    while True:
        try:
            fit = fit_network(shape, [TRAIN], [VAL], settings, 5, None, Deadly(folder, pytest.fail))
            break
        except KilledError:
            n_killed += 1
    assert n_killed == len(whole.history) + settings.members  # after each epoch, and after each network
    assert weights(fit) == weights(whole)
    unlike = ["seconds"]
    assert fit.history.drop(columns=unlike).equals(whole.history.drop(columns=unlike))


def test_a_training_killed_within_an_epoch_repeats_that_epoch(folder):
    whole = fit_network(TINY, [TRAIN], [VAL], ALONE, seed=5)

    def kill(progress):
        if (progress.epoch, progress.batch) == (2, 1):
            raise KilledError

    with pytest.raises(KilledError):
        fit_network(TINY, [TRAIN], [VAL], ALONE, 5, kill, Checkpoints(folder, pytest.fail))
    assert Checkpoints(folder, pytest.fail).n_epochs == 1
    fit = fit_network(TINY, [TRAIN], [VAL], ALONE, 5, None, Checkpoints(folder, pytest.fail))
    assert weights(fit) == weights(whole)


STATE = MemberState(
    False, {"rows": [{"loss": 0.1}], "best": None}, {"variables": [np.arange(3.0)], "none": []}
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
    further = replace(STATE, facts={"rows": [{"loss": 0.1}] * 3})
    Checkpoints(folder, pytest.fail).write(1, further)
    anew = Checkpoints(folder, pytest.fail, restart=True)
    assert anew.n_epochs == 3
    assert anew.read(1) is None
    anew.write(1, STATE)
    assert Checkpoints(folder, pytest.fail).read(1).facts == further.facts
    anew.write(1, replace(STATE, facts={"rows": [{"loss": 0.2}] * 4}))
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
