"""Many tickers scored by several workers: the same run, in the same order, and nothing lost if one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_stock.config import load_config
from lstm_stock.dataset.build import windows_by_split
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.series import window_spec
from lstm_stock.dataset.split import split_of
from lstm_stock.distributions import StudentT
from lstm_stock.distributions.intervals import LEVELS, Calibrator
from lstm_stock.errors import ConfigError
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from lstm_stock.runs.catalog import find_run
from lstm_stock.scoring.verdict import Subject
from lstm_stock.workflow import scoring
from lstm_stock.workflow import train as training
from lstm_stock.workflow.scoring import ScoreJob, score_ticker, score_tickers
from lstm_stock.workflow.train import Reports, train
from tests.conftest import TINY
from tests.forked import ForkedCommand
from tests.helpers import is_running, random_prices

pytestmark = pytest.mark.usefixtures("networks_traced_once")

TICKERS = ("AAA", "BBB", "CCC", "DDD")
SETTINGS = [value for value in TINY if value != "--set"]
SETTINGS += ["training.epochs=1", "window.horizon=2", "data.start=null", "data.end=null"]
CONFIG = load_config(None, [f"data.tickers=[{','.join(TICKERS)}]", *SETTINGS])
QUIET = Reports.only_notes(lambda _: None)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """Four tickers; the second has too few bars in sample for a GARCH."""
    store = Store(tmp_path_factory.mktemp("scoring"))
    for i, ticker in enumerate(TICKERS):
        table = random_prices(420, i)
        table = table.iloc[180:] if ticker == "BBB" else table
        origin = PriceProvenance(
            "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", "XNYS", table_hash(table)
        )
        store.write(PriceHistory(ticker, table, origin))
    return store


@pytest.fixture(scope="module")
def short_store(tmp_path_factory) -> Store:
    """As many tickers, each with too few bars in sample for a GARCH, which takes longest."""
    return stored(tmp_path_factory.mktemp("short"), TICKERS)


def stored(root: Path, tickers: Sequence[str]) -> Store:
    store = Store(root)
    for i, ticker in enumerate(tickers):
        table = random_prices(300, i)
        origin = PriceProvenance(
            "csv", "2024-01-02T00:00:00+00:00", None, None, "USD", "XNYS", table_hash(table)
        )
        store.write(PriceHistory(ticker, table, origin))
    return store


@pytest.fixture(scope="module")
def jobs(store) -> list[ScoreJob]:
    reader = PriceReader(CONFIG.data, store)
    split = split_of(CONFIG.split, reader.dates(TICKERS))
    windows = windows_by_split(TICKERS, BarLoader(reader.adjusted), window_spec(CONFIG), split)
    return [
        ScoreJob(
            subject=Subject("lstm", "adaptive"),
            windows=test,
            returns=StudentT(np.zeros_like(test.returns), 0.8 * test.volatility_scale, 5.0),
            calibrator=Calibrator("adaptive", LEVELS, np.ones((2, len(LEVELS)))),
            adjusted=reader.adjusted(test.series.ticker),
            split=split,
            n_tickers=len(TICKERS),
        )
        for test in windows.test
    ]


def use_workers_from(n_tickers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "MIN_TICKERS", n_tickers)
    monkeypatch.setattr(scoring, "TICKERS_PER_WORKER", 2)


def kill_in_worker(job: ScoreJob) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_return_the_same_bits_in_the_order_of_the_jobs(jobs, monkeypatch):
    use_workers_from(len(jobs), monkeypatch)
    expected = [score_ticker(job) for job in jobs]
    found = list(score_tickers(iter(jobs), len(jobs), 2))
    assert tuple(one.ticker for one in found) == TICKERS
    for ours, theirs in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(ours.forecasts, theirs.forecasts, check_exact=True)
        pd.testing.assert_frame_equal(ours.scores, theirs.scores, check_exact=True)
        for step, tables in ours.loss_tables.items():
            pd.testing.assert_frame_equal(tables.crps, theirs.loss_tables[step].crps, check_exact=True)
        assert (ours.verdict, ours.notes) == (theirs.verdict, theirs.notes)
    (_, notes, *_) = (one.notes for one in found)
    assert [note.split(":")[0:2] for note in notes] == [
        ["BBB", " baseline garch is left out"],
        ["BBB", " baseline gjr is left out"],
    ]


def test_few_tickers_start_no_worker(jobs, monkeypatch):
    def fail(*_, **__):
        raise AssertionError

    monkeypatch.setattr(scoring, "run_calls", fail)
    assert [one.ticker for one in score_tickers(iter(jobs[:2]), 2, 8)] == ["AAA", "BBB"]


def test_jobs_are_drawn_as_workers_get_free(jobs, monkeypatch):
    use_workers_from(1, monkeypatch)
    drawn = []

    def many():
        for i in range(8):
            drawn.append(i)
            yield replace(jobs[1], subject=Subject(f"network {i}"))  # the quickest

    results = score_tickers(many(), 8, 2)
    for i, scored in enumerate(results):
        assert scored.scores["model"][0] == f"network {i}"
        assert len(drawn) <= i + 1 + 4
    assert len(drawn) == 8


def test_a_worker_needs_neither_keras_nor_tensorflow():
    code = "import sys, lstm_stock.workflow.scoring; print({'keras', 'tensorflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_killed_worker_loses_no_training(short_store, tmp_path, monkeypatch):
    train(CONFIG, short_store, tmp_path / "whole", QUIET)
    use_workers_from(len(TICKERS), monkeypatch)
    with monkeypatch.context() as patched, pytest.raises(ConfigError) as killed:
        patched.setattr(scoring, "score_ticker", kill_in_worker)
        train(CONFIG, short_store, tmp_path / "killed", QUIET, n_workers=1)
    assert killed.value.message == "a worker process was killed, perhaps because memory ran out"
    assert killed.value.hint == "choose fewer `--jobs`, and add `--resume`: the trained network is kept"
    assert [path.name[:10] for path in (tmp_path / "killed").iterdir()] == [".training-"]

    notes = []
    reports = Reports.only_notes(notes.append)
    run = train(CONFIG, short_store, tmp_path / "killed", reports, resume=True, n_workers=2)
    assert "continuing after epoch 1" in notes
    whole = find_run(tmp_path / "whole", None)
    pd.testing.assert_frame_equal(run.forecasts, whole.forecasts, check_exact=True)
    assert list(run.forecasts["ticker"].unique()) == list(TICKERS)
    assert (run.path / "scores.json").read_bytes() == (whole.path / "scores.json").read_bytes()


def test_ctrl_c_while_scoring_keeps_the_training(short_store, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    notes = []
    monkeypatch.setattr(training, "score_tickers", lambda *_: (interrupt() for _ in range(1)))
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, short_store, tmp_path, Reports.only_notes(notes.append))
    assert notes[-1] == "interrupted while scoring: the trained network is kept, and `--resume` scores it"
    assert [path.name[:10] for path in tmp_path.iterdir()] == [".training-"]


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
def test_ctrl_c_ends_the_workers_at_once(tmp_path):
    """As a terminal sends it: to the workers as well."""
    tickers = [f"T{i}" for i in range(scoring.MIN_TICKERS)]
    stored(tmp_path / "data", tickers)
    words = ["train", "--jobs", 2, "--data-dir", tmp_path / "data", "--runs-dir", tmp_path / "runs"]
    for setting in (*SETTINGS, f"data.tickers=[{','.join(tickers)}]"):
        words += ["--set", setting]
    process = ForkedCommand(words, tmp_path)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "runs").glob(".*/forecasts.parquet")):
        assert process.poll() is None, process.communicate(0)
        assert time.monotonic() < deadline
        time.sleep(0.02)
    trackers, workers = partition(is_tracker, children(process.pid))
    assert len(workers) == 2
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert out == ""
    assert "interrupted while scoring: the trained network is kept, and `--resume` scores it" in err
    assert "Traceback" not in err
    assert [path.name[:10] for path in (tmp_path / "runs").iterdir()] == [".training-"]
    assert not [worker for worker in workers if is_running(worker)]
    deadline = time.monotonic() + 5
    while [tracker for tracker in trackers if is_running(tracker)]:  # ends because this process has ended
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def partition(holds: Callable[[int], bool], pids: list[int]) -> tuple[list[int], list[int]]:
    return [pid for pid in pids if holds(pid)], [pid for pid in pids if not holds(pid)]


def is_tracker(pid: int) -> bool:
    """Whether it is a process of `multiprocessing` that removes its parent's semaphores when that has ended."""
    return b"resource_tracker import main" in Path(f"/proc/{pid}/cmdline").read_bytes()
