from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lstm_stock import atomic
from lstm_stock.atomic import write_dir_atomically, write_file

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
