"""An export works where this package is not installed."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config import Config, load_config
from lstm_stock.dataset.build import build_dataset
from lstm_stock.distributions.intervals import LEVELS, Calibrator
from lstm_stock.network.build import build_ensemble, build_network
from lstm_stock.network.onnx.export import export_network
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.store import Store
from lstm_stock.prices.update import fetch_into
from lstm_stock.runs.catalog import find_run
from lstm_stock.runs.run import ModelArtifacts, save_run
from lstm_stock.workflow.forecast import architecture_of
from tests.conftest import TINY
from tests.helpers import assert_user_error, random_prices
from tests.runs.test_run import results

FILES = ["example.json", "example.py", "model.json", "model.onnx"]


def run_example(folder) -> dict[str, list]:
    """Run it where `import lstm_stock` fails, and return what it prints."""
    code = (
        f"import runpy, sys\nsys.modules['lstm_stock'] = None\nrunpy.run_path({str(folder / 'example.py')!r})"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return {
        name: json.loads(values)
        for name, _, values in (line.partition(" ") for line in done.stdout.splitlines())
    }


def test_the_example_reproduces_the_forecast_without_the_package(cli, trained, tmp_path):
    answer = cli("export", *trained.options, "--output", tmp_path / "exported", "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    assert sorted(path.name for path in (tmp_path / "exported").iterdir()) == FILES
    printed = run_example(tmp_path / "exported")
    assert list(printed) == ["location", "scale", "degrees_of_freedom"]
    predicted = pd.read_csv(io.StringIO(cli("predict", *trained.options, "--format", "csv").out))
    close = predicted["last_close"].to_numpy()
    np.testing.assert_allclose(close * np.exp(printed["location"][0]), predicted["y_pred"], rtol=1e-6)


def test_the_description_says_what_goes_in_and_comes_out(cli, trained, tmp_path):
    cli("export", *trained.options, "--output", tmp_path / "exported")
    described = json.loads((tmp_path / "exported" / "model.json").read_text())
    run = find_run(trained.runs, None)
    assert described["inputs"][0]["shape"] == ["windows", 10, 7]
    assert [one["name"] for one in described["features"]] == list(run.config.columns)
    assert described["scalers"]["AAPL"] == run.scalers["AAPL"].scaler.to_json()
    assert described["output"]["shape"] == ["windows", 1, 3, 3]
    content = (tmp_path / "exported" / "model.onnx").read_bytes()
    assert described["sha256"] == hashlib.sha256(content).hexdigest()


def test_only_an_earlier_export_is_replaced_and_only_when_asked(cli, trained, tmp_path):
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / "model.onnx").write_text("old")
    assert_user_error(cli("export", *trained.options, "--output", folder), "exists already")
    assert cli("export", *trained.options, "--output", folder, "--force").code == 0
    assert sorted(path.name for path in folder.iterdir()) == FILES
    (folder / "thesis.txt").write_text("mine")
    answer = cli("export", *trained.options, "--output", folder, "--force")
    assert_user_error(answer, "is no earlier export: it would be deleted")
    assert (folder / "thesis.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]


def test_a_run_without_an_onnx_file_a_ticker_of_no_run_and_no_folder_are_errors(cli, trained, tmp_path):
    options = ("--data-dir", trained.data, "--runs-dir", tmp_path / "runs")
    run = find_run(trained.runs, None)
    copy = shutil.copytree(run.path, tmp_path / "runs" / run.name)
    provenance = json.loads((copy / "provenance.json").read_text())
    (copy / "provenance.json").write_text(json.dumps({**provenance, "network_hashes": {}}))
    answer = cli("export", *options, "--output", tmp_path / "exported")
    assert_user_error(answer, "has no model.onnx")
    assert not (tmp_path / "exported").exists()
    assert_user_error(cli("export", *trained.options), "--output: name the folder")
    wrong = cli("export", *trained.options, "--output", tmp_path / "exported", "--ticker", "MSFT")
    assert_user_error(wrong, "was not trained on MSFT")


def save_untrained(config: Config, store: Store, runs_dir: Path) -> None:
    """Save a run of random weights, which need no training to be exported."""
    reader, spec = PriceReader(config.data, store), architecture_of(config)
    series = build_dataset(config, reader, lambda _: None).windows.series
    network = build_ensemble([build_network(spec) for _ in range(config.training.members)])
    random = np.random.default_rng(1)
    network.set_weights([one + random.normal(0, 0.2, one.shape) for one in network.get_weights()])
    saved = results()
    calibrator = Calibrator("none", LEVELS, np.ones((spec.horizon, len(LEVELS))))
    fitted = ModelArtifacts(
        network,
        {one.ticker: one.fitted for one in series},
        {one.ticker: calibrator for one in series},
        onnx=export_network(network, {}),
    )
    provenance = replace(saved.provenance, tickers=reader.origins_of(config.data.tickers))
    save_run(runs_dir, replace(saved, config=config, fitted=fitted, provenance=provenance))


SMALL = (*(value for value in TINY if value != "--set"), "calibration=none")


@pytest.mark.parametrize(
    ("settings", "printed"),
    [
        (
            ("features=[log_return,close]", "target=close", "target_scale=none", "model.head=quantile"),
            "quantiles",
        ),
        (("training.members=2", "model.head=gaussian", "scaler=none"), "mean"),
        (("training.members=2", "model.head=drift_t"), "location"),
    ],
)
def test_prices_members_and_levels_are_reproduced_too(cli, trained, tmp_path, settings, printed):
    config = load_config(None, [*SMALL, *settings])
    save_untrained(config, Store(trained.data), tmp_path / "runs")
    options = ("--data-dir", trained.data, "--runs-dir", tmp_path / "runs")
    assert cli("export", *options, "--output", tmp_path / "exported").code == 0
    values = run_example(tmp_path / "exported")
    assert next(iter(values)) == printed
    assert len(values[printed]) == (
        2 if printed == "mean" else 1
    )  # drift_t averages the parameters of members


def test_several_tickers_with_an_embedding_of_each(cli, tmp_path):
    store = Store(tmp_path / "data")
    for i, ticker in enumerate(("AAA", "BBB", "CCC")):
        file = tmp_path / f"{ticker}.csv"
        random_prices(700, i).rename_axis("Date").to_csv(file)
        fetch_into(store, ticker, FetchOptions(source="csv", csv_path=file))
    settings = ["data.tickers=[AAA,BBB]", "data.end=null", "model.ticker_embedding=2"]
    save_untrained(load_config(None, [*SMALL, *settings]), store, tmp_path / "runs")
    options = ("--data-dir", tmp_path / "data", "--runs-dir", tmp_path / "runs")
    for ticker, number in (("BBB", 2), ("CCC", 0)):
        assert cli("export", *options, "--output", tmp_path / ticker, "--ticker", ticker).code == 0
        example = json.loads((tmp_path / ticker / "example.json").read_text())
        assert (example["ticker"], example["ticker_id"]) == (ticker, number)
        run_example(tmp_path / ticker)
