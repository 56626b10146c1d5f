"""The installed command against a simulated Yahoo, through an unmodified yfinance and real HTTPS."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from lstm_stock.prices.incremental import OVERLAP
from lstm_stock.prices.store import Store
from tests.forked import ForkedCommand
from tests.loopback import RESET, Answer, Loopback, environment
from tests.simulated_yahoo import Instrument, SimulatedYahoo, sessions

DAYS = sessions(dt.date(2012, 1, 1), dt.date(2023, 12, 29))
PAGE = Answer(200, b"<!DOCTYPE html><html><body>Consent</body></html>", "text/html")
RECORDED = Path(__file__).parents[4] / "shared" / "data" / "yahoo_chart"


@dataclass
class Place:
    """A folder with a server, from which the command is called."""

    folder: Path
    server: Loopback
    yahoo: SimulatedYahoo

    @property
    def store(self) -> Store:
        return Store(self.folder / "data")

    def start(self, *arguments: object, proxy: str | None = None) -> ForkedCommand:
        variables = environment(proxy or self.server.address, self.folder)
        return ForkedCommand(arguments, self.folder, variables)

    def run(self, *arguments: object, proxy: str | None = None) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, proxy=proxy)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, err
        assert "Warning" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def hashes(self) -> dict[str, str]:
        files = (path for path in (self.folder / "data").rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def asked(self, ticker: str) -> list[str]:
        """From when on a ticker's prices were asked for, each time."""
        stamps = (int(query["period1"]) for query in self.server.charts(ticker))
        return [f"{pd.Timestamp(stamp, unit='s', tz='America/New_York'):%F}" for stamp in stamps]


@pytest.fixture
def place(tmp_path) -> Iterator[Place]:
    yahoo = SimulatedYahoo({"AAA": Instrument(DAYS), "BBB": Instrument(DAYS, seed=1)}, DAYS[-20])
    with Loopback(yahoo, tmp_path / "ca.pem") as server:
        yield Place(tmp_path, server, yahoo)


def assert_stored(place: Place, ticker: str, start: str) -> None:
    expected = place.yahoo.instruments[ticker].visible(place.yahoo.today).loc[start:]
    pd.testing.assert_frame_equal(
        place.store.read(ticker).table, expected, check_freq=False, check_exact=True
    )


# --- the road ---------------------------------------------------------------------------------------------------


def test_prices_are_fetched_continued_and_fetched_again_when_the_past_changes(place):
    instrument, yahoo = place.yahoo.instruments["AAA"], place.yahoo
    first = place.run("fetch", "AAA", "--start", "2015-01-01")
    assert (first.returncode, first.stdout) == (0, "")
    assert "AAA: " in first.stderr
    assert_stored(place, "AAA", "2015-01-01")
    assert place.store.read("AAA").provenance.exchange == "XNYS"

    yahoo.today = DAYS[-18]
    second = place.run("fetch", "aaa")
    assert "2 of them new" in second.stderr
    assert_stored(place, "AAA", "2015-01-01")

    instrument.splits[DAYS[-16]] = 4.0
    instrument.dividends[DAYS[-17]] = 0.01
    yahoo.today = DAYS[-15]
    third = place.run("fetch", "AAA")
    assert "all bars were fetched again, because past bars changed" in third.stderr
    assert_stored(place, "AAA", "2015-01-01")

    overlap = [f"{DAYS[last - OVERLAP + 1]}" for last in (-20, -18)]
    assert place.asked("AAA") == ["2015-01-01", *overlap, "2015-01-01"]
    n_asked = len(place.server.queries)
    closed = place.run("fetch", "AAA", "--end", "2020-06-30")
    assert (closed.returncode, len(place.server.queries)) == (0, n_asked)
    assert "up to date: nothing was requested" in closed.stderr
    caches = {path.name for path in (place.folder / "cache").rglob("*.db")}
    assert {"tkr-tz.db", "cookies.db"} <= caches
    assert {path.name for path in place.folder.iterdir()} == {"cache", "ca.pem", "data"}


def test_bars_without_prices_are_left_out_and_asked_for_again(place):
    blank = DAYS[-40]
    place.yahoo.instruments["AAA"].blank = {blank}
    done = place.run("fetch", "AAA", "--start", "2020-01-01")
    assert f"left out 1 bar for which Yahoo has no prices, the newest of {blank}" in done.stderr
    assert f"1 session of XNYS without a bar: {blank}; the next fetch requests them again" in done.stderr
    place.yahoo.instruments["AAA"].blank = set()
    assert place.run("fetch", "AAA").returncode == 0
    assert place.asked("AAA")[1] <= f"{blank}"
    assert_stored(place, "AAA", "2020-01-01")


def test_many_tickers_one_of_them_bad(place):
    (place.folder / "list.txt").write_text("# mine\nBBB, ccc  # and more\n\nAAA\n", encoding="utf-8")
    done = place.run("fetch", "AAA", "--tickers-file", "list.txt", "--start", "2023-01-01")
    assert done.returncode == 3
    rows = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()[1:] if line.strip()]
    assert rows[0] == ["ticker", "rows", "from", "to", "new rows", "notes"]
    assert [row[0] for row in rows[2:]] == ["AAA", "BBB", "ccc"]
    n_bars = str(len(place.store.read("AAA").table))
    assert rows[2][1:5] == [n_bars, "2023-01-03", f"{DAYS[-20]}", n_bars]
    assert "failed: Yahoo knows no ticker CCC" in done.stdout
    assert "error: 1 of 3 tickers failed: ccc" in done.stderr
    assert place.store.tickers() == ["AAA", "BBB"]


def test_quiet_says_nothing_but_failures(place):
    done = place.run("fetch", "AAA", "BBB", "--start", "2023-01-01", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# --- failures ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Failure:
    """What is done to the command, and what it must say."""

    says: str
    fault: Answer | str | None = PAGE
    ticker: str = "AAA"
    where: str = "chart"
    options: tuple[str, ...] = ()
    hint: str = "try again later"


FAILURES = {
    "unknown ticker": Failure(
        "Yahoo knows no ticker AAB; the store has AAA", ticker="AAB", hint="write it as"
    ),
    "no data in the range": Failure(
        "Yahoo has no prices of BBB from 2023-07-01 to 2023-07-02",
        ticker="BBB",
        options=("--start", "2023-07-01", "--end", "2023-07-02"),
        hint="--start",
    ),
    "429 on the chart": Failure(
        "429 Too Many Requests", Answer(429, b"Too Many Requests", "text/plain"), hint="wait"
    ),
    "429 on crumb and chart": Failure(
        "429 Too Many Requests", Answer(429, b"Too Many Requests", "text/plain"), where="both", hint="wait"
    ),
    "5xx": Failure("HTTP 503", Answer(503, b"<html>unavailable</html>", "text/html")),
    "5xx as JSON": Failure(
        "HTTP 500",
        Answer.json({"chart": {"result": None, "error": {"code": "x", "description": "No data found"}}}, 500),
    ),
    "refused": Failure("HTTP 403", Answer(403, b"{}")),
    "HTML": Failure("web page that holds no prices (HTML, not JSON)", PAGE),
    "empty": Failure("Yahoo's answer is empty", Answer(200, b"")),
    "cut JSON": Failure("ends before it is complete", Answer(200, b'{"chart": {"result": [{"meta"')),
    "truncated body": Failure("broke off before it was complete", Answer(200, b'{"chart": ', lacking=5000)),
    "another form": Failure(
        "has an unknown structure", Answer.json({"chart": {"result": [{"meta": 7}], "error": None}})
    ),
    "connection refused": Failure("the connection to Yahoo was refused", where="closed port", hint="network"),
    "reset": Failure("the connection to Yahoo was closed before it answered", RESET, hint="network"),
    "hung up": Failure("the connection to Yahoo was closed before it answered", None, hint="network"),
    "timeout": Failure(
        "Yahoo did not answer within 1 s",
        Answer(200, b"{}", delay=4),
        options=("--timeout", "1"),
        hint="--timeout",
    ),
    "DNS": Failure("name could not be found (DNS)", where="no such host", hint="HTTPS_PROXY"),
    "TLS": Failure("is not secure (TLS)", where="other authority", hint="REQUESTS_CA_BUNDLE"),
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory) -> dict[str, tuple[subprocess.CompletedProcess[str], bool]]:
    """What the command said at each failure, and whether the store stayed as it was."""
    with socket.socket() as closed:  # bound but not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        closed_port = f"http://127.0.0.1:{closed.getsockname()[1]}"
        filled = tmp_path_factory.mktemp("filled")
        yahoo = SimulatedYahoo({"AAA": Instrument(DAYS)}, DAYS[-20])
        with Loopback(yahoo, filled / "ca.pem") as server:
            assert Place(filled, server, yahoo).run("fetch", "AAA", "--start", "2020-01-01").returncode == 0

        def fail(name: str) -> tuple[subprocess.CompletedProcess[str], bool]:
            failure = FAILURES[name]
            folder = tmp_path_factory.mktemp("failed")
            shutil.copytree(filled / "data", folder / "data")
            yahoo = SimulatedYahoo({"AAA": Instrument(DAYS), "BBB": Instrument(DAYS)}, DAYS[-1])
            if failure.where in ("chart", "both") and failure.ticker == "AAA":
                yahoo.faults["AAA"] = failure.fault
            if failure.where == "both":
                yahoo.faults["crumb"] = failure.fault
            with Loopback(yahoo, folder / "ca.pem") as server:
                proxies = {"closed port": closed_port, "no such host": "http://proxy.invalid:3128"}
                place = Place(folder, server, yahoo)
                if failure.where == "other authority":
                    shutil.copy(filled / "ca.pem", folder / "ca.pem")
                before = place.hashes()
                options = ("--max-wait", "0", *failure.options)
                done = place.run("fetch", failure.ticker, *options, proxy=proxies.get(failure.where))
                return done, place.hashes() == before

        with ThreadPoolExecutor(4) as pool:
            return dict(zip(FAILURES, pool.map(fail, FAILURES), strict=True))


@pytest.mark.parametrize("name", FAILURES)
def test_every_failure_has_its_own_message_and_leaves_the_store_as_it_was(failed, name):
    done, unchanged = failed[name]
    failure = FAILURES[name]
    assert unchanged
    assert done.returncode == 3
    assert done.stdout == ""
    message, _, hint = done.stderr.partition("\n\nhint: ")
    assert message.startswith("error: ")
    assert failure.says in message
    assert failure.hint in hint


def test_different_failures_have_different_messages(failed):
    said = {name: done.stderr.partition("\n\nhint: ")[0] for name, (done, _) in failed.items()}
    alike = {"429 on crumb and chart", "hung up"}  # what the user can do is the same, and so are the words
    assert len(set(said.values())) >= len(said) - len(alike)


def test_a_rate_limit_on_the_crumb_alone_is_harmless(place):
    place.yahoo.faults["crumb"] = Answer(429, b"Too Many Requests", "text/plain")
    done = place.run("fetch", "AAA", "--start", "2023-01-01", "--max-wait", "0")
    assert done.returncode == 0
    assert_stored(place, "AAA", "2023-01-01")


def test_temporary_failures_are_retried_on_the_wire_with_a_note(place):
    assert place.run("fetch", "AAA", "--start", "2020-01-01", "--end", "2022-12-31").returncode == 0
    n_asked = len(place.server.charts("AAA"))
    place.yahoo.faults["AAA"] = [PAGE, Answer(200, b"{}", lacking=9)]
    done = place.run("fetch", "AAA", "--end", "2023-01-31")
    assert done.returncode == 0, done.stderr
    assert "AAA: Yahoo answered with a web page that holds no prices" in done.stderr
    assert "; try 2 in 1 s (waiting at most 8" in done.stderr
    assert "Yahoo's answer broke off before it was complete" in done.stderr
    assert "; try 3 in " in done.stderr
    # The range is closed: yfinance would have given the web page again from its memory.
    assert len(place.server.charts("AAA")) == n_asked + 3


def test_max_wait_bounds_all_the_retries(place):
    place.yahoo.faults["AAA"] = PAGE
    started = time.monotonic()
    done = place.run("fetch", "AAA", "--max-wait", "2")
    assert done.returncode == 3
    assert time.monotonic() - started < 20
    assert 1 <= done.stderr.count("; try ") <= 3


# --- interrupted, killed, and at once ---------------------------------------------------------------------------


def test_ctrl_c_keeps_what_is_done_and_does_not_wait_for_the_answer(place):
    place.yahoo.faults["BBB"] = Answer(200, b"{}", delay=30)
    process = place.start("fetch", "AAA", "BBB", "CCC", "--start", "2023-01-01", "--timeout", "60")
    deadline = time.monotonic() + 60
    while not any(path.endswith("/BBB") for path in list(place.server.asked)):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - sent < 20
    assert process.returncode == 130, err
    assert "interrupted: 1 of 3 tickers are fetched and stored" in err
    assert "Traceback" not in err
    assert re.search(r"^\s*AAA ", out, re.MULTILINE)
    assert_stored(place, "AAA", "2023-01-01")


def test_two_processes_at_once_lose_nothing(place):
    whole = place.yahoo.instruments["AAA"].visible(place.yahoo.today)
    ranges = [("2014-01-01", "2016-12-30"), ("2018-01-02", "2019-12-31"), ("2013-01-02", "2015-12-31")]
    processes = [place.start("fetch", "AAA", "BBB", "--start", start, "--end", end) for start, end in ranges]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    for ticker in ("AAA", "BBB"):
        table = place.store.read(ticker).table
        assert (f"{table.index[0]:%F}", f"{table.index[-1]:%F}") == ("2013-01-02", "2019-12-31")
        assert len(table) == len(whole.loc["2013-01-02":"2019-12-31"])


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_kill_at_any_moment_leaves_a_store_that_loads(place):
    chance = random.Random(7)
    assert place.run("fetch", "AAA", "BBB", "--start", "2020-01-01").returncode == 0
    started = time.monotonic()
    assert place.run("fetch", "AAA", "BBB", "--refresh").returncode == 0
    took = time.monotonic() - started
    codes = []
    for _ in range(5):
        process = place.start("fetch", "AAA", "BBB", "--refresh")
        time.sleep(took * chance.uniform(0.3, 1.0))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        codes.append(process.returncode)
        assert place.store.tickers() == ["AAA", "BBB"]
        for ticker in ("AAA", "BBB"):
            assert_stored(place, ticker, "2020-01-01")
    assert codes.count(-signal.SIGKILL) > 1
    assert place.run("fetch", "AAA", "BBB", "--refresh").returncode == 0
    assert place.store.unknown_files() == []


# --- what Yahoo really said -------------------------------------------------------------------------------------


def recorded(name: str) -> dict:
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))["response"]["bodyJson"]


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside the repository")
def test_recorded_answers_give_the_right_rows(tmp_path):
    names = {
        "AAPL": "chart-AAPL-2020-08-31-to-2020-11-07.json",
        "WSU.DE": "chart-WSU.DE-2023-08-04-to-2023-08-09.json",
        "BTC-USD": "historical-via-chart-BTC-USD-2020-01-01-to-2020-01-03.json",
        "EURUSD=X": "historical-via-chart-EURUSD=X-2020-01-01-to-2020-01-03.json",
        "EMPTY": "chart-AAPL-2025-02-01-to-2025-02-02-includePrePost-false-interval-1m.json",
    }
    answers = {ticker: recorded(name) for ticker, name in names.items()}

    def replay(path: str, query: dict[str, str]) -> Answer:
        ticker = path.rpartition("/")[2].replace("%3D", "=")
        return Answer.json(answers[ticker]) if ticker in answers else Answer(200, b"crumb", "text/plain")

    with Loopback(replay, tmp_path / "ca.pem") as server:
        place = Place(tmp_path, server, SimulatedYahoo({}, DAYS[0]))
        done = place.run("fetch", *names, "--max-wait", "0", "--end", "2023-12-31")
    assert done.returncode == 3
    assert "error: 1 of 5 tickers failed: EMPTY" in done.stderr
    assert "Yahoo has no prices of EMPTY" in done.stderr
    exchanges = {"AAPL": "XNYS", "WSU.DE": "XETR", "BTC-USD": "24/7", "EURUSD=X": "24/5"}
    zones = {
        "AAPL": "America/New_York",
        "WSU.DE": "Europe/Berlin",
        "BTC-USD": "UTC",
        "EURUSD=X": "Europe/London",
    }
    for ticker, exchange in exchanges.items():
        (result,) = answers[ticker]["chart"]["result"]
        (quote,) = result["indicators"]["quote"]
        stored = place.store.read(ticker)
        assert stored.provenance.exchange == exchange
        assert stored.provenance.currency == result["meta"]["currency"]
        dates = pd.to_datetime(result["timestamp"], unit="s", utc=True).tz_convert(zones[ticker])
        assert [f"{day:%F}" for day in stored.table.index] == [f"{day:%F}" for day in dates]
        for name in ("open", "high", "low", "close", "volume"):
            assert stored.table[name].tolist() == quote[name]
        assert stored.table["adj_close"].tolist() == result["indicators"]["adjclose"][0]["adjclose"]
    apple = place.store.read("AAPL").table
    assert apple["splits"].loc["2020-08-31"] == 4.0
    assert apple["dividends"].loc["2020-11-06"] == 0.205
    assert (apple["splits"].astype(bool).sum(), apple["dividends"].astype(bool).sum()) == (1, 1)
