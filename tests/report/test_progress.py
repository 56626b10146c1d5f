from __future__ import annotations

import pytest

from lstm_stock.errors import TemporaryError
from lstm_stock.prices.retry import Retry
from lstm_stock.report import progress

RETRY = Retry(TemporaryError("Yahoo did not answer within 3 s", "wait"), 1, 4.0, 56.0)


def test_a_terminal_shows_the_wait_in_the_progress_line_and_failures_above_it(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    with progress.fetch_progress(2, quiet=False) as bar:
        bar.begin("[AAA]")
        bar.wait(RETRY)
        bar.end("[AAA]: error: no", failed=True)
        bar.begin("BBB")
        bar.end("BBB: 5 bars, 5 of them new", failed=False)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "[AAA]: Yahoo did not answer within 3 s; try 2 in 4 s" in printed.err
    assert "[1/2] [AAA]: error: no" in printed.err
    assert "BBB: 5 bars" not in printed.err


def test_without_a_terminal_each_ticker_and_each_wait_is_a_line(capsys):
    with progress.fetch_progress(2, quiet=False) as bar:
        bar.begin("AAA")
        bar.wait(RETRY)
        bar.end("AAA: 5 bars, 5 of them new", failed=False)
    assert capsys.readouterr().err.splitlines() == [
        "AAA: Yahoo did not answer within 3 s; try 2 in 4 s (waiting at most 56 s more after it)",
        "[1/2] AAA: 5 bars, 5 of them new",
    ]


@pytest.mark.parametrize("force", [False, True])
def test_quiet_leaves_the_failures(monkeypatch, capsys, force):
    if force:
        monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.fetch_progress(2, quiet=True) as bar:
        bar.begin("AAA")
        bar.wait(RETRY)
        bar.end("AAA: 5 bars, 5 of them new", failed=False)
        bar.begin("BBB")
        bar.end("BBB: error: no", failed=True)
    assert capsys.readouterr().err == "[2/2] BBB: error: no\n"
