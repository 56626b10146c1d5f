from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock, Timeout

from lstm_stock import atomic
from lstm_stock.atomic import WorkDir, temporary_dir, write_dir_atomically, write_file
from lstm_stock.errors import RunError

NAME = "prices.parquet"


@pytest.fixture(params=["bytes", "function"])
def content(request):
    """Two ways to hand over `b"new"`."""
    return b"new" if request.param == "bytes" else lambda file: file.write(b"new")


@pytest.mark.parametrize("fsync", [True, False])
def test_a_file_is_written_and_replaced(tmp_path, content, fsync):
    path = tmp_path / NAME
    for _ in range(2):
        write_file(path, content, fsync)
        assert path.read_bytes() == b"new"
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / NAME
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if failing != "write":
        monkeypatch.setattr(*((os, "fsync") if failing == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space left"):
        write_file(path, full if failing == "write" else b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys
from pathlib import Path
from lstm_stock.atomic import write_file
def write(file):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
write_file(Path(sys.argv[1]), write)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_a_killed_process_leaves_is_hidden_of_another_suffix_and_goes_with_the_next_write(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(b"old")
    subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=Path(__file__).parents[1], check=False)
    (left,) = set(tmp_path.iterdir()) - {path}
    assert left.name.startswith(".")
    assert left.suffix == ".tmp"
    assert path.read_bytes() == b"old"
    write_file(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def windows(monkeypatch):
    """A disk that refuses what Windows refuses: to open a folder, to flush a file that is opened to read."""
    if os.name != "posix":
        return
    import fcntl

    real_open, real_fsync = os.open, os.fsync

    def open_no_folder(path, flags, *rest, **named):
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_open(path, flags, *rest, **named)

    def fsync_no_reader(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        real_fsync(descriptor)

    # `pathlib` must go on with the real `os`: it makes no Windows paths elsewhere.
    refusing = {"name": "nt", "open": open_no_folder, "fsync": fsync_no_reader}
    monkeypatch.setattr(atomic, "os", SimpleNamespace(**{**vars(os), **refusing}))


def test_files_and_folders_are_written_on_windows(tmp_path, windows):
    write_file(tmp_path / NAME, b"new")
    made = write_dir_atomically(tmp_path, "run", lambda folder: write_file(folder / "a", b"1"))
    assert (tmp_path / NAME).read_bytes() == b"new"
    assert (made / "a").read_bytes() == b"1"


@pytest.mark.skipif(os.name != "posix", reason="only there a folder can be flushed")
def test_a_rename_is_flushed_with_its_folder(tmp_path, monkeypatch):
    flushed, real = [], os.fsync

    def fsync(descriptor):
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc")
    monkeypatch.setattr(os, "fsync", fsync)
    write_file(tmp_path / NAME, b"new")
    assert flushed[-1] == tmp_path
    flushed.clear()
    write_dir_atomically(tmp_path / "runs", "run", lambda folder: (folder / "a").write_bytes(b"1"))
    assert flushed[0].name == "a"
    assert flushed[-1] == tmp_path / "runs"


# --- folders in use, and folders left behind --------------------------------------------------------------------

HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another_process(folder):
    command = [sys.executable, "-c", HOLD, str(folder / atomic.LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate()


def make_old(folder, days):
    then = time.time() - (days + 0.1) * 24 * 3600
    os.utime(folder, (then, then))


@pytest.mark.parametrize(
    ("prefix", "days"),
    [(atomic.TEMP_PREFIX, 1), (".training-", 30), (".backtest-", 30)],
)
def test_a_folder_left_behind_is_removed_once_it_is_old_and_no_process_holds_it(tmp_path, prefix, days):
    left, old, new = (tmp_path / f"{prefix}{name}" for name in ("left", "old", "new"))
    for folder in (left, old, new):
        folder.mkdir()
        (folder / "a").write_bytes(b"1")
    with held_by_another_process(old):
        make_old(left, days)
        make_old(old, days)
        with temporary_dir(tmp_path), WorkDir(tmp_path, "training", "key"):
            assert (old / "a").exists()
            assert (new / "a").exists()
            assert not left.exists()
    make_old(old, days)
    with temporary_dir(tmp_path), WorkDir(tmp_path, "training", "key"):
        assert not old.exists()
        assert new.exists()
    assert {path.name for path in tmp_path.iterdir()} == {new.name}


def test_a_temporary_folder_of_a_long_work_survives_another_save(tmp_path):
    with temporary_dir(tmp_path) as scratch:
        make_old(scratch, 40)
        write_dir_atomically(tmp_path, "run", lambda folder: write_file(folder / "a", b"1"))
        assert scratch.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_unfinished_work_is_found_again_however_old_it_is(tmp_path):
    with WorkDir(tmp_path, "training", "key") as folder:
        folder.write("a", b"1")
    make_old(folder.path, 40)
    with WorkDir(tmp_path, "training", "key") as folder:
        assert (folder.path / "a").read_bytes() == b"1"


def test_a_work_folder_is_locked_and_vanishes_when_empty(tmp_path):
    with WorkDir(tmp_path, "training", "key") as folder:
        with pytest.raises(RunError, match="another process is working on the same training"):
            WorkDir(tmp_path, "training", "key").__enter__()
        folder.write("a", b"1")
    assert [path.name for path in folder.path.iterdir() if path.name != atomic.LOCK] == ["a"]
    with WorkDir(tmp_path, "training", "key") as folder:
        folder.clear()
    assert not folder.path.exists()


@pytest.mark.skipif(os.name != "posix", reason="Windows deletes no locked file")
@pytest.mark.parametrize("how", ["remove", "empty", "old"])
def test_a_folder_is_locked_until_it_is_deleted(tmp_path, monkeypatch, how):
    held, real = [], shutil.rmtree

    def rmtree(folder, **named):
        with pytest.raises(Timeout):
            FileLock(folder / atomic.LOCK, timeout=0).acquire()
        held.append(folder.name)
        real(folder, **named)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    if how == "old":
        left = tmp_path / ".training-left"
        left.mkdir()
        make_old(left, 30)
    with WorkDir(tmp_path, "training", "key") as folder:
        folder.write("a", b"1")
        if how == "remove":
            folder.remove()
            (folder.path).mkdir()  # by another process
        elif how == "empty":
            folder.clear()
    assert held == [".training-left" if how == "old" else ".training-key"]
    assert folder.path.exists() is (how != "empty")


def test_a_work_folder_is_deleted_on_windows(tmp_path, windows):
    with WorkDir(tmp_path, "training", "key") as folder:
        folder.write("a", b"1")
        folder.remove()
    assert list(tmp_path.iterdir()) == []
