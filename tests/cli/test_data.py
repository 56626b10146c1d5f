"""The command `data` and its subcommands."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, PriceProvenance, table_hash
from tests.helpers import random_prices


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LSTM_STOCK_DATA", raising=False)
    store = Store(tmp_path / "data")
    for ticker, table in (("AAPL", random_prices(30)), ("^GSPC", random_prices(300, seed=1))):
        origin = PriceProvenance(
            source="yahoo",
            fetched_at="2024-01-02T03:04:05+00:00",
            requested_start=None,
            requested_end="2020-01-01",
            currency="USD",
            exchange=None,
            hash=table_hash(table),
            partial=f"{table.index[-1]:%F}" if ticker == "AAPL" else None,
            notes=("the open is 0 on 3 dates",) if ticker == "AAPL" else (),
        )
        store.write(PriceHistory(ticker, table, origin))
    return store


def damage(store: Store, ticker: str) -> None:
    path = store.path(ticker)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))


def test_the_list_has_rows_range_source_age_and_notes(cli, place):
    answer = cli("data")
    assert (answer.code, answer.err) == (0, "")
    header, _, first, second = [line for line in answer.out.splitlines() if line.strip()]
    assert header.split() == ["ticker", "rows", "from", "to", "source", "age", "notes"]
    assert first.split()[:5] == ["AAPL", "30", "2015-01-01", "2015-02-11", "yahoo"]
    assert "the bar of 2015-02-11 was fetched before its session was over (+0)" not in first
    assert "the bar of 2015-02-11 was fetched before its session was over" in first
    assert second.split()[:5] == ["^GSPC", "300", "2015-01-01", "2016-02-24", "yahoo"]
    rows = json.loads(cli("data", "--format", "json").out)
    assert [row["ticker"] for row in rows] == ["AAPL", "^GSPC"]
    assert rows[0]["notes"].endswith("; the open is 0 on 3 dates")
    assert (
        cli("data", "--format", "csv").out.splitlines()[0] == "ticker,interval,rows,from,to,source,age,notes"
    )


def test_an_empty_store_is_reported(cli, tmp_path):
    answer = cli("data", "--data-dir", tmp_path / "none")
    assert (answer.code, answer.out) == (0, "")
    assert "is empty; `lstm-stock fetch AAPL` fills it" in answer.err
    assert cli("data", "--format", "json", "--data-dir", tmp_path / "none").out == "[]\n"
    assert cli("data", "check", "--data-dir", tmp_path / "none").code == 0


def test_show_prints_the_origin_and_the_newest_bars(cli, place):
    answer = cli("data", "show", "aapl", "--tail", "3")
    assert answer.code == 0
    lines = [line for line in answer.out.splitlines() if line.strip()]
    assert [line.split()[0] for line in lines] == [
        "date",
        lines[1].split()[0],
        "2015-02-09",
        "2015-02-10",
        "2015-02-11",
    ]
    for fact in (
        "AAPL: 30 bars",
        "the earliest to 2020-01-01",
        "source yahoo",
        "currency USD",
        "exchange unknown",
    ):
        assert fact in answer.err
    assert "note: the open is 0 on 3 dates" in answer.err
    bars = json.loads(cli("data", "show", "AAPL", "--tail", "2", "--format", "json", "--quiet").out)
    table = place.read("AAPL").table
    assert [bar["close"] for bar in bars] == table["close"].tolist()[-2:]
    assert len(cli("data", "show", "AAPL", "--tail", "1000", "--format", "csv").out.splitlines()) == 31


def test_an_export_round_trips_to_the_last_digit(cli, place, tmp_path):
    assert cli("data", "export", "AAPL", "--csv", "out.csv").code == 0
    assert cli("data", "export", "AAPL", "--csv").out == (tmp_path / "out.csv").read_text()
    assert cli("fetch", "BACK", "--from-csv", "out.csv").code == 0
    assert table_hash(place.read("BACK").table) == table_hash(place.read("AAPL").table)
    answer = cli("data", "export", "AAPL", "out.csv")
    assert (answer.code, answer.out) == (2, "")
    assert "out.csv exists already" in answer.err
    assert cli("data", "export", "^GSPC", "out.csv", "--force").code == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 301
    assert "cannot be written" in cli("data", "export", "AAPL", "no/folder/out.csv").err


def test_a_damaged_file_is_reported_and_the_others_are_listed(cli, place):
    damage(place, "AAPL")
    listed = cli("data")
    assert listed.code == 0
    assert "damaged" in listed.out and "^GSPC" in listed.out
    assert listed.err.startswith("warning: the file ")
    assert "AAPL.parquet is damaged" in listed.err
    for command in (("data", "show", "AAPL"), ("data", "export", "AAPL")):
        answer = cli(*command)
        assert (answer.code, answer.out) == (2, "")
        assert "AAPL.parquet is damaged" in answer.err
        assert "`lstm-stock fetch AAPL --refresh` replaces it" in answer.err
    checked = cli("data", "check")
    assert checked.code == 2
    assert checked.out.splitlines()[0] == "AAPL: damaged"
    assert "AAPL.parquet is damaged" in checked.err
    assert "2 checked: 1 damaged, 1 with notes" in checked.err


def test_check_reports_suspicious_prices(cli, place):
    table = random_prices(300, seed=1)
    table.iloc[:5, table.columns.get_loc("open")] = 0.0
    table = table[table.index != pd.Timestamp("2015-03-04")]
    origin = place.read("^GSPC").provenance
    changed = {**origin.__dict__, "exchange": "XNYS", "hash": table_hash(table)}
    place.write(PriceHistory("^GSPC", table, PriceProvenance(**changed)))
    (place.root / "prices" / ".AAPL~.tmp").write_bytes(b"half")
    answer = cli("data", "check")
    assert answer.code == 0
    first, second = answer.out.splitlines()
    assert first == "AAPL: its exchange is unknown: not checked for missing sessions"
    assert "1 session of XNYS without a bar: 2015-03-04" in second
    assert "bars on a day without a session of XNYS: 2015-01-01" in second
    assert "suspicious: the open is 0 on 5 dates, 2015-01-01 to 2015-01-07" in second
    assert ".AAPL~.tmp: not a file of this program; it is never read" in answer.err
    only = cli("data", "check", "^GSPC", "--quiet")
    assert (only.out.splitlines(), only.err) == ([second], "")


def test_an_unknown_ticker_is_reported_with_similar_ones(cli, place):
    for command in ("show", "export", "check"):
        answer = cli("data", command, "APPL")
        assert (answer.code, answer.out) == (2, "")
        assert "did you mean AAPL?" in answer.err


def test_an_option_before_the_subcommand_is_refused(cli, place, tmp_path):
    answer = cli("data", "--data-dir", tmp_path / "other", "show", "AAPL")
    assert answer.code == 2
    assert "got an option before `show`, expected it after" in answer.err


def test_no_subcommand_changes_a_file(cli, place):
    before = {path: path.read_bytes() for path in place.root.rglob("*") if path.is_file()}
    for command in (("data",), ("data", "show", "AAPL"), ("data", "export", "AAPL"), ("data", "check")):
        assert cli(*command).code == 0
    assert {path: path.read_bytes() for path in place.root.rglob("*") if path.is_file()} == before


def test_a_zero_open_is_reported_before_training(cli, place):
    table = random_prices(400, seed=2)
    table.iloc[200, table.columns.get_loc("open")] = 0.0
    table.to_csv("zero.csv")
    fetched = cli("fetch", "ZERO", "--from-csv", "zero.csv")
    assert fetched.code == 0
    assert "suspicious: the open is 0 on 1 date" in fetched.err
    answer = cli("train", "--set", "data.tickers=[ZERO]", "--set", "data.end=null")
    assert answer.code == 2
    assert "the features of ZERO cannot be computed on the bar of" in answer.err
    assert "`data.start`" in answer.err
