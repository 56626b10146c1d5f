"""Trainings that cannot be saved, and runs whose figures cannot all be drawn."""

from __future__ import annotations

import errno

import pytest

from lstm_stock.config import load_config
from lstm_stock.errors import DataError, RunError
from lstm_stock.prices.store import Store
from lstm_stock.runs.catalog import find_run
from lstm_stock.runs.files import ForecastWriter
from lstm_stock.workflow import plot
from lstm_stock.workflow import train as training
from lstm_stock.workflow.train import Reports, train
from tests.conftest import TINY, Trained
from tests.helpers import drop_slow_baselines

CONFIG = load_config(None, [value for value in TINY if value != "--set"])


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_only_an_error_of_writing_means_that_the_run_cannot_be_saved(trained: Trained, tmp_path, monkeypatch):
    reports = Reports.only_notes(lambda _: None)
    drop_slow_baselines(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(ForecastWriter, "add", full)
        with pytest.raises(RunError, match=r"the run cannot be saved in .*: No space left on device"):
            train(CONFIG, Store(trained.data), tmp_path, reports)
    monkeypatch.setattr(training, "fit_with_refit", full)
    with pytest.raises(OSError, match="No space left"):
        train(CONFIG, Store(trained.data), tmp_path, reports)


def test_a_figure_that_cannot_be_drawn_stops_no_other(trained: Trained, tmp_path, monkeypatch):
    def fail(*_):
        raise DataError("no prices")

    run = find_run(trained.runs, None)
    forecasts, scores = run.forecasts.replace("lstm", "attention"), run.scores.replace("lstm", "attention")
    model = run.config.model.model_copy(update={"cell": "attention"})
    changes = {
        "config": run.config.model_copy(update={"model": model}),
        "forecasts_of": lambda _: forecasts,
        "scores": scores,
    }
    vars(run).update(changes)
    monkeypatch.setattr(plot, "predict", fail)
    monkeypatch.setattr(plot, "_attention", fail)
    warnings = []
    drawn = {path.stem for path in plot.draw(run, Store(trained.data), tmp_path, None, warnings.append)}
    assert drawn == {"training", "test_period", "calibration", "reliability", "scores_by_step"}
    assert warnings == ["no forecast figure of AAPL: no prices", "no attention figure of AAPL: no prices"]
