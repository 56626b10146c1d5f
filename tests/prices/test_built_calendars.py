from __future__ import annotations

import datetime as dt
import subprocess
import sys
import warnings
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from exchange_calendars import get_calendar
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.prices import built_calendars, calendars
from lstm_stock.prices.built_calendars import calendar_of, read_calendar

CHEAP = "24/5"
"""A calendar that is built in some milliseconds."""


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def build():
    """Return the calendar of `CHEAP`, not that of an earlier call in this process."""
    return calendar_of.__wrapped__(CHEAP)


def same(one, other) -> bool:
    return (
        (one.first, one.last) == (other.first, other.last)
        and np.array_equal(one.sessions, other.sessions)
        and np.array_equal(one.starts, other.starts)
        and np.array_equal(one.ends, other.ends)
    )


def test_a_kept_calendar_is_the_built_one(empty_cache):
    assert read_calendar(CHEAP) is None
    built = build()
    kept = read_calendar(CHEAP)
    assert kept is not built and same(kept, built)
    assert kept.sessions.dtype == kept.ends.dtype == np.dtype("datetime64[s]")


@lru_cache
def schedule_of_library(code: str) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return get_calendar(code, start="2021-01-01", end="2029-12-31").schedule[["open", "close"]]


@settings(deadline=None, max_examples=25)
@given(
    # New Zealand's early closes are on the day before in UTC.
    code=st.sampled_from(["XNYS", "XNZE", "XSAU", "24/7"]),
    start=st.dates(dt.date(2021, 1, 1), dt.date(2028, 12, 1)),
    n_days=st.integers(0, 400),
)
def test_sessions_their_starts_and_their_ends_are_those_of_the_library(code, start, n_days):
    calendar_of(code)  # builds and keeps it
    kept = read_calendar(code)
    assert kept is not None
    first, last = pd.Timestamp(start), pd.Timestamp(start) + pd.Timedelta(days=n_days)
    last = min(last, kept.last)
    expected = schedule_of_library(code)[first:last]
    assert list(kept.between(first, last)) == list(expected.index.to_numpy("datetime64[s]"))
    rows = np.searchsorted(kept.sessions, kept.between(first, last))
    for times, of_library in ((kept.starts, expected["open"]), (kept.ends, expected["close"])):
        assert list(times[rows]) == list(of_library.dt.tz_convert(None).to_numpy("datetime64[s]"))
    assert list(calendars.sessions_between(code, first, last)) == list(expected.index)
    assert [calendars.session_start(code, day.date()) for day in expected.index] == list(expected["open"])
    assert [calendars.session_end(code, day.date()) for day in expected.index] == list(expected["close"])


def test_early_closes_are_kept():
    calendar_of("XNYS")
    kept = read_calendar("XNYS")
    row = np.searchsorted(kept.sessions, np.datetime64("2024-11-29"))
    assert kept.ends[row] == np.datetime64("2024-11-29T18:00:00")
    assert kept.ends[row - 1] == np.datetime64("2024-11-27T21:00:00")


def test_a_calendar_that_cannot_be_built_is_kept_as_such(empty_cache, monkeypatch):
    assert calendar_of.__wrapped__("ASEX") is None
    monkeypatch.setattr(built_calendars, "_build", lambda code: pytest.fail("built again"))
    assert calendar_of.__wrapped__("ASEX") is None


def arrays_of(gaps: list[int]) -> dict[str, np.ndarray]:
    zeros = np.zeros(len(gaps), np.int32)
    return {"gaps": np.array(gaps, np.int32), "starts": zeros, "ends": zeros + 1}


def flip_a_bit(raw: bytes) -> bytes:
    # In the middle of the compressed numbers.
    at = len(raw) // 2
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


@pytest.mark.parametrize(
    "damage", [lambda raw: b"", lambda raw: raw[:-30], lambda raw: b"no zip" + raw[6:], flip_a_bit]
)
def test_a_damaged_file_is_built_again(empty_cache, damage):
    built, path = build(), built_calendars._path(CHEAP)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert read_calendar(CHEAP) is None
    assert same(build(), built)
    assert same(read_calendar(CHEAP), built)


@pytest.mark.parametrize(
    "change",
    [
        {"about": np.array(["1", CHEAP])},
        {"about": np.array(["2", "24/6"])},
        {"about": np.array([["2", CHEAP]], object)},
        arrays_of([1, 0]),
        arrays_of([1, 1]) | {"gaps": np.array([1, 1], np.int64)},
        {"gaps": np.array([1, 1], np.int32)},
        arrays_of([99_999]),
        arrays_of([1]) | {"ends": np.array([1_000_000], np.int32)},
        arrays_of([1]) | {"starts": np.array([1], np.int32)},
        {"span": np.array(["2000-01-01"], "datetime64[D]")},
        {"span": np.array(["NaT", "NaT"], "datetime64[D]")},
    ],
)
def test_a_file_with_other_arrays_is_not_read(empty_cache, change):
    build()
    path = built_calendars._path(CHEAP)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file}
    np.savez(path, **arrays)
    assert read_calendar(CHEAP) is not None
    np.savez(path, **(arrays | change))
    assert read_calendar(CHEAP) is None


def test_another_version_of_the_library_builds_its_own(empty_cache, monkeypatch):
    build()
    monkeypatch.setattr(built_calendars.metadata, "version", lambda name: "99.0")
    assert read_calendar(CHEAP) is None


def test_a_folder_that_cannot_be_written_is_only_slow(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert len(build().sessions) > 50_000
    assert calendars.check_exchange.__wrapped__("nyse") == "XNYS"


def test_two_processes_do_not_write_one_file(empty_cache):
    path = built_calendars._path(CHEAP)
    path.parent.mkdir(parents=True)
    with FileLock(path.with_suffix(".lock")):
        assert len(build().sessions) > 50_000
    assert not path.exists()


def test_a_kept_calendar_does_without_the_library(cache_folder):
    calendar_of("XNYS")
    code = (
        "import sys, datetime as dt\nfrom lstm_stock.prices import calendars\n"
        "assert calendars.check_exchange(' XNYS ') == 'XNYS' and calendars.check_exchange('24/7') == '24/7'\n"
        "assert str(calendars.next_sessions('XNYS', dt.date(2023, 12, 29), 1)[0].date()) == '2024-01-02'\n"
        "assert calendars.session_end('XNYS', dt.date(2024, 1, 2)).hour == 21\n"
        "print('exchange_calendars' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_name_is_no_path(empty_cache):
    for name in ("../XNYS", "", "x" * 5000, "a\0b"):
        assert read_calendar(name) is None
