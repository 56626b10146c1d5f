"""Runs saved by an earlier version stay readable: `data/` holds files as it wrote them."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_stock.dataset.series import FittedTicker
from lstm_stock.network.cells.base import cell_of
from lstm_stock.prices.store import Store
from lstm_stock.runs.catalog import find_run
from lstm_stock.workflow.predict import predict
from lstm_stock.workflow.run_bars import RunBars

DATA = Path(__file__).parent / "data"


@pytest.fixture
def run(tmp_path):
    shutil.copytree(DATA / "run", tmp_path / "20261127-183550-AAPL-lstm")
    return find_run(tmp_path, None)


def test_every_file_of_an_earlier_run_is_read(run):
    assert run.config.model.cell == run.scores["model"].iloc[0] == "lstm"
    assert run.provenance.n_params == run.network.count_params() == 719
    assert list(run.scalers) == list(run.calibrators) == ["AAPL"]
    assert len(run.history) == 2
    assert set(run.forecasts["model"]) == set(run.scores["model"])
    assert run.verdict["point"]["verdict"]


def test_an_earlier_run_makes_the_forecast_it_made(run, trained):
    prediction = predict(RunBars(run, Store(trained.data), None), "AAPL", dt.date(2024, 1, 2))
    expected = pd.DataFrame(json.loads((DATA / "prediction.json").read_text()))
    # The column is newer than the run; the sample pays no dividends.
    assert list(prediction.table) == [*expected, "dividend"]
    assert not prediction.table["dividend"].any()
    numbers = list(expected.select_dtypes("number"))
    np.testing.assert_allclose(prediction.table[numbers], expected[numbers], rtol=1e-6)
    assert prediction.table["date"].astype(str).tolist() == expected["date"].tolist()


@pytest.mark.parametrize("cell", ["ntm", "peephole", "token", "transformer"])
def test_the_layers_of_an_earlier_network_are_known(cell):
    import keras

    cell_of(cell)
    config = json.loads((DATA / "networks" / f"{cell}.json").read_text())
    assert keras.saving.deserialize_keras_object(config).outputs


def test_the_regularisers_of_an_earlier_network_are_known():
    import keras

    cell_of("lstm")
    config = json.loads((DATA / "networks" / "zoneout.json").read_text())
    assert "Zoneout" in json.dumps(config)
    assert keras.saving.deserialize_keras_object(config).outputs


def test_an_earlier_scaler_with_a_har_model_is_written_as_it_was():
    saved = json.loads((DATA / "scaler-har.json").read_text())["AAPL"]
    assert FittedTicker.from_json(saved, "har").to_json() == saved
