"""Say in words what went wrong between us and Yahoo, and whether another try makes sense.

Every failure has its own words and its own way out. What an answer holds is not known here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lstm_stock.errors import RateLimitError, SourceError, TemporaryError, UnknownTickerError

if TYPE_CHECKING:
    from curl_cffi.requests.exceptions import RequestException

    from lstm_stock.prices.yahoo.session import LastResponse


_SPELLING_HINT = "write it as Yahoo does: AAPL, BRK-B, 0700.HK, ^GSPC, EURUSD=X"
_LATER_HINT = "try again later, or bring prices of your own with `--from-csv FILE`"
_NETWORK_HINT = "check the network connection (and HTTPS_PROXY, where there is a proxy), then try again"
_DATES_HINT = "ask for other dates: `--start`, `--end`"

# Of curl, see its libcurl-errors(3). The names of curl_cffi's exceptions are too few to tell these apart.
_NO_SUCH_PROXY, _NO_SUCH_HOST, _NOT_CONNECTED, _BROKEN_OFF, _TIMED_OUT = 5, 6, 7, 18, 28
_TLS_HANDSHAKE = 35
_TLS = {51, 53, 54, 58, 59, 60, 64, 66, 77, 80, 82, 83, 90, 91, 98}
_HUNG_UP = {8, 52, 55, 56, 92, 95, 96}
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


def by_status(seen: LastResponse | None, ticker: str) -> SourceError | None:
    """Return the error that the HTTP status of a chart tells of, or None if it tells of none.

    It goes before all else: what yfinance looks up after a chart that failed has a status, and a failure, of its
    own.
    """
    if seen is None or seen.status < 400:
        return None
    if seen.status == 429:
        return rate_limit()
    if seen.status == 404 and not seen.is_page:
        return unknown_ticker(ticker)
    if seen.status in (400, 422) and not seen.is_page:
        return None  # How Yahoo says that there is nothing on these dates.
    return http_status(seen.status)


def http_status(status: int) -> SourceError:
    """Return the error for any other HTTP status that is none of success."""
    if status >= 500:
        return TemporaryError(f"Yahoo's server has a problem: it answered with HTTP {status}", _LATER_HINT)
    if status in (401, 403):
        return SourceError(f"Yahoo answered with HTTP {status}: it refuses to", _LATER_HINT)
    return SourceError(f"Yahoo answered with HTTP {status}", _LATER_HINT)


def no_json(seen: LastResponse | None) -> SourceError:
    """Return the error for an answer that cannot be read.

    Args:
        seen: What came, if that is known.
    """
    if seen is None or seen.is_page:
        return TemporaryError(
            "Yahoo answered with a web page that holds no prices (HTML, not JSON)", _LATER_HINT
        )
    if not seen.start:
        return TemporaryError("Yahoo's answer is empty", _LATER_HINT)
    return TemporaryError(
        "Yahoo's answer ends before it is complete, or is garbled (no valid JSON)", _LATER_HINT
    )


def unexpected_payload(ticker: str, error: Exception) -> SourceError:
    """Return the error for JSON that is not of the form that yfinance knows."""
    return TemporaryError(
        f"Yahoo's answer for {ticker} is of no known form ({type(error).__name__}: {one_line(error)})",
        _LATER_HINT,
    )


def refused(error: Exception) -> SourceError:
    """Return the error for whatever else yfinance raises."""
    return SourceError(f"Yahoo could not be asked: {one_line(error)}", _LATER_HINT)


def network_failure(error: RequestException, timeout: float) -> SourceError:
    """Return the error for a request that brought no answer, or one of failure.

    Args:
        error: What curl_cffi raised.
        timeout: Seconds that the request had.
    """
    code, text = int(error.code or 0), one_line(error)
    status = getattr(error.response, "status_code", None)
    if status and code == 0:  # An answer whose only fault is what its status says.
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
    if code == _BROKEN_OFF or (status and code in _HUNG_UP):
        return TemporaryError(f"Yahoo's answer broke off before it was complete: {text}", _LATER_HINT)
    if code == _PROXY or (code == 56 and "CONNECT" in text):
        return TemporaryError(f"the proxy did not let us through to Yahoo: {text}", "check HTTPS_PROXY")
    if code in _TLS or (code == _TLS_HANDSHAKE and not _sounds_hung_up(text)):
        return SourceError(
            f"the connection to Yahoo is not secure (TLS): {text}",
            "something between you and Yahoo shows a certificate of its own: if it is your company's proxy, name "
            "its authority's file in REQUESTS_CA_BUNDLE; a wrong clock is another cause",
        )
    if code in _HUNG_UP or code == _TLS_HANDSHAKE:
        return TemporaryError(f"the connection to Yahoo was closed before it answered: {text}", _NETWORK_HINT)
    return TemporaryError(f"Yahoo could not be reached: {text}", _NETWORK_HINT)


def _sounds_hung_up(text: str) -> bool:
    return any(word in text.lower() for word in ("reset", "syscall", "closed", "eof", "unexpected"))


def one_line(error: Exception) -> str:
    """Return the message of an error without curl's advice."""
    text = re.sub(r"^Failed to perform, |\.? See https?://\S+ .*$", "", " ".join(str(error).split()))
    return text[:200].rstrip(".")
