"""Ask again what may be over in a moment, with growing, jittered pauses and an end.

What is asked, and what failed, is not known here: only which failures are temporary.
"""

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
_LONGEST_PAUSE_SECONDS = 60.0
_LEAST_PAUSE_SECONDS = 0.5
_JITTER = 0.25


@dataclass(frozen=True)
class Retry:
    """One more try that is about to be waited for.

    Attributes:
        error: What failed.
        number: How many failures there have been.
        pause: Seconds until the next try.
        left: Seconds that may then still be spent on tries, the pauses between them included.
    """

    error: TemporaryError
    number: int
    pause: float
    left: float


def ignore_retry(retry: Retry) -> None:
    """Be called before a pause, and leave the user in the dark."""


class RetryBudget:
    """How long to wait for the next of many tickers, after those that failed.

    What keeps one ticker from being fetched for good is likely to keep the next one too: a rate limit once, other
    temporary failures twice in a row. Then each is tried once, without waiting, until one succeeds.

    Args:
        max_wait: Seconds for one ticker.
    """

    def __init__(self, max_wait: float) -> None:
        self._max_wait = max_wait
        self._failures = 0

    @property
    def seconds(self) -> float:
        """For the next ticker."""
        return 0.0 if self._failures >= 2 else self._max_wait

    def succeeded(self) -> None:
        """Be patient again."""
        self._failures = 0

    def failed(self, error: Exception) -> None:
        """Take a ticker's failure into account; one that is its own fault says nothing of the next."""
        if isinstance(error, TemporaryError):
            self._failures += 2 if isinstance(error, RateLimitError) else 1


def retrying(ask: Callable[[], T], max_wait: float, on_retry: Callable[[Retry], None]) -> T:
    """Call `ask` until it answers, fails for good, or the time is up.

    Args:
        ask: Raises `TemporaryError` where another try makes sense.
        max_wait: Seconds after the first failure within which the last try begins; 0 for one try alone.
        on_retry: Called before each pause.

    Raises:
        LstmStockError: What `ask` raised last.
    """
    import stamina
    from stamina import instrumentation

    # By default it logs each retry; who called has better words for it.
    instrumentation.set_on_retry_hooks([])
    failures = 0
    deadline: float | None = None

    def pause_after(error: Exception) -> float | bool:
        nonlocal failures, deadline
        if not isinstance(error, TemporaryError):
            return False
        failures += 1
        now = time.monotonic()
        deadline = now + max_wait if deadline is None else deadline
        left = deadline - now
        if left < _LEAST_PAUSE_SECONDS:
            return False
        pause = min(_pause(error, failures), left)
        on_retry(Retry(error, failures, pause, left - pause))
        return pause

    for attempt in stamina.retry_context(on=pause_after, attempts=None, timeout=None):
        with attempt:
            return ask()
    raise RuntimeError("the last attempt neither returned nor raised")  # pragma: no cover


def _pause(error: TemporaryError, failures: int) -> float:
    first = (
        _FIRST_PAUSE_AFTER_RATE_LIMIT_SECONDS if isinstance(error, RateLimitError) else _FIRST_PAUSE_SECONDS
    )
    # Jitter, so that many programs that failed together do not come back together.
    jitter = random.uniform(1 - _JITTER, 1 + _JITTER)
    return float(min(first * 2.0 ** (failures - 1), _LONGEST_PAUSE_SECONDS) * jitter)
