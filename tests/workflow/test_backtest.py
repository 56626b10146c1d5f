"""The backtest: refits, pools, keeps what is done, and gives the same bits whoever does the work."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config import load_config
from lstm_stock.dataset.build import windows_by_split
from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.series import window_spec
from lstm_stock.errors import DataError, RunError
from lstm_stock.prices.reader import PriceReader, TickerOrigin
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.runs.backtest import FoldPart, PartsFolder, backtest_key
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS
from lstm_stock.scoring.scores import score_table
from lstm_stock.workflow import backtest
from lstm_stock.workflow.backtest import (
    Plan,
    fold_loader,
    plan_backtest,
    score_by_fold,
)
from lstm_stock.workflow.parallel import Engine
from tests.conftest import TINY, Captured, call_cli
from tests.forked import ForkedCommand
from tests.helpers import (
    COMMAND,
    assert_user_error,
    random_prices,
    tree,
)
from tests.workflow.test_backtest_pooling import made_up_forecasts

SETTINGS = (*TINY, "--set", "data.tickers=[AAA,^B]", "--set", "data.start=null", "--set", "data.end=null")
RESULTS = ("config.yaml", "folds.csv", "forecasts.parquet", "scores.json")
N_PARTS = 2 * 3
"""Two folds, each with one network and two tickers' baselines."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A store with two tickers whose calendars differ, with too few bars for a GARCH, which takes longest."""
    root = tmp_path_factory.mktemp("backtest-data")
    tables = {"AAA": random_prices(270, seed=1), "^B": random_prices(250, seed=2, start="2015-02-01")}
    for ticker, table in tables.items():
        origin = PriceProvenance(
            "csv", "2020-01-01T00:00:00+00:00", None, None, None, None, table_hash(table)
        )
        Store(root).write(PriceHistory(ticker, table, origin))
    return root


def arguments(data: Path, runs: Path, *more: object) -> list[str]:
    words = ("backtest", *SETTINGS, "--folds", 2, "--data-dir", data, "--runs-dir", runs, *more)
    return [str(word) for word in words]


@pytest.fixture(scope="module")
def done(data, tmp_path_factory) -> Path:
    """The runs folder of an undisturbed backtest by one worker."""
    runs = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as monkeypatch:
        answer = call_cli(monkeypatch, Captured(monkeypatch), *arguments(data, runs, "--jobs", 1))
    assert answer.code == 0, answer.err
    (runs / "out").write_text(answer.out)
    (runs / "err").write_text(answer.err)
    return runs


def folder_of(runs: Path) -> Path:
    (folder,) = runs.glob("*-backtest")
    return folder


def assert_same_results(runs: Path, others: Path) -> None:
    for file in RESULTS:
        assert (folder_of(runs) / file).read_bytes() == (folder_of(others) / file).read_bytes(), file


# --- what it leaves ---------------------------------------------------------------------------------------------


def test_the_folder_holds_all_and_nothing_else_is_left(done):
    folder = folder_of(done)
    assert folder.name.endswith("-AAA-%5EB-lstm-backtest")
    assert [path.name for path in done.iterdir() if path.is_dir()] == [folder.name]
    figures = {f"plots/skill_by_fold-{name}.{kind}" for name in ("AAA", "%5EB") for kind in ("png", "svg")}
    assert set(tree(folder)) == {*RESULTS, "provenance.json", *figures}
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["n_folds"] == 2
    assert provenance["window"] == "expanding"
    assert set(provenance["tickers"]) == {"AAA", "^B"}


def test_scores_can_be_worked_out_from_the_pooled_forecasts(done):
    forecasts = pd.read_parquet(folder_of(done) / "forecasts.parquet")
    assert list(forecasts) == [*FORECAST_COLUMNS, "fold"]
    saved = json.loads((folder_of(done) / "scores.json").read_text())
    for table, again in (
        (saved["scores"], score_table(forecasts)),
        (saved["folds"], score_by_fold(forecasts)),
    ):
        again = again.fillna(-1.0)
        pd.testing.assert_frame_equal(
            pd.DataFrame(table).astype({"nll": float}).fillna(-1.0), again, check_dtype=False, rtol=1e-12
        )


def test_the_regression_over_all_tickers_is_fitted_to_the_bars_before_each_block(done, data):
    forecasts = pd.read_parquet(folder_of(done) / "forecasts.parquet")
    config = load_config(None, [value for value in SETTINGS if value != "--set"])
    reader = PriceReader(config.data, Store(data))
    config, plans = plan_backtest(config, reader, Plan(2, "expanding", Engine("loky", 1)), pytest.fail)
    for plan in plans:
        windows = windows_by_split(
            plan.scored, fold_loader(config, reader, plan.fold), window_spec(config), plan.fold.split
        )
        regression = PooledT.fit([*windows.train, *windows.val])
        for test in windows.test:
            rows = forecasts[(forecasts["fold"] == plan.fold.number) & (forecasts["model"] == "pooled_t")]
            rows = rows[rows["ticker"] == test.series.ticker]
            found = rows.pivot(index="cutoff", columns="step", values="crps")
            expected = regression.forecast(test).rescale(100).crps(100 * test.returns)
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_every_model_forecasts_every_cutoff_of_the_test_period_once(done):
    forecasts = pd.read_parquet(folder_of(done) / "forecasts.parquet")
    counts = forecasts.groupby(["ticker", "model", "step", "cutoff"]).size()
    assert (counts == 1).all()
    assert forecasts.groupby(["ticker", "model"]).size().groupby("ticker").nunique().eq(1).all()
    assert set(forecasts["fold"]) == {1, 2}
    blocks = pd.read_csv(folder_of(done) / "folds.csv", parse_dates=["test_start", "test_end"])
    for fold in blocks.itertuples():
        rows = forecasts[forecasts["fold"] == fold.fold]
        assert rows["date"].min() == fold.test_start
        assert rows[rows["step"] == 1]["date"].max() <= fold.test_end


def test_tables_go_to_stdout_and_the_rest_to_stderr(done):
    out, err = (done / "out").read_text(), (done / "err").read_text()
    assert "AAA: 2 folds, expanding window, pooled" in out
    assert "^B: fold by fold, one step ahead" in out
    assert "…" not in out
    assert f"{N_PARTS} of {N_PARTS} parts done in" in err
    assert "fold 2: trained 2 epochs in" in err


@pytest.mark.usefixtures("networks_traced_once")
def test_one_fold_is_what_train_does(cli, data, tmp_path, monkeypatch):
    """All in this process: that workers change no bit is tested below."""
    monkeypatch.setattr(backtest, "run_calls", lambda _, call, jobs: (call(job) for job in jobs))
    folders = ("--data-dir", data, "--runs-dir", tmp_path)
    assert cli("train", *SETTINGS, *folders).code == 0
    assert cli("backtest", *SETTINGS, "--folds", 1, "--jobs", 1, *folders).code == 0
    (run,) = (path for path in tmp_path.iterdir() if not path.name.endswith("-backtest"))
    ours, theirs = (
        pd.read_parquet(path / "forecasts.parquet").sort_values(["ticker", "model", "cutoff", "step"])
        for path in (folder_of(tmp_path), run)
    )
    ours, theirs = ours.drop(columns="fold").reset_index(drop=True), theirs.reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


# --- the same whoever does it, and after whatever happens -------------------------------------------------------


def start(data: Path, runs: Path, n_jobs: int) -> ForkedCommand:
    """Start a backtest and wait until its first part is kept."""
    process = ForkedCommand(arguments(data, runs, "--jobs", n_jobs), runs)
    deadline = time.monotonic() + 120
    while not list(runs.glob(".backtest-*/*.parquet")):
        assert process.poll() is None, process.communicate(0)
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_killed_outright_two_workers_go_on_where_it_stopped_and_give_the_bits_of_one(
    cli, data, done, tmp_path
):
    process = start(data, tmp_path, n_jobs=1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert not list(tmp_path.glob("*-backtest"))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob(".backtest-*/*.parquet")}
    assert 1 <= len(kept) < N_PARTS
    answer = cli(*arguments(data, tmp_path, "--jobs", 2))
    assert answer.code == 0, answer.err
    assert f"continuing this backtest: {len(kept)} of {N_PARTS} parts are done" in answer.err
    assert f"{N_PARTS - len(kept)} of {N_PARTS} parts done in" in answer.err
    assert_same_results(tmp_path, done)
    assert not list(tmp_path.glob(".backtest-*"))


def test_ctrl_c_keeps_what_is_done(data, tmp_path):
    process = start(data, tmp_path, n_jobs=2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "warning: interrupted: finished parts are kept, and the same command continues from there" in err
    assert "Traceback" not in err
    parts = [path.name for path in tmp_path.glob(".backtest-*/*")]
    assert any(name.endswith(".parquet") for name in parts)
    assert not [name for name in parts if name.endswith(".tmp")]
    assert not list(tmp_path.glob("*-backtest"))


def test_a_damaged_part_is_done_again_and_another_backtest_is_not_taken_for_this_one(tmp_path):
    config = load_config(None, [])
    origins = {"AAPL": TickerOrigin("a" * 64, "2010-01-04", "2023-12-29", 3522, "sample", 6.5)}
    key = backtest_key(config, origins, 8, "expanding")
    others = {
        backtest_key(load_config(None, ["seed=8"]), origins, 8, "expanding"),
        backtest_key(config, {"AAPL": replace(origins["AAPL"], hash="b" * 64)}, 8, "expanding"),
        backtest_key(config, origins, 7, "expanding"),
        backtest_key(config, origins, 8, "rolling"),
    }
    assert len(others | {key}) == 5
    assert key == backtest_key(config, origins, 8, "expanding")
    with PartsFolder(tmp_path, key) as kept:
        part = kept.write("fold-001-network", FoldPart(made_up_forecasts(), {"epochs": 3.0}))
        again = kept.read("fold-001-network")
        assert again is not None
        pd.testing.assert_frame_equal(again.forecasts, part.forecasts, check_exact=True)
        assert again.facts == {"epochs": 3.0}
        path = kept.path / "fold-001-network.parquet"
        path.write_bytes(path.read_bytes()[:-100])
        assert kept.read("fold-001-network") is None
        assert kept.read("fold-002-network") is None
        with pytest.raises(RunError, match="another process is working on the same backtest"):
            PartsFolder(tmp_path, key).__enter__()


def test_a_folder_without_parts_is_not_left(tmp_path):
    with contextlib.suppress(DataError), PartsFolder(tmp_path, "key"):
        raise DataError("something went wrong before the first part")
    assert list(tmp_path.iterdir()) == []


# --- other commands, and bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["predict", "plot", "leakcheck"])
def test_a_backtest_is_not_taken_for_a_run(cli, data, done, command):
    folders = ("--data-dir", data, "--runs-dir", done)
    name = folder_of(done).name
    for word in (name, folder_of(done)):
        words = (command, "--run", word) if command == "predict" else (command, word)
        assert_user_error(cli(*words, *folders), f"{name} is a backtest, not a run")
    newest = ("--run", "newest") if command == "predict" else ()
    assert_user_error(cli(command, *newest, *folders), "there is no run in")


def test_runs_tells_of_backtests_but_does_not_list_them(cli, done):
    answer = cli("runs", "--runs-dir", done)
    assert answer.code == 0
    assert answer.out == ""
    assert f"newest backtests in {done}: {folder_of(done).name}" in answer.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--folds", 0), "folds"),
        (("--folds", 40), "40 folds do not fit: the test period has"),
        (("--jobs", 0), "jobs"),
        (("--window", "sliding"), "sliding"),
        (("--backend", "spark"), "spark"),
        (("--cluster", "tcp://127.0.0.1:1"), "needs `--backend dask`"),
        (("--set", "data.tickers=[NVDA]"), "NVDA"),
        (("--set", "window.look_back=300"), "one window needs"),
        (("--set", "split.test=0.9", "--set", "split.val=0.05"), "the train part of"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
    ],
    ids=str,
)
def test_bad_input_is_reported_and_nothing_is_written(cli, data, tmp_path, more, message):
    answer = cli("backtest", *SETTINGS, "--data-dir", data, "--runs-dir", tmp_path / "runs", *more)
    assert_user_error(answer, message)
    assert not (tmp_path / "runs").exists() or list((tmp_path / "runs").iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(cli, data, tmp_path):
    (tmp_path / "file").write_text("")
    assert_user_error(cli(*arguments(data, tmp_path / "file")), "the run cannot be saved")


def test_a_dask_cluster_of_two_workers_gives_the_bits_of_this_machine(data, done, tmp_path):
    pytest.importorskip("distributed")
    command = [COMMAND, *arguments(data, tmp_path, "--jobs", 2, "--backend", "dask")]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert_same_results(tmp_path, done)


def test_planning_needs_no_tensorflow():
    heavy = ("tensorflow", "keras")
    code = (
        f"import sys, lstm_stock.workflow.backtest; print([name for name in {heavy} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
