"""Bad input ends in an `error:` and a `hint:`, exit code 2, and nothing written."""

from __future__ import annotations

import os
import shutil

import pandas as pd
import pytest

from lstm_stock.prices.store import Store
from tests.conftest import TINY, Trained
from tests.helpers import assert_user_error, tree


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["train", "--config", "binary.yaml"], "binary.yaml"),
        (
            ["train", "--config", "typo.yaml"],
            "typo.yaml:2: window.lookback: unknown key; did you mean look_back?",
        ),
        (["train", "--config", "type.yaml"], "type.yaml:1: seed: "),
        (["config", "show", "--config", "chain.yaml"], "chain.yaml:1:10: nested more than 16 deep"),
        (["train", "--set", "window.look_back=9999"], "look_back"),
        (["train", "--set", "window.look_back=2500"], "one window needs 2526 bars"),
        (["train", "--set", "data.start=2023-12-01"], "bars"),
        (
            ["train", "--set", "data.start=2024-06-01", "--set", "data.end=2024-08-01"],
            "AAPL has no bar between",
        ),
        (["train", "--set", "data.tickers=[NVDA]"], "NVDA"),
        (["train", "--set", "data.tickers=[../etc]"], "../etc"),
        (["fetch", "../AAPL", "--source", "sample"], "../AAPL"),
        (["fetch", "A/B", "--source", "sample"], "A/B"),
        (["fetch", "AAPL", "--source", "csv"], "needs a file"),
        (["fetch", "AAPL", "--from-csv", "x.csv", "--source", "yahoo"], "contradict"),
        (["fetch", "AAPL", "MSFT", "--from-csv", "x.csv"], "there is no file x.csv"),
        (["fetch", "AAPL", "--source", "sample", "--start", "01/02/2020"], "--start: got '01/02/2020'"),
        (["fetch", "AAPL", "--source", "ftp"], "ftp"),
        (["fetch"], "TICKER"),
        (["predict", "--run", "no-such-run"], "there is no run 'no-such-run'"),
        (["predict", "MSFT", "--run", "newest"], "was not trained on MSFT"),
        (["predict", "MSFT"], "MSFT is not in the price store"),
        (["predict", "--cutoff", "soon"], "--cutoff: got 'soon'"),
        (["predict", "--cutoff", "1999-01-04"], "no bar on or before 1999-01-04"),
        (["predict", "--cutoff", "2010-02-01"], "one window needs 31 bars"),
        (["predict", "--format", "xml"], "xml"),
        (
            ["predict", "--dividend", "2024-01-03"],
            "--dividend: got '2024-01-03', expected a date and an amount",
        ),
        (["predict", "--dividend", "2024-01-03=-1"], "expected a date and an amount of 0 or more"),
        (["predict", "--dividend", "2024-01-03=inf"], "expected a date and an amount of 0 or more"),
        (["predict", "--dividend", "3.1.2024=1"], "--dividend: got '3.1.2024', expected a date"),
        (["predict", "--dividend", "=1"], "--dividend: got '', expected a date"),
        (["predict", *["--dividend", "2024-01-03=1"] * 2], "got 2024-01-03 twice"),
        (["predict", "--dividend", "2024-01-06=1"], "Sat 2024-01-06 is not in the horizon"),
        (["predict", "--dividend", "2024-01-01=1"], "Mon 2024-01-01 is not in the horizon"),
        (["predict", "--dividend", "2024-01-03=200"], "got 200, expected less than the last close, 190.375"),
        (["plot", "--dividend", "2024-01-03"], "--dividend: got '2024-01-03'"),
        (["plot", "no-such-run"], "there is no run 'no-such-run'"),
        (["config", "show", "--set", "nonsense"], "nonsense"),
        (["config", "init", "--from", "nothing"], "nothing"),
        (["config", "init", "typo.yaml"], "typo.yaml exists already"),
        (["frobnicate"], "frobnicate"),
        (["train", "--verbose"], "--verbose"),
    ],
    ids=" ".join,
)
def test_bad_input_is_reported_and_nothing_is_written(
    cli, trained: Trained, tmp_path, monkeypatch, arguments, message
):
    (tmp_path / "binary.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    (tmp_path / "typo.yaml").write_text("window:\n  lookback: 60\n")
    (tmp_path / "type.yaml").write_text("seed: many\n")
    aliases = [f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 1_500)]
    (tmp_path / "chain.yaml").write_text("a0: &a0 [x]\n" + "".join(aliases))
    shutil.copytree(trained.data, tmp_path / "data")
    shutil.copytree(trained.runs, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    assert_user_error(cli(*arguments), message)
    assert tree(tmp_path) == before


GOOD = [
    "2020-01-02,10,11,9,10.5,10.5,100",
    "2020-01-03,10,11,9,10.6,10.6,100",
    "2020-01-06,10,11,9,10.4,10.4,100",
]
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([HEADER, GOOD[0], "2020-01-03,10,11,9,n.a.,10.6,100", GOOD[2]], "n.a."),
        (["Date,Open,High,Low,Volume", "2020-01-02,1,1,1,5", "2020-01-03,1,1,1,5"], "close"),
        ([HEADER, GOOD[0], "2020-01-02,10,12,9,10.7,10.6,100", GOOD[2]], "2020-01-02"),
        ([HEADER, GOOD[1], GOOD[0], GOOD[2]], "2020-01-02"),
        ([HEADER, *(f"2020-01-0{day},10,11,9,,10.6,100" for day in (2, 3, 6))], "`Close`"),
        ([HEADER, GOOD[0], "2020-01-03,10,11,9,-4,10.6,100", GOOD[2]], "2020-01-03"),
        ([HEADER, GOOD[0], "2020-01-03,10,11,0,10.6,10.6,100", GOOD[2]], "2020-01-03"),
        ([HEADER, GOOD[0], "2020-01-03,10,inf,9,10.6,10.6,100", GOOD[2]], "2020-01-03"),
        ([HEADER], "bad.csv"),
        ([], "empty"),
        ([HEADER, GOOD[0]], "one bar"),
        (["<!DOCTYPE html>", "<html><body>Too Many Requests</body></html>"], "bad.csv"),
        (
            [HEADER, *(row.replace("2020-01-0", "0").replace(",10,", "/01/2020,10,") for row in GOOD)],
            "--day-first",
        ),
    ],
    ids=[
        *(
            "text",
            "missing column",
            "duplicate",
            "unordered",
            "empty column",
            "negative",
            "zero",
            "infinity",
        ),
        *("header only", "empty file", "one row", "html", "ambiguous dates"),
    ],
)
def test_a_bad_csv_is_reported_and_nothing_is_stored(cli, tmp_path, content, message):
    (tmp_path / "bad.csv").write_text("\n".join(content))
    answer = cli("fetch", "XYZ", "--from-csv", tmp_path / "bad.csv", "--data-dir", tmp_path / "data")
    assert_user_error(answer, message)
    assert not (tmp_path / "data" / "prices" / "XYZ.parquet").exists()


@pytest.mark.parametrize("kind", ["folder", "binary", "missing"])
def test_a_file_that_is_not_csv_is_reported(cli, tmp_path, kind):
    path = tmp_path / "bad.csv"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(bytes(range(256)) * 20)
    answer = cli("fetch", "XYZ", "--from-csv", path, "--data-dir", tmp_path / "data")
    assert_user_error(answer, "bad.csv")
    assert not (tmp_path / "data").exists()


def test_a_constant_price_is_reported(cli, tmp_path):
    dates = pd.bdate_range("2015-01-01", periods=400).strftime("%Y-%m-%d")
    lines = [HEADER, *(f"{date},7,7,7,7,7,100" for date in dates)]
    (tmp_path / "flat.csv").write_text("\n".join(lines))
    folders = ("--data-dir", tmp_path / "data", "--runs-dir", tmp_path / "runs")
    cli("fetch", "FLAT", "--from-csv", tmp_path / "flat.csv", "--data-dir", tmp_path / "data")
    answer = cli("train", "--set", "data.tickers=[FLAT]", *TINY, *folders)
    assert_user_error(answer, "FLAT")
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_reported(cli, tmp_path):
    tmp_path.chmod(0o500)
    assert_user_error(cli("fetch", "AAPL", "--source", "sample", "--data-dir", tmp_path / "data"), "data")


def test_a_file_in_place_of_a_folder_is_reported(cli, trained: Trained, tmp_path):
    (tmp_path / "file").write_text("")
    assert_user_error(cli("fetch", "AAPL", "--source", "sample", "--data-dir", tmp_path / "file"), "file")
    assert_user_error(
        cli("train", *TINY, "-q", "--data-dir", trained.data, "--runs-dir", tmp_path / "file"), "file"
    )
    assert_user_error(cli("plot", *trained.options, "--output", tmp_path / "file"), "file")


def test_a_half_deleted_run_is_reported(cli, trained: Trained, tmp_path):
    shutil.copytree(trained.runs, tmp_path / "runs")
    (run,) = (tmp_path / "runs").iterdir()
    (run / "scaler.json").unlink()
    for command in ("predict", "plot"):
        answer = cli(command, "--data-dir", trained.data, "--runs-dir", tmp_path / "runs")
        assert_user_error(answer, "scaler.json missing")
    (run / "scores.json").write_text("{")
    listed = cli("runs", "--runs-dir", tmp_path / "runs")
    assert listed.code == 0
    assert "warning: " in listed.err


def test_another_source_does_not_overwrite_the_store(cli, tmp_path):
    (tmp_path / "mine.csv").write_text("\n".join([HEADER, *GOOD]))
    data = ("--data-dir", tmp_path / "data")
    assert cli("fetch", "AAPL", "--from-csv", tmp_path / "mine.csv", *data).code == 0
    before = tree(tmp_path)
    assert_user_error(cli("fetch", "AAPL", "--source", "sample", *data), "not sample")
    assert_user_error(cli("demo", *data, "--runs-dir", tmp_path / "runs"), "not sample")
    assert tree(tmp_path) == before
    assert cli("fetch", "AAPL", "--source", "sample", "--refresh", *data).code == 0


def test_a_narrower_request_does_not_shrink_the_store(cli, trained: Trained, tmp_path):
    shutil.copytree(trained.data, tmp_path / "data")
    data = ("--data-dir", tmp_path / "data")
    answer = cli("fetch", "AAPL", "--source", "sample", "--start", "2020-01-01", "--end", "2020-12-31", *data)
    assert "3522 bars" in answer.err
    lines = [HEADER, *GOOD]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    assert cli("fetch", "XYZ", "--from-csv", tmp_path / "mine.csv", *data).code == 0
    (tmp_path / "mine.csv").write_text("\n".join(lines[:-1]))
    assert_user_error(
        cli("fetch", "XYZ", "--from-csv", tmp_path / "mine.csv", *data), "1 bar of XYZ that this fetch lacks"
    )


def test_a_csv_fetched_again_keeps_its_exchange(cli, tmp_path):
    (tmp_path / "x.csv").write_text("\n".join([HEADER, *GOOD]))
    fetch = ("fetch", "XYZ", "--from-csv", tmp_path / "x.csv", "--data-dir", tmp_path / "data")
    for more in (("--exchange", "XNYS"), ()):
        answer = cli(*fetch, *more)
        assert "exchange: unknown" not in answer.err
        assert Store(tmp_path / "data").read("XYZ").provenance.exchange == "XNYS"
