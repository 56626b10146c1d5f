from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config import load_config
from lstm_stock.network.training import FineTuning, TrainingResult
from lstm_stock.workflow.kept_start import note_kept_starts


def notes_of(val_losses, *changes, fine_tuning=None):
    """The notes on a training whose members had these validation losses, that of the start first."""
    rows = [
        {"member": i + 1, "epoch": epoch, "loss": 1.0 if epoch else np.nan, "val_loss": loss}
        for i, losses in enumerate(val_losses)
        for epoch, loss in enumerate(losses)
    ]
    notes = []
    fit = TrainingResult(None, pd.DataFrame(rows), False, fine_tuning)
    note_kept_starts(load_config(None, list(changes)), fit, notes.append)
    return notes


def test_a_training_with_a_better_epoch_has_no_note():
    assert notes_of([[1.5, 1.6, 1.4]]) == []
    assert notes_of([[1.5, 1.6, 1.7]], "training.early_stopping=null") == []


def test_a_start_that_was_asked_for_has_no_note():
    assert notes_of([[1.5]], "training.epochs=0", "model.head=drift_t", "model.shortcut=linear") == []


@pytest.mark.parametrize(
    ("changes", "forecast"),
    [
        ([], "no move, with the EWMA volatility"),
        (["target_scale=har"], "no move, with the volatility of `target_scale: har`"),
        (["model.head=point", "calibration=none"], "no move"),
        (
            ["model.head=drift_t", "model.shortcut=linear"],
            "what the regression pooled_t of its train windows does",
        ),
        (["target=close", "target_scale=none", "model.head=point"], "the same price at every cutoff"),
    ],
)
def test_a_start_that_is_kept_is_noted_with_its_forecast(changes, forecast):
    assert notes_of([[1.5, 1.6, 1.5]], *changes) == [
        "no epoch was better on val than the start of the network: the start is kept, which forecasts "
        + forecast
    ]


def test_of_several_networks_the_note_names_those_that_keep_their_start():
    (note,) = notes_of([[1.5, 1.6], [1.5, 1.4], [1.5, 1.7]], "training.members=3")
    assert note.startswith("no epoch was better on val than the start of network 1, 3 of 3: ")


@pytest.mark.parametrize(
    ("tuned", "text"),
    [
        (
            1.49,
            "fine-tuning is better on val than universal/own as it is (NLL 1.4900 against 1.5000), and is used",
        ),
        (1.5, "fine-tuning is no better on val (NLL 1.5000 against 1.5000): universal/own is kept as it is"),
    ],
)
def test_the_choice_between_a_pretrained_network_and_its_fine_tuning_is_noted(tuned, text):
    changes = (
        "training.epochs=0",
        "model.head=drift_t",
        "model.shortcut=linear",
        "model.start=universal/own",
    )
    assert notes_of([[1.5]], *changes, fine_tuning=FineTuning(1.5, tuned)) == [text]
