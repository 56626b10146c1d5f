from __future__ import annotations

import pytest
from curl_cffi.requests.exceptions import RequestException

from lstm_stock.errors import RateLimitError, SourceError, TemporaryError, UnknownTickerError
from lstm_stock.prices.yahoo.errors import by_status, network_failure, no_json
from lstm_stock.prices.yahoo.session import LastResponse


@pytest.mark.parametrize(
    ("code", "text", "says", "kind"),
    [
        (
            5,
            "Could not resolve proxy: proxy.invalid",
            "the proxy's name could not be found (DNS)",
            TemporaryError,
        ),
        (
            6,
            "Could not resolve host: query2.finance.yahoo.com",
            "Yahoo's name could not be found (DNS)",
            TemporaryError,
        ),
        (7, "Failed to connect to 127.0.0.1", "the connection to Yahoo was refused", TemporaryError),
        (18, "end of response with 9 bytes missing", "broke off before it was complete", TemporaryError),
        (28, "Operation timed out", "Yahoo did not answer within 30 s", TemporaryError),
        (35, "Recv failure: Connection reset by peer", "was closed before it answered", TemporaryError),
        (35, "TLS connect error: wrong version number", "is not secure (TLS)", SourceError),
        (52, "Empty reply from server", "was closed before it answered", TemporaryError),
        (56, "CONNECT tunnel failed, response 407", "the proxy refused the connection", TemporaryError),
        (56, "Recv failure: Connection reset by peer", "was closed before it answered", TemporaryError),
        (60, "SSL certificate problem: self-signed certificate", "is not secure (TLS)", SourceError),
        (27, "Out of memory", "Yahoo could not be reached: curl: (27) Out of memory", TemporaryError),
    ],
)
def test_each_curl_error_has_its_own_message(code, text, says, kind):
    advice = "See https://curl.se/libcurl/c/libcurl-errors.html first for more details."
    error = network_failure(
        RequestException(f"Failed to perform, curl: ({code}) {text}. {advice}", code), 30.0
    )
    assert type(error) is kind
    assert says in error.message
    assert "libcurl-errors" not in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, None), (400, None), (422, None), (404, UnknownTickerError), (429, RateLimitError)]
    + [(status, TemporaryError) for status in (500, 502, 503, 504)]
    + [(status, SourceError) for status in (401, 403, 410)],
)
def test_a_status_decides(status, kind):
    error = by_status(LastResponse(status, "application/json", "{}"), "X")
    assert error is None if kind is None else type(error) is kind


def test_a_web_page_with_404_does_not_mean_an_unknown_ticker():
    error = by_status(LastResponse(404, "text/html", "<html>"), "X")
    assert type(error) is SourceError
    assert error.message == "Yahoo answered with HTTP 404"
    assert by_status(None, "X") is None


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (None, "web page"),
        (LastResponse(200, "text/html", "hello"), "web page"),
        (LastResponse(200, "application/json", "<html>"), "web page"),
        (LastResponse(200, "application/json", ""), "empty"),
        (LastResponse(200, "application/json", '{"chart"'), "ends before it is complete"),
    ],
)
def test_what_cannot_be_read_is_distinguished(seen, says):
    error = no_json(seen)
    assert type(error) is TemporaryError
    assert says in error.message
