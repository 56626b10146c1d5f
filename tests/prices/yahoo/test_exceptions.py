"""Every exception that yfinance and what it uses can raise has its place: an error with a hint, retried or not."""

from __future__ import annotations

import datetime as dt
import inspect
import json

import curl_cffi
import peewee
import pytest
import yfinance
from curl_cffi.requests import exceptions as curl_exceptions
from yfinance import exceptions

from lstm_stock.errors import RateLimitError, SourceError, TemporaryError, UnknownTickerError
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.yahoo.client import fetch_bars
from tests.forked import ForkedCommand
from tests.loopback import Answer, Loopback, environment
from tests.simulated_yahoo import Instrument, SimulatedYahoo, sessions

DAYS = sessions(dt.date(2020, 1, 1), dt.date(2023, 12, 29))
BACK = b"<!doctype html><html><head><title>Yahoo</title></head><body>Will be right back...</body></html>"

RAISED = {
    exceptions.YFException("x"): SourceError,
    exceptions.YFDataException("*** YAHOO! FINANCE IS CURRENTLY DOWN! ***"): TemporaryError,
    exceptions.YFNotImplementedError("prices"): TemporaryError,
    exceptions.YFTickerMissingError("X", "no data"): SourceError,
    exceptions.YFTzMissingError("X"): UnknownTickerError,
    exceptions.YFPricesMissingError("X", ""): SourceError,
    exceptions.YFPricesMissingError(
        "X", "", yahoo_reason="No data found, symbol may be delisted"
    ): UnknownTickerError,
    exceptions.YFEarningsDateMissing("X"): SourceError,
    exceptions.YFInvalidPeriodError("X", "7q", "1d"): SourceError,
    exceptions.YFRateLimitError(): RateLimitError,
    curl_cffi.CurlError("Failed to perform, curl: (2) out of handles", 2): TemporaryError,
    curl_exceptions.ConnectionError("Failed to perform, curl: (7) refused", 7): TemporaryError,
    curl_exceptions.Timeout("Failed to perform, curl: (28) timed out", 28): TemporaryError,
    curl_exceptions.CertificateVerifyError("curl: (60) self-signed certificate", 60): SourceError,
    peewee.OperationalError("database is locked"): TemporaryError,
    peewee.DatabaseError("file is not a database"): SourceError,
    OSError(28, "No space left on device"): SourceError,
    json.JSONDecodeError("x", "", 0): TemporaryError,
    **{kind("odd"): TemporaryError for kind in (KeyError, IndexError, TypeError, AttributeError, ValueError)},
    **{kind("odd"): TemporaryError for kind in (OverflowError, ZeroDivisionError, RecursionError)},
}


@pytest.mark.parametrize("raised", RAISED, ids=lambda one: type(one).__name__)
def test_an_exception_has_its_place(monkeypatch, raised):
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(yfinance.Ticker, "history", fail)
    with pytest.raises(SourceError) as caught:
        fetch_bars("X", FetchOptions("yahoo"))
    assert type(caught.value) is RAISED[raised]
    assert caught.value.hint


def test_no_exception_of_yfinance_is_missing_above():
    own = {one for _, one in inspect.getmembers(exceptions, inspect.isclass)}
    assert own <= {type(one) for one in RAISED}


class BackSoon(SimulatedYahoo):
    """Answers the first requests for prices with the page; yfinance itself repeats one with an error status."""

    def __init__(self, status: int) -> None:
        super().__init__({"AAA": Instrument(DAYS)}, DAYS[-1])
        self.pages = [Answer(status, BACK, "text/html")] * (1 if status < 400 else 2)

    def __call__(self, path: str, query: dict[str, str]) -> Answer | str | None:
        return self.pages.pop() if "period1" in query and self.pages else super().__call__(path, query)


@pytest.mark.parametrize("status", [200, 502])
def test_will_be_right_back_is_retried(tmp_path, status):
    with Loopback(BackSoon(status), tmp_path / "ca.pem") as server:
        command = ForkedCommand(
            ("fetch", "AAA", "--start", "2022-01-01", "--end", "2023-06-30"),
            tmp_path,
            environment(server.address, tmp_path),
        )
        _, err = command.communicate(timeout=120)
    assert command.returncode == 0, err
    assert "AAA: Yahoo's server has a problem: " in err
    assert "; try 2 in " in err
    assert "AAA: 375 bars" in err
