"""The error for each way in which a request to Yahoo fails; a `TemporaryError` may be retried."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lstm_stock.errors import RateLimitError, SourceError, TemporaryError, UnknownTickerError

if TYPE_CHECKING:
    from curl_cffi import CurlError

    from lstm_stock.prices.yahoo.session import LastResponse


_SPELLING_HINT = "write it as Yahoo does: AAPL, BRK-B, 0700.HK, ^GSPC, EURUSD=X"
_LATER_HINT = "try again later, or read your own prices with `--from-csv FILE`"
_NETWORK_HINT = "check the network connection (and HTTPS_PROXY, where there is a proxy), then try again"
_DATES_HINT = "request other dates: `--start`, `--end`"

# Error codes of libcurl-errors(3); curl_cffi's exception classes are fewer.
_NO_SUCH_PROXY, _NO_SUCH_HOST, _NOT_CONNECTED, _PARTIAL, _TIMED_OUT = 5, 6, 7, 18, 28
_TLS_HANDSHAKE = 35
_TLS = {51, 53, 54, 58, 59, 60, 64, 66, 77, 80, 82, 83, 90, 91, 98}
_CLOSED = {8, 52, 55, 56, 92, 95, 96}
_PROXY = 97


def unknown_ticker(ticker: str) -> SourceError:
    """Return the error for a ticker that Yahoo does not have."""
    return UnknownTickerError(f"Yahoo knows no ticker {ticker}", _SPELLING_HINT)


def no_prices(ticker: str, dates: str) -> SourceError:
    """Return the error for a ticker that Yahoo knows, but not on these dates."""
    return SourceError(f"Yahoo has no prices of {ticker} {dates}", _DATES_HINT)


def rate_limit() -> RateLimitError:
    """Return the error for HTTP 429."""
    return RateLimitError(
        "Yahoo takes no more requests from this address for now (429 Too Many Requests)",
        "wait some minutes, then try again, with fewer tickers or a longer `--pause`; what is stored stays",
    )


def by_status(response: LastResponse | None, ticker: str) -> SourceError | None:
    """Return the error for the HTTP status of the last chart, or None if the status is no error.

    Callers check it first: after a failed chart, yfinance sends further requests whose errors mislead.
    """
    if response is None or response.status < 400:
        return None
    if response.status == 429:
        return rate_limit()
    if response.status == 404 and not response.is_page:
        return unknown_ticker(ticker)
    if response.status in (400, 422) and not response.is_page:
        return None  # Yahoo's answer if there are no prices on these dates
    return http_status(response.status)


def http_status(status: int) -> SourceError:
    """Return the error for any other HTTP status from 400."""
    if status >= 500:
        return TemporaryError(f"Yahoo's server has a problem: it answered with HTTP {status}", _LATER_HINT)
    if status in (401, 403):
        return SourceError(f"Yahoo answered with HTTP {status}: it refuses the request", _LATER_HINT)
    return SourceError(f"Yahoo answered with HTTP {status}", _LATER_HINT)


def no_json(response: LastResponse | None) -> SourceError:
    """Return the error for a response that is no JSON; None is an unknown response."""
    if response is None or response.is_page:
        return TemporaryError(
            "Yahoo answered with a web page that holds no prices (HTML, not JSON)", _LATER_HINT
        )
    if not response.start:
        return TemporaryError("Yahoo's answer is empty", _LATER_HINT)
    return TemporaryError(
        "Yahoo's answer ends before it is complete, or is garbled (no valid JSON)", _LATER_HINT
    )


def down() -> SourceError:
    """Return the error for Yahoo's page 'Will be right back', which yfinance raises as an exception of its own."""
    return TemporaryError("Yahoo's server has a problem: its page says 'Will be right back'", _LATER_HINT)


def cache(error: Exception) -> SourceError:
    """Return the error for yfinance's own files of cookies and time zones, an SQLite database each."""
    text = one_line(error)
    if "locked" in text or "busy" in text:
        return TemporaryError(f"another process uses yfinance's cache: {text}", "try again when it is done")
    return SourceError(
        f"yfinance's cache of cookies and time zones cannot be used: {text}",
        "delete its folder, `py-yfinance` in the user's cache folder (`~/.cache` on Linux)",
    )


def unexpected_payload(ticker: str, error: Exception) -> SourceError:
    """Return the error for JSON of another structure than yfinance expects."""
    return TemporaryError(
        f"Yahoo's answer for {ticker} has an unknown structure ({type(error).__name__}: {one_line(error)})",
        _LATER_HINT,
    )


def refused(error: Exception) -> SourceError:
    """Return the error for any other exception of yfinance."""
    return SourceError(f"the request to Yahoo failed: {one_line(error)}", _LATER_HINT)


def network_failure(error: CurlError, timeout: float) -> SourceError:
    """Return the error for a request without a complete response.

    Args:
        error: The exception of curl_cffi.
        timeout: Seconds that the request had.
    """
    code, text = int(error.code or 0), one_line(error)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status and code == 0:  # complete, with an error status
        return http_status(status)
    if code == _TIMED_OUT:
        return TemporaryError(
            f"Yahoo did not answer within {timeout:g} s",
            "check the network connection, or allow more time with `--timeout`, then try again",
        )
    if code == _NO_SUCH_PROXY:
        return TemporaryError(f"the proxy's name could not be found (DNS): {text}", "check HTTPS_PROXY")
    if code == _NO_SUCH_HOST:
        return TemporaryError(f"Yahoo's name could not be found (DNS): {text}", _NETWORK_HINT)
    if code == _NOT_CONNECTED:
        return TemporaryError(f"the connection to Yahoo was refused: {text}", _NETWORK_HINT)
    if code == _PARTIAL or (status and code in _CLOSED):
        return TemporaryError(f"Yahoo's answer broke off before it was complete: {text}", _LATER_HINT)
    if code == _PROXY or (code == 56 and "CONNECT" in text):
        return TemporaryError(f"the proxy refused the connection to Yahoo: {text}", "check HTTPS_PROXY")
    if code in _TLS or (code == _TLS_HANDSHAKE and not _sounds_closed(text)):
        return SourceError(
            f"the connection to Yahoo is not secure (TLS): {text}",
            "a proxy between you and Yahoo may use its own certificate: if it is your company's, set "
            "REQUESTS_CA_BUNDLE to the file of its authority; a wrong clock is another cause",
        )
    if code in _CLOSED or code == _TLS_HANDSHAKE:
        return TemporaryError(f"the connection to Yahoo was closed before it answered: {text}", _NETWORK_HINT)
    return TemporaryError(f"Yahoo could not be reached: {text}", _NETWORK_HINT)


def _sounds_closed(text: str) -> bool:
    return any(word in text.lower() for word in ("reset", "syscall", "closed", "eof", "unexpected"))


def one_line(error: Exception) -> str:
    """Return the message of an error on one line, without curl's link."""
    text = re.sub(r"^Failed to perform, |\.? See https?://\S+ .*$", "", " ".join(str(error).split()))
    return text[:200].rstrip(".")
