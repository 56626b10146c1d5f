"""A ticker of one source is not replaced by that of another without being asked; hints fit its source."""

from __future__ import annotations

import pytest

from lstm_stock.errors import DataError
from lstm_stock.prices.sources import FetchOptions, fetch_command
from lstm_stock.prices.store import Store
from lstm_stock.prices.update import fetch_into

ROWS = "Date,Open,High,Low,Close,Volume\n" + "".join(f"2024-01-{d:02},1,3,1,{d},5\n" for d in range(2, 6))


@pytest.fixture
def store(tmp_path):
    (tmp_path / "aapl.csv").write_text(ROWS)
    store = Store(tmp_path)
    fetch_into(store, "AAPL", FetchOptions("csv", csv_path=tmp_path / "aapl.csv"))
    return store


def test_refresh_alone_does_not_replace_a_file_by_yahoo(store, cli, tmp_path):
    before = store.path("AAPL").read_bytes()
    answer = cli("fetch", "AAPL", "--refresh", "--data-dir", tmp_path)
    assert answer.code == 2
    assert "the store has AAPL from the source csv, not yahoo" in answer.err
    assert "hint: `lstm-stock fetch AAPL --from-csv FILE` reads newer bars of it" in answer.err
    assert "`--source yahoo --refresh` replaces it" in answer.err
    assert store.path("AAPL").read_bytes() == before


def test_a_named_source_replaces_and_says_what(store, cli, tmp_path):
    with pytest.raises(DataError, match="from the source csv, not sample") as error:
        fetch_into(store, "AAPL", FetchOptions("sample"))
    assert "`--source sample --refresh` replaces it" in error.value.hint
    answer = cli("fetch", "AAPL", "--source", "sample", "--refresh", "--data-dir", tmp_path)
    assert answer.code == 0, answer
    assert "replaced: 4 bars from the source csv, to 2024-01-05" in answer.err
    assert store.read("AAPL").provenance.source == "sample"
    answer = cli("fetch", "AAPL", "--from-csv", tmp_path / "aapl.csv", "--refresh", "--data-dir", tmp_path)
    assert "replaced: 3522 bars from the source sample, to 2023-12-29" in answer.err


@pytest.mark.parametrize(
    ("source", "command"),
    [
        ("yahoo", "`lstm-stock fetch ACME`"),
        ("csv", "`lstm-stock fetch ACME --from-csv FILE`"),
        ("sample", "`lstm-stock fetch ACME --source yahoo --refresh`"),
    ],
)
def test_hints_fit_the_source(source, command):
    assert fetch_command("ACME", source) == command
