"""A command whose stderr has no reader does its work; one whose stdout has none ends with 141."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import TINY, Trained
from tests.helpers import COMMAND


def stderr_without_reader(kind: str) -> int:
    """Return the end to write to of a pipe or a terminal whose other end is closed."""
    reader, writer = os.pipe() if kind == "pipe" else os.openpty()
    os.close(reader)
    return writer


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_a_fetch_and_an_error_outlive_the_reader_of_stderr(tmp_path, kind):
    for arguments, code in ((["AAPL", "--source", "sample"], 0), (["A/B"], 2), (["--nonsense"], 2)):
        stderr = stderr_without_reader(kind)
        command = [COMMAND, "fetch", *arguments, "--data-dir", tmp_path]
        assert subprocess.run(command, stderr=stderr).returncode == code
        os.close(stderr)
    assert len(list((tmp_path / "prices").glob("AAPL.parquet"))) == 1


def test_a_training_outlives_its_terminal_and_the_reader_of_stdout(trained: Trained, tmp_path):
    """The progress bar has lost its terminal from the start, the score table its reader."""
    stdout, stderr = stderr_without_reader("pipe"), stderr_without_reader("terminal")
    command = [
        COMMAND,
        "train",
        *TINY,
        "--set",
        "data.start=2019-01-01",
        "--data-dir",
        trained.data,
        "--runs-dir",
        tmp_path,
    ]
    done = subprocess.run(command, stdout=stdout, stderr=stderr)
    os.close(stdout)
    os.close(stderr)
    assert done.returncode == 141
    assert len(list(tmp_path.glob("*-lstm"))) == 1


def test_without_stderr_stdout_holds_data_alone(tmp_path):
    """The notes of a fetch have nowhere to go, and its stdout stays empty."""
    command = f'"{COMMAND}" fetch AAPL --source sample --data-dir "{tmp_path}" 2>&-'
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_without_stdout_a_command_ends_well():
    done = subprocess.run(["sh", "-c", f'"{COMMAND}" config show >&-'], stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", ["config show", "models", "--help"])
def test_a_full_disk_is_an_error_with_a_hint(arguments):
    command = f'"{COMMAND}" {arguments} > /dev/full'
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the output cannot be written: No space left on device\n\nhint: ")


@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("x.so: failed to map segment from shared object")]
)
def test_too_little_memory_is_an_error_with_a_hint(cli, monkeypatch, error):
    from lstm_stock.runs import catalog

    def fail(_):
        raise error

    monkeypatch.setattr(catalog, "list_runs", fail)
    answer = cli("runs")
    assert answer.code == 2
    assert answer.err.startswith("error: there is not enough memory: ")
    assert "\n\nhint: give the process more" in answer.err
