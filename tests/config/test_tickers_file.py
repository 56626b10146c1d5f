from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from lstm_stock.config.tickers import read_tickers_file
from lstm_stock.errors import ConfigError


def read(folder: Path, text: str) -> list[str]:
    path = folder / "list.txt"
    path.write_text(text, encoding="utf-8")
    return read_tickers_file(path)


@pytest.mark.parametrize(
    "text",
    [
        "AAA\nBRK.B\n\n# more\nCCC  # last",
        "AAA, BRK.B,CCC",
        "Symbol\nAAA\nBRK.B\nCCC",
        '\ufeffSymbol,Security,Sector\nAAA,Triple A,Industrials\nBRK.B,"Berkshire, Hathaway",Fin\nCCC,,\n',
        "Security;Ticker\nTriple A;AAA\nBerkshire;BRK.B\nNone;\nThree;CCC",
        "Company\tTicker\nTriple A\tAAA\nBerkshire\tBRK.B\nThree\tCCC",
    ],
)
def test_lines_of_tickers_and_tables_with_a_column_of_symbols(tmp_path, text):
    assert read(tmp_path, text) == ["AAA", "BRK.B", "CCC"]


def test_a_file_of_too_many_tickers_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="has 20001 tickers, more than 20000"):
        read(tmp_path, "\n".join(f"T{i}" for i in range(20_001)))
    with pytest.raises(ConfigError, match="is larger than 1 MiB, more than 20000 tickers"):
        read(tmp_path, "ABCDEF\n" * 1_000_000)


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices")
def test_pipes_and_devices_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ConfigError, match="cannot be read: it is a pipe or a device, not a file"):
            read_tickers_file(path)


def test_stdin_and_a_quoted_home_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"AAA\nBBB\n")))
    assert read_tickers_file(Path("-")) == ["AAA", "BBB"]
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "list.txt").write_text("CCC")
    assert read_tickers_file(Path("~/list.txt")) == ["CCC"]
