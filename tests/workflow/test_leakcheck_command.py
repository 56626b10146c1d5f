"""The command `leakcheck`: a config, the newest run, other prices than the run's, and its errors."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lstm_stock import baselines
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, table_hash
from tests.conftest import TINY, Trained
from tests.helpers import drop_slow_baselines, keep_corruptions, leave_out_scores

pytestmark = pytest.mark.usefixtures("networks_traced_once")


@pytest.fixture(autouse=True)
def few_baselines_and_no_scores(monkeypatch):
    drop_slow_baselines(monkeypatch)
    leave_out_scores(monkeypatch)


def test_the_command_checks_a_config_and_trains_for_it(cli, trained: Trained, monkeypatch):
    keep_corruptions(monkeypatch, "scale", "noise")
    few = ("--set", "data.start=2021-01-01")
    answer = cli(
        "leakcheck", *TINY, *few, "--cutoffs", 1, "--folds", 0, "--quiet", "--data-dir", trained.data
    )
    assert answer.code == 0, answer.err
    assert answer.err == ""
    assert re.search(r"^ weights +\d", answer.out, re.MULTILINE)


def test_the_command_ends_with_2_and_the_name(cli, trained: Trained, monkeypatch):
    def oracle(task):
        return baselines.ewma(replace(task, cutoffs=task.cutoffs + 1))

    monkeypatch.setitem(baselines.BASELINES, "oracle", baselines.BaselineSpec(oracle))
    answer = cli("leakcheck", "--cutoffs", 1, "--folds", 0, *trained.options)
    assert answer.code == 2
    assert answer.out == ""
    assert "error: leak: the forecast of the baseline `oracle` for AAPL" in answer.err
    assert "\n\nhint: a value available at a cutoff must not depend on later bars" in answer.err


def change_scaler(run: Path) -> None:
    scaler = json.loads((run / "scaler.json").read_text())
    scaler["AAPL"]["features"]["log_return"]["scale"] *= 1.5
    (run / "scaler.json").write_text(json.dumps(scaler))


def test_a_saved_scaler_that_saw_other_bars_is_named(cli, trained: Trained, tmp_path):
    shutil.copytree(trained.runs, tmp_path / "runs")
    (run,) = (tmp_path / "runs").iterdir()
    change_scaler(run)
    answer = cli("leakcheck", "--data-dir", trained.data, "--runs-dir", tmp_path / "runs")
    assert answer.code == 2
    assert "leak: the saved scaler of AAPL is not the one fitted on the train bars" in answer.err


def test_other_prices_than_the_runs_earn_a_warning(cli, trained: Trained, tmp_path, monkeypatch):
    keep_corruptions(monkeypatch, "noise")
    data = ("--data-dir", tmp_path / "data")
    cli("fetch", "AAPL", "--source", "sample", "--end", "2023-11-30", *data)
    answer = cli("leakcheck", "--cutoffs", 1, "--folds", 0, *data, "--runs-dir", trained.runs)
    assert answer.code == 0, answer.err
    assert "warning: the stored prices of AAPL are not those that" in answer.err


@pytest.fixture
def fetched_later(trained: Trained, tmp_path) -> tuple[Path, Path]:
    """A copy of the run, but without `data.end`, and a store with newer bars than the run's."""
    runs = tmp_path / "runs"
    shutil.copytree(trained.runs, runs)
    (run,) = runs.iterdir()
    config = (run / "config.yaml").read_text()
    assert "  end: 2023-12-31" in config
    (run / "config.yaml").write_text(config.replace("  end: 2023-12-31", "  end: null"))
    history = Store(trained.data).read("AAPL")
    later = history.table.iloc[-60:].set_axis(pd.bdate_range("2024-01-02", periods=60, unit="s", name="date"))
    table = pd.concat([history.table, later])
    provenance = replace(history.provenance, hash=table_hash(table))
    Store(tmp_path / "data").write(PriceHistory("AAPL", table, provenance))
    return runs, tmp_path / "data"


def test_the_command_checks_the_newest_run_and_newer_bars_than_the_runs_change_nothing(
    cli, trained: Trained, fetched_later, monkeypatch
):
    """Of a run without `data.end`, the check looks at the bars it was made from, whatever was fetched later."""
    keep_corruptions(monkeypatch, "noise")
    runs, data = fetched_later
    options = ("leakcheck", "--cutoffs", 1, "--folds", 0, "--quiet", "--runs-dir", runs, "--data-dir")
    before, after = cli(*options, trained.data), cli(*options, data)
    assert before.code == after.code == 0, after.err
    assert re.search(r"^ inputs +\d", before.out, re.MULTILINE)
    assert "no leak: a training, 3 cutoffs from 2018-12-14 to" in before.out
    assert after.err == ""
    assert after.out == before.out


def test_a_saved_scaler_is_compared_when_there_are_newer_bars(cli, fetched_later):
    runs, data = fetched_later
    (run,) = runs.iterdir()
    change_scaler(run)
    answer = cli("leakcheck", "--data-dir", data, "--runs-dir", runs)
    assert "leak: the saved scaler of AAPL is not the one fitted on the train bars" in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no-such-run",), "there is no run 'no-such-run'"),
        (("some-run", "--config", "default"), "got the run some-run and a config, expected one of them"),
        (("--cutoffs", "0"), "--cutoffs"),
        (("--set", "data.tickers=[NVDA]"), "NVDA"),
        (("--set", "data.start=2023-11-01", "--set", "window.look_back=5"), "one window needs"),
    ],
    ids=str,
)
def test_bad_input_is_told(cli, trained: Trained, arguments, message):
    answer = cli("leakcheck", *arguments, *trained.options)
    assert answer.code == 2
    assert answer.out == ""
    assert message in answer.err
    assert "\n\nhint: " in answer.err
