"""A command whose stderr has no reader does its work; one whose stdout has none ends with 141."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.conftest import TINY, Trained
from tests.helpers import COMMAND


def stderr_without_reader(kind: str) -> int:
    """Return the end to write to of a pipe or a terminal whose other end is closed."""
    reader, writer = os.pipe() if kind == "pipe" else os.openpty()
    os.close(reader)
    return writer


def test_a_training_outlives_the_terminal_of_its_progress_bar(trained: Trained, tmp_path):
    stderr = stderr_without_reader("terminal")
    folders = ["--data-dir", trained.data, "--runs-dir", tmp_path]
    done = subprocess.run(
        [COMMAND, "train", *TINY, *folders], stdout=subprocess.PIPE, stderr=stderr, text=True
    )
    os.close(stderr)
    assert done.returncode == 0
    assert "best baseline" in done.stdout
    assert len(list(tmp_path.glob("*-lstm"))) == 1


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_a_fetch_and_an_error_outlive_the_reader_of_stderr(tmp_path, kind):
    for arguments, code in ((["AAPL", "--source", "sample"], 0), (["A/B"], 2), (["--nonsense"], 2)):
        stderr = stderr_without_reader(kind)
        command = [COMMAND, "fetch", *arguments, "--data-dir", tmp_path]
        assert subprocess.run(command, stderr=stderr).returncode == code
        os.close(stderr)
    assert len(list((tmp_path / "prices").glob("AAPL.parquet"))) == 1


def test_a_reader_of_both_streams_that_leaves_keeps_the_work(trained: Trained, tmp_path):
    pipe = stderr_without_reader("pipe")
    command = [COMMAND, "train", *TINY, "--data-dir", trained.data, "--runs-dir", tmp_path]
    done = subprocess.run(command, stdout=pipe, stderr=pipe)
    os.close(pipe)
    assert done.returncode == 141
    assert len(list(tmp_path.glob("*-lstm"))) == 1


def test_without_stderr_stdout_holds_data_alone(trained: Trained):
    command = (
        f'"{COMMAND}" predict --format json --data-dir "{trained.data}" --runs-dir "{trained.runs}" 2>&-'
    )
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert len(json.loads(done.stdout)) == 3


def test_without_stdout_a_command_ends_well():
    done = subprocess.run(["sh", "-c", f'"{COMMAND}" config show >&-'], stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
