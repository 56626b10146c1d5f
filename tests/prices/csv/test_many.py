"""Many files at once, files of many tickers, and files that are no CSV files."""

from __future__ import annotations

import io
import os
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lstm_stock.errors import DataError
from lstm_stock.prices.csv.reader import read_csv
from lstm_stock.prices.csv.text import _read_stdin
from lstm_stock.prices.store import Store

N_ROWS = 12
DAYS = pd.bdate_range("2024-01-01", periods=N_ROWS)


def frame(seed: int = 0) -> pd.DataFrame:
    close = 9.0 + seed + np.arange(N_ROWS) / 8
    columns = {"Open": close, "High": close + 1, "Low": close - 1, "Close": close, "Volume": 100 + seed}
    return pd.DataFrame({"Date": DAYS.strftime("%Y-%m-%d"), **columns})


def closes(folder, ticker: str) -> list[float]:
    return Store(folder).read(ticker).table["close"].tolist()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "prices of mine"
    place.mkdir()
    for seed, name in enumerate(("AAA.csv", "bbb.csv", "CCC.txt")):
        frame(seed).to_csv(place / name, index=False)
    (place / "notes.md").write_text("no prices")
    (place / ".hidden.csv").write_text("no prices")
    return place


def test_a_folder_is_read_file_by_file_and_named_after_the_files(cli, folder, tmp_path):
    answer = cli("fetch", "--from-csv", folder, "--data-dir", tmp_path)
    assert answer.code == 0, answer
    assert [line.split()[0] for line in answer.out.splitlines() if " 2024-" in line] == ["AAA", "CCC", "BBB"]
    assert Store(tmp_path).tickers() == ["AAA", "BBB", "CCC"]
    assert closes(tmp_path, "BBB")[0] == 10


@pytest.mark.parametrize("by", ["arguments", "pattern", "options"])
def test_several_files_are_named_as_a_shell_does_as_a_pattern_or_one_by_one(cli, folder, tmp_path, by):
    files = [folder / "AAA.csv", folder / "bbb.csv"]
    named = {
        "arguments": ("--from-csv", *files),
        "pattern": ("--from-csv", folder / "*.csv"),
        "options": ("--from-csv", files[0], "--from-csv", files[1]),
    }[by]
    assert cli("fetch", *named, "--data-dir", tmp_path).code == 0
    assert Store(tmp_path).tickers() == ["AAA", "BBB"]


def test_named_tickers_of_a_folder_alone_are_read(cli, folder, tmp_path):
    assert cli("fetch", "bbb", "CCC", "--from-csv", folder, "--data-dir", tmp_path).code == 0
    assert Store(tmp_path).tickers() == ["BBB", "CCC"]
    answer = cli("fetch", "DDD", "--from-csv", folder, "--data-dir", tmp_path)
    assert answer.code == 2
    assert "no file holds DDD; they hold AAA, BBB, CCC" in answer.err


def test_a_bad_file_does_not_stop_the_others(cli, folder, tmp_path):
    (folder / "aab.csv").write_text("<html></html>")
    (folder / "a b (1).csv").write_text((folder / "AAA.csv").read_text())
    (folder / "AAA.tsv").write_text((folder / "AAA.csv").read_text().replace(",", "\t"))
    answer = cli("fetch", "--from-csv", folder, "--data-dir", tmp_path)
    assert answer.code == 2
    assert "aab.csv is a web page, not a CSV file" in answer.err
    assert "AAA.tsv holds AAA too, which" in answer.err
    assert "error: 2 of 6 tickers failed: AAA, aab.csv" in answer.err
    assert Store(tmp_path).tickers() == ["A-B-1", "AAA", "BBB", "CCC"]


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_all_tickers_of_one_file(cli, tmp_path, layout):
    names = ("AAA", "BTC/USD", "brk.b")
    if layout == "long":
        table = pd.concat([frame(i).assign(Name=name) for i, name in enumerate(names)])
    else:
        parts = [frame(i).set_index("Date").add_prefix(f"{name} ") for i, name in enumerate(names)]
        table = pd.concat(parts, axis=1).reset_index()
    table.to_csv(tmp_path / "all.csv", index=False)
    answer = cli("fetch", "--from-csv", tmp_path / "all.csv", "--data-dir", tmp_path)
    assert answer.code == 0, answer
    third = "BRK.B" if layout == "long" else "BRK-B"
    assert Store(tmp_path).tickers() == ["AAA", third, "BTC-USD"]
    assert [closes(tmp_path, name)[0] for name in ("AAA", "BTC-USD", third)] == [9, 10, 11]
    some = ("fetch", "brk-b", "aaa", "--from-csv", tmp_path / "all.csv", "--data-dir", tmp_path / "some")
    assert cli(*some).code == 0
    assert Store(tmp_path / "some").tickers() == ["AAA", third]


def test_a_wide_file_of_closes_is_refused_with_the_way_to_do_it(cli, tmp_path):
    pd.DataFrame({"Date": DAYS, "ACME": range(N_ROWS), "BETA": range(N_ROWS)}).to_csv(
        tmp_path / "w.csv", index=False
    )
    answer = cli("fetch", "ACME", "--from-csv", tmp_path / "w.csv", "--data-dir", tmp_path)
    assert answer.code == 2
    assert "could be a series of values: `ACME`, `BETA`" in answer.err
    assert "--value ACME" in answer.err


def test_closes_alone_are_offered_as_values(cli, tmp_path):
    frame()[["Date", "Close"]].to_csv(tmp_path / "c.csv", index=False)
    answer = cli("fetch", "C", "--from-csv", tmp_path / "c.csv", "--data-dir", tmp_path)
    assert answer.code == 2
    assert '`--value "Close"` keeps the closes alone, as a series of values' in answer.err
    assert (
        cli("fetch", "C", "--from-csv", tmp_path / "c.csv", "--value", "Close", "--data-dir", tmp_path).code
        == 0
    )


def test_a_file_without_a_ticker_that_is_no_ticker_by_name_asks_for_one(cli, tmp_path):
    frame().to_csv(tmp_path / "---.csv", index=False)
    answer = cli("fetch", "--from-csv", tmp_path / "---.csv", "--data-dir", tmp_path)
    assert answer.code == 2
    assert "is no ticker to store it as" in answer.err
    assert "lstm-stock fetch TICKER --from-csv" in answer.err


def test_stdin_and_a_quoted_home_folder(cli, tmp_path, monkeypatch):
    content = frame().to_csv(index=False).encode()
    _read_stdin.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert cli("fetch", "ACME", "--from-csv", "-", "--data-dir", tmp_path).code == 0
    _read_stdin.cache_clear()
    assert closes(tmp_path, "ACME") == frame()["Close"].tolist()
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.csv").write_bytes(content)
    assert cli("fetch", "--from-csv", "~/mine.csv", "--data-dir", tmp_path).code == 0
    assert "MINE" in Store(tmp_path).tickers()


# --- Excel and Parquet -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dates", ["text", "dates"])
def test_an_excel_workbook(tmp_path, dates):
    pytest.importorskip("openpyxl")
    table = frame()
    if dates == "dates":
        table["Date"] = DAYS
    table.loc[3, ["Open", "High", "Low", "Close"]] = np.nan
    with pd.ExcelWriter(tmp_path / "x.xlsx") as writer:
        pd.DataFrame({"notes": []}).to_excel(writer, sheet_name="Notes", index=False)
        table.to_excel(writer, sheet_name="Prices", index=False, startrow=2)
    prices = read_csv(tmp_path / "x.xlsx")
    assert prices.table["close"].tolist() == table["Close"].drop(3).tolist()
    assert prices.table.index.tolist() == DAYS.delete(3).tolist()
    assert "file: an Excel workbook, sheet `Prices`, the one of number 2 of 2" in prices.understood
    assert f"left out 1 row without prices, the newest of {DAYS[3]:%Y-%m-%d}" in prices.understood


def test_an_excel_workbook_without_openpyxl_names_the_extra(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match="which the package openpyxl reads") as error:
        read_csv(tmp_path / "x.xlsx")
    assert 'pip install "lstm-stock[excel]"' in error.value.hint


@pytest.mark.parametrize("index", ["column", "named", "unnamed"])
def test_a_parquet_file(tmp_path, index):
    table = frame().assign(Date=DAYS)
    if index != "column":
        table = table.set_index("Date")
        table.index.name = "Date" if index == "named" else None
    table.to_parquet(tmp_path / "x.parquet")
    prices = read_csv(tmp_path / "x.parquet")
    assert prices.table["close"].tolist() == frame()["Close"].tolist()
    assert prices.table.index.tolist() == DAYS.tolist()
    assert "file: a Parquet file" in prices.understood


def test_numbers_of_three_decimals_are_not_asked_about_where_they_are_numbers(tmp_path):
    columns = {name: [1.234, 2.345] for name in ("Open", "High", "Low", "Close")}
    pq.write_table(pa.table({"Date": ["2024-01-02", "2024-01-03"], **columns}), tmp_path / "x.parquet")
    assert read_csv(tmp_path / "x.parquet").table["close"].tolist() == [1.234, 2.345]


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_damaged_files_are_refused(tmp_path, suffix, damage):
    path = tmp_path / f"x{suffix}"
    if suffix == ".xlsx":
        pytest.importorskip("openpyxl")
        frame().to_excel(path, index=False)
    else:
        frame().to_parquet(path)
    raw = bytearray(path.read_bytes())
    random = np.random.default_rng(0)
    for _ in range(25):
        if damage == "cut":
            broken = bytes(raw[: random.integers(4, len(raw))])
        else:
            changed = raw.copy()
            for place in random.integers(4, len(raw), 6):
                changed[place] = random.integers(256)
            broken = bytes(changed)
        path.write_bytes(broken)
        try:
            read_csv(path)
        except DataError as error:
            assert error.message and error.hint


def test_a_zip_archive_and_one_that_unpacks_to_too_much(tmp_path, monkeypatch):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.csv", "Date")
    with pytest.raises(DataError, match="is a zip archive, not a CSV file"):
        read_csv(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", " " * 2000)
    monkeypatch.setattr("lstm_stock.prices.csv.tables._MAX_UNPACKED", 1000)
    with pytest.raises(DataError, match="unpacks to more than"):
        read_csv(path)


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices")
def test_pipes_and_devices_are_not_read(cli, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", "/dev/zero"):
        answer = cli("fetch", "X", "--from-csv", path, "--data-dir", tmp_path)
        assert answer.code == 2
        assert "is a pipe or a device, not a file" in answer.err
