"""What many tests need once: the command line in this process, and one small trained run on the sample."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from tests.reused_networks import reused_networks, untraced_forecasts, without_graph_optimizer

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: one thread each, here and in the commands that tests start.
    for name in (
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    ):
        os.environ.setdefault(name, "1")

TINY = (
    *("--set", "model.units=[4]"),
    *("--set", "model.dense=[4]"),
    *("--set", "window.look_back=10"),
    *("--set", "window.horizon=3"),
    *("--set", "training.epochs=2"),
    *("--set", "training.batch_size=256"),
    *("--set", "training.early_stopping=null"),
)
"""A network that trains in two seconds and is worse than its start, which early stopping would keep."""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the calendars that tests build out of the user's cache folder; commands in new processes read them."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Call `lstm-stock` with these arguments and return its output."""
    return lambda *arguments: call_cli(monkeypatch, capsys, *arguments)


class Captured:
    """`capsys` for more than one test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._out, self._err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdout", self._out)
        monkeypatch.setattr(sys, "stderr", self._err)

    def readouterr(self) -> SimpleNamespace:
        return SimpleNamespace(out=self._out.getvalue(), err=self._err.getvalue())


def call_cli(monkeypatch, capsys, *arguments: object) -> Answer:
    from lstm_stock.cli import main

    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["lstm-stock", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    captured = capsys.readouterr()
    return Answer(int(end.value.code or 0), captured.out, captured.err)


@pytest.fixture(scope="session")
def shared_networks() -> dict[Hashable, object]:
    """The networks that the trainings of all tests share."""
    return {}


@pytest.fixture
def networks_traced_once(shared_networks: dict[Hashable, object]) -> Iterator[None]:
    """Let trainings share what TensorFlow traces, which takes most of a tiny training."""
    with reused_networks(shared_networks):
        yield


@dataclass(frozen=True)
class Trained:
    """Folders with the sample in the store and one tiny run, which tests must not change."""

    data: Path
    runs: Path

    @property
    def options(self) -> tuple[str, ...]:
        return ("--data-dir", str(self.data), "--runs-dir", str(self.runs))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A training of a network of its own, which the first worker that needs it makes for all."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    done = Trained(root / "trained" / "data", root / "trained" / "runs")
    with FileLock(root / "trained.lock"):
        if not list(done.runs.glob("[!.]*")):
            _train_on_sample(done)
    return done


def _train_on_sample(folders: Trained) -> None:
    from lstm_stock.config import load_config
    from lstm_stock.prices.sources import FetchOptions
    from lstm_stock.prices.store import Store
    from lstm_stock.prices.update import fetch_into
    from lstm_stock.workflow.train import Reports, train

    store = Store(folders.data)
    fetch_into(store, "AAPL", FetchOptions(source="sample"))
    config = load_config(None, [value for value in TINY if value != "--set"])
    with without_graph_optimizer(), untraced_forecasts():
        train(config, store, folders.runs, Reports.only_notes(lambda note: None))
