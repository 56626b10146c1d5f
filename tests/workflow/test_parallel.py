"""Calls in worker processes: results, errors, and ends."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace

import pytest

from lstm_stock.errors import ConfigError, DataError
from lstm_stock.workflow import parallel
from lstm_stock.workflow.parallel import Engine, call_in_new_process, run_calls
from tests.helpers import (
    double,
    fail,
    is_running,
    n_blas_threads,
)


def test_no_call_runs_in_this_process():
    for n_jobs in (2, 1):
        results = list(run_calls(Engine("loky", n_jobs), double, range(4)))
        assert sorted(value for value, _ in results) == [0, 2, 4, 6]
        assert os.getpid() not in {pid for _, pid in results}
        assert len({pid for _, pid in results}) <= n_jobs


def test_workers_compute_with_one_thread():
    """With more, BLAS would add in another order, and `--jobs` or the machine would change last bits."""
    assert set(run_calls(Engine("loky", 1), n_blas_threads, range(2))) == {1}


KILLED = """
import os, signal, sys
from lstm_stock.workflow.parallel import Engine, run_calls
from tests.helpers import double, wait_long
calls = run_calls(Engine("loky", 2), wait_long, [0, 30, 30])
print(next(calls), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
def test_a_busy_worker_ends_soon_after_its_parent_is_killed():
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", KILLED], cwd=root, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while is_running(int(ended.stdout)):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_worker_that_dies_is_told():
    with pytest.raises(ConfigError, match="a worker process was killed, perhaps because memory ran out"):
        list(run_calls(Engine("loky", 2), os._exit, [3]))


@pytest.mark.parametrize("where", [1, "new process"])
def test_an_error_of_a_worker_comes_back_whole(where):
    with pytest.raises(DataError) as caught:
        if where == "new process":
            call_in_new_process(fail, 7)
        else:
            list(run_calls(Engine("loky", where), fail, [7]))
    assert caught.value.message == "7 cannot be used"
    assert caught.value.hint == "use another"


@pytest.mark.parametrize("daemon", [False, True])
def test_a_new_process_returns_the_result_and_one_that_dies_is_told(monkeypatch, daemon):
    """Also in a daemon, as the workers of a cluster are: `multiprocessing` allows them no children."""
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", daemon)
    value, pid = call_in_new_process(double, 4)
    assert value == 8
    assert pid != os.getpid()
    with pytest.raises(BrokenProcessPool):
        call_in_new_process(os._exit, 3)


def test_dask_that_is_not_installed_is_told(monkeypatch):
    def nothing(name):
        raise ImportError(name)

    monkeypatch.setattr(parallel, "import_module", nothing)
    with pytest.raises(ConfigError, match="`--backend dask` needs dask") as caught:
        list(run_calls(Engine("dask", 2), double, range(2)))
    assert "lstm-stock[dask]" in caught.value.hint


def test_a_cluster_that_does_not_answer_is_told(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(parallel, "CONNECT_SECONDS", 0.5)
    with pytest.raises(ConfigError, match=r"the dask cluster tcp://127\.0\.0\.1:9 cannot be used"):
        list(run_calls(Engine("dask", 2, "tcp://127.0.0.1:9"), double, range(2)))


def test_a_dask_cluster_that_does_not_start_is_reported(monkeypatch):
    def refuse(**_):
        raise RuntimeError("Cluster failed to start")

    monkeypatch.setattr(parallel, "import_module", lambda _: SimpleNamespace(LocalCluster=refuse))
    with pytest.raises(
        ConfigError, match="on this machine cannot be used: Cluster failed to start"
    ) as caught:
        list(run_calls(Engine("dask", 2), double, range(2)))
    assert "--cluster" not in caught.value.hint
