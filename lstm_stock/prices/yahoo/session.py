"""The HTTP session that yfinance is given: it keeps the user's timeout, and remembers what the wire said.

yfinance throws away the status of what it could not read, waits for cookies as long as it likes, and asks for them
again with every request. curl_cffi is imported here, so this module is itself imported only to ask.
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
"""Prices come without a cookie too: it is not worth a longer wait."""

_REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True)
class LastResponse:
    """The last answer to a request for a chart.

    Attributes:
        status: Of HTTP.
        content_type: As the server calls it, or empty.
        start: The first characters of the body, without blanks before.
    """

    status: int
    content_type: str
    start: str

    @property
    def is_page(self) -> bool:
        """Whether it is a web page in place of data."""
        return self.start.startswith("<") or "html" in self.content_type


class ChartNotFoundError(Exception):
    """Yahoo has no such ticker: 404, and not merely a web page that says so."""


class YahooSession(Session[Response]):
    """A browser-like session; one for all tickers, so that connections and cookies are kept.

    Attributes:
        seen: The last answer to a request for a chart since `begin`, or None.
    """

    def __init__(self) -> None:
        super().__init__(impersonate="chrome")
        self.seen: LastResponse | None = None
        self._seconds = 30.0
        self._dead: dict[str, tuple[float, RequestException]] = {}

    def begin(self, timeout: float) -> None:
        """Forget what was seen, before the next ticker is asked for.

        Args:
            timeout: Seconds that a request may take.
        """
        self.seen, self._seconds = None, timeout

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
        """Send a request within the user's timeout; what yfinance would like is not asked.

        Raises:
            RequestException: No whole answer came.
            ChartNotFoundError: Yahoo has no such ticker; yfinance would look for it in a dozen requests more.
        """
        parts = urlsplit(url)
        is_chart = _CHART in parts.path
        since, error = self._dead.get(parts.netloc, (float("-inf"), None))
        if error is not None and not is_chart and time.monotonic() < since + _REMEMBERED_SECONDS:
            # A host of cookies that did not answer a moment ago: one wait of the user is enough.
            raise error.with_traceback(None)
        try:
            answer: Response = super().request(
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
            kind = str(answer.headers.get("Content-Type") or "")
            start = answer.content[:200].decode("utf-8", "replace").lstrip()
            self.seen = LastResponse(answer.status_code, kind, start)
            if self.seen.status == 404 and not self.seen.is_page:
                raise ChartNotFoundError
        return answer
