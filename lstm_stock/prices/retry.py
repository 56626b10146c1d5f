"""Retry temporary failures with growing, jittered pauses up to a time limit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from lstm_stock.errors import RateLimitError, TemporaryError

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 1.0
_FIRST_PAUSE_AFTER_RATE_LIMIT_SECONDS = 15.0
_MAX_PAUSE_SECONDS = 60.0
_MIN_PAUSE_SECONDS = 0.5
_JITTER = 0.25


@dataclass(frozen=True)
class Retry:
    """A retry that is about to be waited for.

    Attributes:
        error: The last failure.
        number: Number of failures so far.
        pause: Seconds until the next attempt.
        left: Seconds that remain for further attempts and pauses after this one.
    """

    error: TemporaryError
    number: int
    pause: float
    left: float


def ignore_retry(retry: Retry) -> None:
    """No-op `on_retry` callback."""


class RetryBudget:
    """Retry time for the next of many tickers, given the failures so far.

    A rate limit, or two other temporary failures in a row, is likely to fail the next ticker too: each is then
    attempted once, without retries, until one succeeds.

    Args:
        max_wait: Seconds for one ticker.
    """

    def __init__(self, max_wait: float) -> None:
        self._max_wait = max_wait
        self._failures = 0

    @property
    def seconds(self) -> float:
        """Seconds for the next ticker."""
        return 0.0 if self._failures >= 2 else self._max_wait

    def succeeded(self) -> None:
        """Record a success: the next ticker gets the full time."""
        self._failures = 0

    def failed(self, error: Exception) -> None:
        """Record a failure; one that is not temporary does not count."""
        if isinstance(error, TemporaryError):
            self._failures += 2 if isinstance(error, RateLimitError) else 1


def retrying(attempt: Callable[[], T], max_wait: float, on_retry: Callable[[Retry], None]) -> T:
    """Call `attempt` until it succeeds, fails for good, or the time is up.

    Args:
        attempt: Raises `TemporaryError` where a retry may help.
        max_wait: Seconds after the first failure within which the last attempt begins; 0 for a single attempt.
        on_retry: Called before each pause.

    Raises:
        LstmStockError: The last error of `attempt`.
    """
    deadline: float | None = None
    n_failures = 0
    while True:
        try:
            return attempt()
        except TemporaryError as error:
            n_failures += 1
            now = time.monotonic()
            deadline = now + max_wait if deadline is None else deadline
            left = deadline - now
            if left < _MIN_PAUSE_SECONDS:
                raise
            pause = min(_pause(error, n_failures), left)
            on_retry(Retry(error, n_failures, pause, left - pause))
        time.sleep(pause)


def _pause(error: TemporaryError, n_failures: int) -> float:
    is_limit = isinstance(error, RateLimitError)
    first = _FIRST_PAUSE_AFTER_RATE_LIMIT_SECONDS if is_limit else _FIRST_PAUSE_SECONDS
    # Jitter, so that programs that failed together do not retry together.
    jitter = random.uniform(1 - _JITTER, 1 + _JITTER)
    return float(min(first * 2.0 ** (n_failures - 1), _MAX_PAUSE_SECONDS) * jitter)
