"""The file of the journal: its chain, its mending, its lock. What a forecast is does not matter here."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstm_stock.atomic import LOCK
from lstm_stock.errors import JournalError
from lstm_stock.runs import journal
from lstm_stock.runs.journal import Record, append
from lstm_stock.runs.journal_chain import Fault, Placed, walk
from lstm_stock.runs.journal_line import GENESIS, HEAD, About, read_forecast

START = dt.datetime(2024, 1, 30, 22, 0, tzinfo=dt.UTC)
LATER = START + dt.timedelta(days=365)
NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)


def about(n: int, ticker: str = "AAPL") -> About:
    return About(ticker, f"{START + dt.timedelta(days=n):%F}", "run-1", "ab" * 32)


def record(n: int, ticker: str = "AAPL", deadline: dt.datetime = LATER) -> Record:
    return Record(about(n, ticker), {"y_pred": [0.1 + n, 1e-17], "ticker": "é"}, deadline)


def at(n: int, hours: float = 0):
    return lambda: START + dt.timedelta(days=n, hours=hours)


def faults(folder: Path) -> list[str]:
    return [str(one) for one in walk(folder) if isinstance(one, Fault)]


def forecasts(folder: Path) -> list[tuple[str, object]]:
    placed = [one for one in walk(folder) if isinstance(one, Placed)]
    contents = [one.path.read_bytes()[one.offset : one.offset + one.size] for one in placed]
    return [(one.line.about.cutoff, read_forecast(raw)) for one, raw in zip(placed, contents, strict=True)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four lines in two months."""
    for n in range(4):
        append(tmp_path / "journal", [record(n)], at(n))
    return tmp_path / "journal"


def lines_of(folder: Path) -> list[bytes]:
    return b"".join(path.read_bytes() for path in journal.journal_files(folder)).splitlines(keepends=True)


def rewrite(folder: Path, lines: list[bytes]) -> None:
    """Put lines into the files of the months that they state."""
    for path in journal.journal_files(folder):
        path.unlink()
    for line in lines:
        month = json.loads(line)["chain"]["written"][:7]
        with (folder / f"{month}.jsonl").open("ab") as file:
            file.write(line)


def rehashed(line: bytes, **changes: object) -> bytes:
    """Change a line, and make its hash right again, as anybody can."""
    data = json.loads(line)
    del data["hash"]
    for part in ("about", "chain", "forecast"):
        data[part] |= {name: value for name, value in changes.items() if name in data[part]}
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    data["hash"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def followed(line: bytes, **changes: object) -> bytes:
    """Return a line that follows another, as anybody can write it."""
    before = json.loads(line)
    return rehashed(line, sequence=before["chain"]["sequence"] + 1, previous=before["hash"], **changes)


def write_head(folder: Path, newest: bytes) -> None:
    line = json.loads(newest)
    head = {"hash": line["hash"], "sequence": line["chain"]["sequence"], "written": line["chain"]["written"]}
    (folder / HEAD).write_text(json.dumps(head, separators=(",", ":")) + "\n")


def test_a_line_can_be_checked_without_this_package(folder):
    previous = GENESIS
    for sequence, text in enumerate(lines_of(folder), 1):
        line = json.loads(text)
        digest = line.pop("hash")
        plain = json.dumps(line, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(plain.encode()).hexdigest() == digest
        assert line["chain"]["previous"] == previous
        assert line["chain"]["sequence"] == sequence
        previous = digest
    assert json.loads((folder / HEAD).read_text()) == {
        "hash": previous,
        "sequence": 4,
        "written": "2024-02-02T22:00:00Z",
    }
    assert [path.name for path in journal.journal_files(folder)] == ["2024-01.jsonl", "2024-02.jsonl"]


def test_the_program_in_the_docs_checks_the_chain(folder, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs/journal.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(folder.parent)
    exec(program, {})
    assert capsys.readouterr().out.strip() == json.loads((folder / HEAD).read_text())["hash"]
    rewrite(folder, [line.replace(b"0.1", b"0.2") for line in lines_of(folder)])
    with pytest.raises(AssertionError):
        exec(program, {})


def test_what_is_appended_is_read_back(folder):
    assert forecasts(folder) == [(about(n).cutoff, record(n).forecast) for n in range(4)]
    assert faults(folder) == []


def test_a_second_forecast_of_the_same_is_not_written(folder):
    again = Record(about(3), {"y_pred": 7}, LATER)
    done = append(folder, [again, record(3, "MSFT"), record(3, "MSFT")], at(3))
    assert (done.written, done.known) == ((about(3, "MSFT"),), (about(3), about(3, "MSFT")))
    assert len(forecasts(folder)) == 5


def test_a_second_forecast_is_found_though_its_cutoff_is_a_day_later_in_the_east(folder):
    ahead = Record(about(5, "FPH.NZ"), {"y_pred": 1}, LATER)
    assert append(folder, [ahead], at(4)).written == (ahead.about,)
    assert append(folder, [ahead], at(4, 1)).known == (ahead.about,)


def test_a_forecast_at_or_after_its_deadline_is_not_written(tmp_path):
    deadline = START + dt.timedelta(hours=1)
    in_time, late = record(0, "A", deadline), record(0, "B", START)
    done = append(tmp_path, [in_time, late], lambda: START)
    assert (done.written, done.late) == ((in_time.about,), (late.about,))


def test_the_time_is_utc_whatever_the_zone_of_the_clock(tmp_path):
    east = dt.timezone(dt.timedelta(hours=9))
    append(tmp_path, [record(0)], lambda: dt.datetime(2024, 2, 1, 7, 30, 59, 999_999, tzinfo=east))
    assert json.loads(lines_of(tmp_path)[0])["chain"]["written"] == "2024-01-31T22:30:59Z"
    assert [path.name for path in journal.journal_files(tmp_path)] == ["2024-01.jsonl"]


def test_a_clock_behind_the_newest_line_writes_nothing(folder):
    before = lines_of(folder)
    with pytest.raises(
        JournalError, match=r"the clock says 2024-02-02T21:59:00Z, which is before the newest"
    ):
        append(folder, [record(5)], at(3, -1 / 60))
    assert lines_of(folder) == before


# What was changed is found and named.


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_change_of_any_byte_is_found_or_harmless(folder, data):
    path = data.draw(st.sampled_from([*journal.journal_files(folder), folder / HEAD]))
    was, read = path.read_bytes(), forecasts(folder)
    start = data.draw(st.integers(0, len(was) - 1))
    # The start and the end of a file are where a change may look like an unfinished write.
    start = data.draw(st.sampled_from([start, 0, len(was) - 1, len(was) - 2]))
    end = data.draw(st.integers(start, min(start + 3, len(was))))
    new = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from([b"\n", b"\0", b"\r\n", b" ", b""])))
    path.write_bytes(was[:start] + new + was[end:])
    try:
        if path.read_bytes() != was:
            assert faults(folder) or forecasts(folder) == read
    finally:
        path.write_bytes(was)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(0, 3), max_size=6))
def test_removed_repeated_and_moved_lines_are_found(folder, order):
    lines = lines_of(folder)
    try:
        rewrite(folder, [lines[i] for i in order])
        assert bool(faults(folder)) == (order != [0, 1, 2, 3])
    finally:
        rewrite(folder, lines)


@pytest.mark.parametrize(
    ("change", "place", "text"),
    [
        (lambda a: [a[0], a[1].replace(b"1.1", b"1.2"), *a[2:]], "2024-01.jsonl:2", "was changed after"),
        (
            lambda a: [a[0], rehashed(a[1], y_pred=[1.2]), *a[2:]],
            "2024-02.jsonl:1",
            "does not follow the line before it, line 2: that one was changed after this was written",
        ),
        (lambda a: [a[0], *a[2:]], "2024-02.jsonl:1", "line 2 is missing before it"),
        (lambda a: a[2:], "2024-02.jsonl:1", "lines 1 to 2 are missing before it: it is line 3"),
        (lambda a: a[:3], HEAD, "names line 4 of 2024-02-02T22:00:00Z, but the last line is line 3"),
        (lambda a: [a[0], a[1], a[3], a[2]], "2024-02.jsonl:2", "is line 3, after line 4: it was moved"),
        (lambda a: [*a, a[3]], "2024-02.jsonl:3", "is line 4, after line 4"),
        (
            lambda a: [*a, followed(a[3], written="2024-02-01T00:00:00Z")],
            "2024-02.jsonl:3",
            "its time, 2024-02-01T00:00:00Z, is before that of the line before, 2024-02-02T22:00:00Z",
        ),
        (lambda a: [*a[:3], rehashed(a[3], y_pred=[9])], "2024-02.jsonl:2", "not the line that head.json names"),
        (lambda a: [line.replace(b"\n", b"\r\n") for line in a], "2024-01.jsonl:1", "converted the line ends"),
    ],
)  # fmt: skip
def test_a_fault_names_file_and_line(folder, change, place, text):
    rewrite(folder, change(lines_of(folder)))
    found = faults(folder)
    assert any(one.startswith(f"{place}: ") and text in one for one in found), found


def test_a_line_in_the_file_of_another_month_is_found(folder):
    (folder / "2024-02.jsonl").rename(folder / "2024-03.jsonl")
    assert "2024-03.jsonl:1: its time, 2024-02-01T22:00:00Z, is not in the month of its file" in faults(
        folder
    )


def test_one_changed_line_is_one_fault(folder):
    lines = lines_of(folder)
    rewrite(folder, [lines[0].replace(b"0.1", b"0.2"), *lines[1:]])
    assert len(faults(folder)) == 1
    rewrite(folder, [lines[0], lines[3], lines[1], lines[2]])
    assert len(faults(folder)) == 3  # the lines missing before it, and each line after it


def test_a_rewritten_end_with_its_head_is_not_found_from_inside(folder):
    """What no file can prove of itself; docs/journal.md says so."""
    lines = lines_of(folder)
    newest = rehashed(lines[3], y_pred=[9])
    rewrite(folder, [*lines[:3], newest])
    write_head(folder, newest)
    assert faults(folder) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / HEAD).unlink(), "head.json is missing"),
        (lambda folder: (folder / HEAD).write_bytes(b"{}"), "cannot be read: it is damaged"),
        (
            lambda folder: (folder / "2024-02.jsonl").unlink(),
            "its newest line is line 2, not the one that head.json names, line 4",
        ),
        (
            lambda folder: (folder / "2024-02.jsonl").write_bytes(
                (folder / "2024-02.jsonl").read_bytes().replace(b"3.1", b"3.2")
            ),
            "line 4 of 2024-02-02 was changed",
        ),
        # The last newline: what follows the line before looks like an unfinished write, but was whole once.
        (
            lambda folder: (folder / "2024-02.jsonl").write_bytes(
                (folder / "2024-02.jsonl").read_bytes()[:-1] + b"x"
            ),
            "its newest line is line 3, not the one that head.json names, line 4",
        ),
        (
            lambda folder: (folder / "2024-02.jsonl").write_bytes(
                (folder / "2024-02.jsonl").read_bytes() + b"notes"
            ),
            "does not end with a line",
        ),
    ],
)
def test_nothing_is_appended_to_a_broken_journal(folder, damage, message):
    damage(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(JournalError, match=message):
        append(folder, [record(5)], at(5))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# A process that is killed, a disk that is full, and two that write.


@pytest.mark.parametrize("end", ["new month", "same month"])
@pytest.mark.parametrize("cut", [1, 2, 40, -1])
def test_an_unfinished_line_is_reported_and_mended(folder, cut, end):
    whole = lines_of(folder)
    n = 40 if end == "new month" else 4
    append(folder, [record(n)], at(n))
    newest = journal.journal_files(folder)[-1]
    head = (folder / HEAD).read_bytes()
    raw = newest.read_bytes()
    start = 0 if end == "new month" else raw[:-1].rfind(b"\n") + 1
    newest.write_bytes(raw[: start + cut] if cut > 0 else raw[:-1])
    # The process was killed before it wrote the new head.
    write_head(folder, whole[-1])
    found = [one for one in walk(folder) if isinstance(one, Fault)]
    assert [one.is_unfinished for one in found] == [True]
    done = append(folder, [record(n)], at(n, 1))
    if cut > 0:
        assert f"removed its {cut} bytes" in done.mended
        assert done.written == (about(n),)
    else:
        assert "completed it" in done.mended
        assert done.known == (about(n),)
        append(folder, [record(n + 1)], at(n, 1))
    assert lines_of(folder)[:4] == whole
    assert faults(folder) == []
    assert (folder / HEAD).read_bytes() != head


APPEND_FOREVER = """
import datetime as dt, sys
from pathlib import Path
from lstm_stock.runs.journal import Record, append
from lstm_stock.runs.journal_line import About

now = lambda: dt.datetime.now(dt.UTC)
name, n = sys.argv[2], 0
while True:
    records = [Record(About(f"{name}{n + i}", "2024-01-30", "run", "ab"), {"x": list(range(5000))},
                      dt.datetime.max.replace(tzinfo=dt.UTC)) for i in range(20)]
    done = append(Path(sys.argv[1]), records, now)
    n += 20
    print(done.head.sequence, flush=True)
"""


def start_writer(folder: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", APPEND_FOREVER, str(folder), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_kill_9_loses_no_line_that_was_reported(tmp_path):
    reported = 0
    for attempt in range(4):
        with start_writer(tmp_path, f"{attempt}-") as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline()]
            time.sleep(0.013 * attempt)
            writer.kill()
            lines += writer.stdout.read().split("\n")[:-1]
        reported = max(reported, *map(int, lines))
        assert [one for one in walk(tmp_path) if isinstance(one, Fault) and not one.is_unfinished] == []
        after = record(0, f"after {attempt}", NEVER)
        assert append(tmp_path, [after], lambda: dt.datetime.now(dt.UTC)).head.sequence > reported
    assert faults(tmp_path) == []


def test_two_writers_at_once(tmp_path):
    with start_writer(tmp_path, "a") as one, start_writer(tmp_path, "b") as other:
        assert one.stdout is not None and other.stdout is not None
        for _ in range(3):
            one.stdout.readline(), other.stdout.readline()
        # A reader meanwhile sees whole lines, or an unfinished last one.
        assert [
            found for found in walk(tmp_path) if isinstance(found, Fault) and not found.is_unfinished
        ] == []
        one.kill(), other.kill()
    names = {placed.line.about.ticker[0] for placed in walk(tmp_path) if isinstance(placed, Placed)}
    assert names == {"a", "b"}


@pytest.mark.parametrize("failing", ["write", "head"])
def test_a_full_disk_leaves_the_journal_as_it_was(folder, monkeypatch, failing):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if failing == "write" else (journal, "write_file")), full)
    for n in (4, 40):  # a file that is there, and a new one
        with pytest.raises(JournalError, match=r"nothing was written.*No space left on device"):
            append(folder, [record(n)], at(n))
    monkeypatch.undo()
    after = {
        path.name: path.read_bytes() for path in folder.iterdir() if path.stat().st_size or path.name == LOCK
    }
    assert after == before
    assert append(folder, [record(40)], at(40)).head.sequence == 5
    assert faults(folder) == []


def test_a_link_in_place_of_a_file_is_left_alone(folder, tmp_path):
    other = tmp_path / "letters.txt"
    other.write_text("no newline")
    (folder / "2024-03.jsonl").symlink_to(other)
    with pytest.raises(JournalError, match="no plain file, but a link"):
        append(folder, [record(40)], at(40))
    with pytest.raises(JournalError, match="no plain file, but a link"):
        faults(folder)
    assert other.read_text() == "no newline"


def test_a_folder_that_cannot_be_made_or_is_not_there(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="nothing was written to the journal"):
        append(tmp_path / "file" / "journal", [record(0)], at(0))
    with pytest.raises(JournalError, match="there is no journal"):
        faults(tmp_path / "journal")


def test_another_process_that_holds_the_lock_is_named(folder, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr(journal, "LOCK_SECONDS", 0.01)
    with FileLock(folder / LOCK), pytest.raises(JournalError, match="another process has been writing"):
        append(folder, [record(5)], at(5))
