"""The networks in the package: as their card says, small, and usable on the sample without TensorFlow."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from lstm_stock.runs.pretrained import INPUT_SETS, find_pretrained, packaged_networks
from tests.helpers import assert_fits, assert_user_error

FOLDER = packaged_networks()
NETWORKS = FOLDER.networks


def test_there_is_one_for_each_set_of_inputs_and_they_are_small():
    assert tuple(NETWORKS) == INPUT_SETS
    assert sum(path.stat().st_size for path in FOLDER.path.rglob("*") if path.is_file()) < 2 * 2**20
    assert FOLDER.card["trained_to"] <= "2021-12-31"
    assert (
        "AAPL" not in FOLDER.card["tickers"]
    )  # the sample of the package is of a ticker that they never saw


@pytest.mark.parametrize("name", INPUT_SETS)
def test_the_files_are_those_of_the_card(name):
    network = NETWORKS[name]
    hashes = FOLDER.card["networks"][name]["files"]
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in network.path.iterdir()}
    assert found == hashes
    assert list(network.provenance.tickers) == FOLDER.card["tickers"]
    assert list(network.config.features) == FOLDER.card["networks"][name]["inputs"]
    assert network.model_name == "universal"
    assert find_pretrained(f"universal/{name}").only == name
    window = np.zeros((1, network.config.window.look_back, len(network.config.columns)), np.float32)
    params = network.forecaster.predict_on_batch(window)
    assert params.shape == (1, 1, 10, 2)
    assert np.isfinite(params).all()


@pytest.fixture
def sample(cli, tmp_path):
    assert cli("fetch", "AAPL", "--source", "sample", "--data-dir", tmp_path / "data").code == 0
    return ("--data-dir", tmp_path / "data", "--runs-dir", tmp_path / "runs")


def test_predict_needs_no_run(cli, sample):
    answer = cli("predict", "aapl", *sample)
    assert answer.code == 0
    assert_fits(answer)
    assert "universal network, from the ticker's own bars alone" in answer.err
    assert "with ^VIX in the store, the network also reads it" in answer.err
    rows = json.loads(cli("predict", "AAPL", "--format", "json", *sample).out)
    assert [row["step"] for row in rows] == list(range(1, 11))
    assert rows[0]["date"] == "2024-01-02"
    assert all(row["lo_95"] < row["lo_50"] < row["y_pred"] < row["hi_50"] < row["hi_95"] for row in rows)


def test_without_a_run_all_tickers_of_the_store_are_forecast(cli, sample):
    assert json.loads(cli("predict", "--format", "json", *sample).out)[0]["ticker"] == "AAPL"
    assert_user_error(cli("predict", "--run", "newest", *sample), "there is no run")


def test_a_date_of_the_training_is_told(cli, sample):
    seen, unseen = (
        cli("predict", "AAPL", "--cutoff", day, *sample).err for day in ("2021-06-01", "2022-06-01")
    )
    assert "is no test of it" in seen
    assert "is no test of it" not in unseen


def test_no_heavy_package_is_imported(sample):
    words = ("predict", "AAPL", "--format", "csv", *map(str, sample))
    code = (
        "import sys; from lstm_stock.cli.commands import app; app(standalone_mode=False, args=sys.argv[1:]); "
        "heavy = 'tensorflow keras sklearn scipy matplotlib yfinance arch statsmodels exchange_calendars onnx'; "
        "print({name for name in heavy.split() if name in sys.modules} or '')"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
