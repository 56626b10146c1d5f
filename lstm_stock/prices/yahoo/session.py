"""The HTTP session for yfinance: it enforces the user's timeout and records the last response.

yfinance drops the status of responses that it cannot read, sets its own timeouts for cookies, and requests them
again each time. This module imports curl_cffi, so it is imported only for a download.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import RequestException

_CHART = "/finance/chart/"
_COOKIE_TIMEOUT_SECONDS = 10.0
"""Yahoo sends prices without a cookie too."""

_DEAD_SECONDS = 60.0


@dataclass(frozen=True)
class LastResponse:
    """The last response to a request for a chart.

    Attributes:
        status: HTTP status.
        content_type: The header, or empty.
        start: The first characters of the body, without leading blanks.
    """

    status: int
    content_type: str
    start: str

    @property
    def is_page(self) -> bool:
        """Whether it is a web page instead of data."""
        return self.start.startswith("<") or "html" in self.content_type


class ChartNotFoundError(Exception):
    """Yahoo does not know the ticker: 404 with JSON."""


class YahooSession(Session[Response]):
    """A browser-like session; one for all tickers, so that connections and cookies are reused.

    Attributes:
        last_response: The last response to a request for a chart since `begin`, or None.
    """

    def __init__(self) -> None:
        super().__init__(impersonate="chrome")
        self.last_response: LastResponse | None = None
        self._seconds = 30.0
        self._dead: dict[str, tuple[float, RequestException]] = {}

    def begin(self, timeout: float) -> None:
        """Prepare for the next ticker.

        Args:
            timeout: Seconds that a request may take.
        """
        self.last_response, self._seconds = None, timeout

    def request(  # type: ignore[override]
        self,
        method: Any,
        url: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        timeout: Any = None,
        allow_redirects: bool = True,
    ) -> Response:
        """Send a request within the user's timeout; yfinance's own `timeout` is ignored.

        Raises:
            RequestException: There is no complete response.
            ChartNotFoundError: Yahoo does not know the ticker; yfinance would send a dozen further requests.
        """
        parts = urlsplit(url)
        is_chart = _CHART in parts.path
        since, error = self._dead.get(parts.netloc, (float("-inf"), None))
        if error is not None and not is_chart and time.monotonic() < since + _DEAD_SECONDS:
            # The host of cookies failed a moment ago; the user waits only once.
            raise error.with_traceback(None)
        try:
            response: Response = super().request(
                method,
                url,
                params=params,
                data=data,
                headers=headers,
                timeout=self._seconds if is_chart else min(self._seconds, _COOKIE_TIMEOUT_SECONDS),
                allow_redirects=allow_redirects,
            )
        except RequestException as failure:
            self._dead[parts.netloc] = (time.monotonic(), failure)
            raise
        self._dead.pop(parts.netloc, None)
        if is_chart:
            kind = str(response.headers.get("Content-Type") or "")
            start = response.content[:200].decode("utf-8", "replace").lstrip()
            self.last_response = LastResponse(response.status_code, kind, start)
            if self.last_response.status == 404 and not self.last_response.is_page:
                raise ChartNotFoundError
        return response
