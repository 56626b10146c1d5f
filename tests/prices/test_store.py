from __future__ import annotations

import datetime as dt
import errno
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lstm_stock.config import normalise_ticker
from lstm_stock.errors import DataError
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import (
    COLUMNS,
    LARGEST_PRICE,
    LARGEST_VOLUME,
    LEAST_PRICE,
    PRICES,
    PriceHistory,
    PriceProvenance,
    price_table,
    table_hash,
)
from tests.helpers import random_prices


def history(ticker: str = "AAPL", table: pd.DataFrame | None = None, **changes: str | None) -> PriceHistory:
    table = random_prices(20) if table is None else table
    facts = {
        "source": "sample",
        "fetched_at": "2024-01-02T03:04:05+00:00",
        "requested_start": "2010-01-01",
        "requested_end": None,
        "currency": "USD",
        "exchange": "XNYS",
        "hash": table_hash(table),
    }
    return PriceHistory(ticker, table, PriceProvenance(**(facts | changes)))


def everything_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


def test_what_was_written_is_read(store):
    written = history()
    store.write(written)
    read = store.read("AAPL")
    pd.testing.assert_frame_equal(read.table, written.table, check_freq=False)
    assert (read.ticker, read.provenance) == ("AAPL", written.provenance)
    assert store.tickers() == ["AAPL"]
    assert everything_in(store.root).keys() == {"prices/AAPL.parquet"}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_write_and_read_is_identity(store, data):
    n = data.draw(st.integers(1, 8))
    days = sorted(
        data.draw(st.sets(st.dates(dt.date(1800, 1, 1), dt.date(2100, 1, 1)), min_size=n, max_size=n))
    )
    positive = st.floats(LEAST_PRICE, LARGEST_PRICE)
    columns = {
        name: data.draw(
            st.lists(positive if name in PRICES else st.floats(0, LARGEST_VOLUME), min_size=n, max_size=n)
        )
        for name in COLUMNS
    }
    columns["high"] = np.maximum(columns["high"], columns["low"])
    written = history(table=price_table(np.array(days, dtype="datetime64[D]"), columns))
    store.write(written)
    read = store.read("aapl")
    pd.testing.assert_frame_equal(read.table, written.table, check_exact=True)
    assert table_hash(read.table) == table_hash(written.table)


@pytest.mark.parametrize(
    ("ticker", "file"),
    [
        ("^GSPC", "%5EGSPC.parquet"),
        ("EURUSD=X", "EURUSD%3DX.parquet"),
        ("brk-b", "BRK-B.parquet"),
        ("0700.HK", "0700.HK.parquet"),
        ("CON", "%43ON.parquet"),
        ("NUL.L", "%4EUL.L.parquet"),
        ("COM1", "%43OM1.parquet"),
        ("CONE", "CONE.parquet"),
        ("TRUE", "TRUE.parquet"),
    ],
)
def test_every_ticker_has_a_file_name_that_every_system_takes(store, ticker, file):
    assert store.path(ticker) == store.root / "prices" / file
    store.write(history(ticker.upper()))
    assert store.tickers() == [ticker.upper()]
    assert store.read(ticker).ticker == ticker.upper()


@given(one=st.text(max_size=8), other=st.text(max_size=8))
@example("A", "A.B")
@example("%41", "A")
def test_two_tickers_never_share_a_file_and_no_file_is_elsewhere(one, other):
    store, paths = Store(Path("data")), []
    for ticker in (one, other):
        try:
            path = store.path(ticker)
        except DataError:
            continue
        paths.append((normalise_ticker(ticker), path))
        assert path.parent == Path("data/prices") and not path.name.startswith(".")
    if len(paths) == 2:
        assert (paths[0][0] == paths[1][0]) == (paths[0][1].name.lower() == paths[1][1].name.lower())


@pytest.mark.parametrize("ticker", ["", "a/b", "..", "a\\b", "../../etc/passwd", "a b", "C;", "A\0"])
def test_what_is_no_ticker_is_refused(store, ticker):
    for use in (store.path, store.read, lambda text: store.write(history(text))):
        with pytest.raises(DataError, match="must be a ticker"):
            use(ticker)
    assert not store.root.exists()


def test_a_ticker_that_is_not_there_is_reported_with_its_neighbours(store):
    with pytest.raises(DataError) as caught:
        store.read("AAPL")
    assert caught.value.message == f"AAPL is not in the price store {store.root / 'prices'}, which is empty"
    assert caught.value.hint.startswith("`lstm-stock fetch AAPL` fetches it")
    store.write(history("AAPL"))
    for ticker, ending in (("APPL", "; did you mean AAPL?"), ("MSFT", "; it has AAPL")):
        with pytest.raises(DataError) as caught:
            store.read(ticker)
        assert caught.value.message.endswith(ending)


def test_foreign_files_are_no_tickers(store):
    store.write(history())
    folder = store.root / "prices"
    for name in ("notes.txt", ".AAPL~.tmp", "a b.parquet", "aapl.parquet", "%41APL.parquet", ".parquet"):
        (folder / name).write_bytes(b"x")
    assert store.tickers() == ["AAPL"]


def test_an_invalid_table_touches_nothing(store):
    table = random_prices(20)
    table.iloc[3, 3] = np.nan
    for bad, message in ((table, "`close` is missing"), (random_prices(20).iloc[:0], "there are no rows")):
        with pytest.raises(DataError, match=message):
            store.write(history(table=bad))
    with pytest.raises(ValueError, match="has the hash of another table"):
        store.write(history(hash="0" * 64))
    assert not store.root.exists()


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_full_disk_leaves_the_store_as_it_was(store, monkeypatch, fails):
    store.write(history())
    before = everything_in(store.root)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if fails == "fsync" else (Path, "replace")), full)
    with pytest.raises(DataError) as caught:
        store.write(history(table=random_prices(30)))
    assert caught.value.message.endswith("prices: No space left on device")
    assert "--data-dir" in caught.value.hint
    assert everything_in(store.root) == before


def test_a_file_in_place_of_a_folder_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "prices").write_text("")
    for root in (tmp_path / "file", tmp_path / "data"):
        with pytest.raises(DataError, match="the prices of AAPL cannot be written to"):
            Store(root).write(history())
        with pytest.raises(DataError, match=r"the price store .* cannot be read: Not a directory"):
            Store(root).read("AAPL")
    folder_in_place = Store(tmp_path / "other")
    folder_in_place.path("AAPL").mkdir(parents=True)
    with pytest.raises(DataError, match="cannot be written"):
        folder_in_place.write(history())
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        folder_in_place.read("AAPL")
    assert everything_in(folder_in_place.root) == {}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_reported(store):
    store.write(history())
    folder = store.root / "prices"
    folder.chmod(0o500)
    try:
        with pytest.raises(DataError, match=r"cannot be written .*: Permission denied"):
            store.write(history())
    finally:
        folder.chmod(0o700)


def test_any_changed_byte_of_a_file_is_detected(store):
    store.write(history())
    path = store.path("AAPL")
    good = path.read_bytes()
    whole = store.read("AAPL")
    random = np.random.default_rng(0)
    for position in random.choice(len(good), 150, replace=False):
        bad = bytearray(good)
        bad[position] ^= 1 << random.integers(8)
        path.write_bytes(bytes(bad))
        try:
            read = store.read("AAPL")
        except DataError as error:
            assert "is damaged or not of this program: " in error.message
            assert error.hint == "`lstm-stock fetch AAPL --refresh` replaces it"
        else:  # A byte that carries no fact: padding, or a statistic that no one reads.
            pd.testing.assert_frame_equal(read.table, whole.table)


def rewrite(store: Store, change) -> None:
    store.write(history())
    path = store.path("AAPL")
    pq.write_table(change(pq.read_table(path)), path)


def with_facts(table: pa.Table, **changes: object) -> pa.Table:
    facts = json.loads(table.schema.metadata[b"lstm_stock"]) | changes
    facts = {name: value for name, value in facts.items() if value != "drop"}
    return table.replace_schema_metadata({b"lstm_stock": json.dumps(facts)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda table: table.drop_columns(["volume"]),
            "its columns are `date open high low close adj_close div",
        ),
        (lambda table: table.replace_schema_metadata(None), "it does not say where its prices come from"),
        (
            lambda table: table.replace_schema_metadata({b"lstm_stock": b"[]"}),
            "it does not say where its prices",
        ),
        (
            lambda table: table.replace_schema_metadata({b"lstm_stock": b"{"}),
            "Invalid JSON: EOF while parsing an object",
        ),
        (lambda table: with_facts(table, format=3), "it was written by a newer version"),
        (lambda table: with_facts(table, ticker="MSFT"), "it holds the prices of MSFT"),
        (
            lambda table: with_facts(table, hash="0"),
            "not those that were written: their hash differs",
        ),
        (
            lambda table: with_facts(table, currency="drop"),
            "`currency`: Field required",
        ),
        (lambda table: table.slice(1), "their hash differs"),
        (lambda table: table.slice(0, 0), "there are no rows"),
        (lambda table: table.set_column(1, "open", pa.array(["x"] * 20)), "Failed to parse string"),
        (
            lambda table: table.set_column(1, "open", pa.array([None] * 20, pa.float64())),
            "`open` is missing (NaN)",
        ),
        (lambda table: table.set_column(0, "date", pa.array(range(20))), "its dates are of type int64"),
        (lambda table: table.set_column(0, "date", pa.nulls(20, pa.date32())), "row 1: has no date"),
    ],
)
def test_what_is_wrong_with_a_file_is_reported(store, change, message):
    rewrite(store, change)
    with pytest.raises(DataError) as caught:
        store.read("AAPL")
    assert "is damaged or not of this program: " in caught.value.message
    assert message in caught.value.message


def test_required_tickers_have_a_file_which_is_not_read(store):
    store.write(history())
    store.path("AAPL").write_bytes(b"damaged")
    store.require(["AAPL", "aapl"])
    with pytest.raises(DataError, match=r"APL is not in the price store .*; did you mean AAPL"):
        store.require(["AAPL", "APL"])


def test_a_file_that_is_no_parquet_is_reported(store):
    store.write(history())
    for content in (b"", b"PAR1", b"Date,Open\n", b"\0" * 5000):
        store.path("AAPL").write_bytes(content)
        with pytest.raises(DataError, match="is damaged or not of this program: "):
            store.read("AAPL")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_any_pandas_may_have_written_the_file(store, unit):
    """Dates of any unit, integers and other compression are read; pandas' own metadata is not needed."""
    table = random_prices(20).round(2)
    table[["volume", "splits"]] = [1e6, 0.0]
    written = history(table=table)
    store.write(written)
    path = store.path("AAPL")
    ours = pq.read_table(path).schema.metadata
    foreign = pa.Table.from_pandas(
        table.set_axis(table.index.as_unit(unit)).astype({"volume": "int64", "splits": "int32"})
    )
    metadata = foreign.schema.metadata | ours
    pq.write_table(foreign.replace_schema_metadata(metadata), path, compression="gzip")
    pd.testing.assert_frame_equal(store.read("AAPL").table, table, check_freq=False)


def test_others_can_read_the_file(store):
    store.write(history())
    frame = pd.read_parquet(store.path("AAPL"))
    assert list(frame) == ["date", *COLUMNS]
    assert frame["date"].iloc[0] == dt.date(2015, 1, 1)
    assert pq.read_schema(store.path("AAPL")).field("date").type == pa.date32()


def test_what_a_killed_process_left_is_never_data_and_goes_with_the_next_write(store):
    store.write(history())
    left = store.root / "prices" / ".AAPL.parquet~.tmp"
    left.write_bytes(b"half")
    assert store.tickers() == ["AAPL"]
    store.read("AAPL")
    store.write(history())
    assert not left.exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.prices.test_store import Store, history, random_prices
real = os.fsync
def kill(descriptor):
    os.kill(os.getpid(), signal.SIGKILL)
os.fsync = kill
Store(Path(sys.argv[1])).write(history(table=random_prices(500)))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_kill_in_the_middle_of_a_write_loses_nothing(store):
    store.write(history())
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(store.root)],
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=60,
    )
    assert done.returncode == -9
    assert len(store.read("AAPL").table) == 20
    store.write(history(table=random_prices(30)))  # and its lock is free
    assert everything_in(store.root).keys() == {"prices/AAPL.parquet"}


def test_a_second_writer_waits_and_is_reported_when_it_takes_too_long(store, monkeypatch):
    store.write(history())
    other = Store(store.root)
    with store._lock(store.path("AAPL")):
        monkeypatch.setattr("lstm_stock.prices.store._LOCK_SECONDS", 0.05)
        with pytest.raises(DataError, match=r"another process has been writing .*AAPL\.parquet for over 0 s"):
            other.write(history())
        other.write(history("MSFT"))  # each ticker has its own lock
        monkeypatch.setattr("lstm_stock.prices.store._LOCK_SECONDS", 30.0)
        writer = threading.Thread(target=other.write, args=(history(table=random_prices(30)),))
        writer.start()
        time.sleep(0.1)
        assert len(other.read("AAPL").table) == 20
    writer.join(timeout=30)
    assert len(other.read("AAPL").table) == 30


def test_many_writers_leave_one_whole_file(store):
    tables = [random_prices(20 + i, seed=i) for i in range(8)]
    threads = [threading.Thread(target=Store(store.root).write, args=(history(table=one),)) for one in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    read = store.read("AAPL")
    assert table_hash(read.table) in {table_hash(table) for table in tables}
    assert everything_in(store.root).keys() == {"prices/AAPL.parquet"}


def test_the_provenance_is_kept_whole(store):
    written = history(currency=None, exchange=None, requested_end="2020-01-01")
    store.write(written)
    assert store.read("AAPL").provenance == written.provenance
    store.write(replace(written, provenance=replace(written.provenance, source="csv")))
    assert store.read("AAPL").provenance.source == "csv"
