from __future__ import annotations

import time

import pytest

from lstm_stock.errors import RateLimitError, SourceError, TemporaryError
from lstm_stock.prices.retry import Retry, RetryBudget, retrying


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """A clock that only waiting moves; its list holds the pauses."""
    pauses: list[float] = []
    started = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: started + sum(pauses))
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


class Flaky:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.n_calls = 0

    def __call__(self) -> str:
        self.n_calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


class Broken(Flaky):
    def __call__(self) -> str:
        self.n_calls += 1
        raise self.errors[0]


def test_temporary_failures_are_retried_after_growing_jittered_pauses(clock):
    ask, seen = Flaky(*[TemporaryError(f"no {i}") for i in range(4)]), []
    assert retrying(ask, 60, seen.append) == "done"
    assert ask.n_calls == 5
    for i, pause in enumerate(clock):
        assert 0.75 * 2**i <= pause <= 1.25 * 2**i
    assert len(set(clock)) == 4
    assert [(retry.error.message, retry.number) for retry in seen] == [(f"no {i}", i + 1) for i in range(4)]
    assert [retry.pause for retry in seen] == clock
    assert seen[-1].left == pytest.approx(60 - sum(clock))


def test_the_waiting_ends_with_a_last_try_at_its_bound(clock):
    ask = Broken(TemporaryError("no"))
    with pytest.raises(TemporaryError, match="no"):
        retrying(ask, 20, lambda retry: None)
    assert sum(clock) == pytest.approx(20, abs=0.51)
    assert sum(clock) <= 20 + 1e-6
    assert ask.n_calls == len(clock) + 1


def test_a_rate_limit_is_waited_for_longer(clock):
    with pytest.raises(RateLimitError):
        retrying(Broken(RateLimitError("429")), 90, lambda retry: None)
    assert 11 < clock[0] < 19
    assert len(clock) <= 5


@pytest.mark.parametrize("error", [SourceError("unknown ticker"), ValueError("a bug"), KeyboardInterrupt()])
def test_other_errors_are_raised_at_once(clock, error):
    ask = Broken(error)
    with pytest.raises(type(error)):
        retrying(ask, 60, lambda retry: None)
    assert (ask.n_calls, clock) == (1, [])


def test_without_time_to_wait_there_is_one_try(clock):
    ask = Broken(TemporaryError("no"))
    with pytest.raises(TemporaryError):
        retrying(ask, 0, lambda retry: pytest.fail("no retry was allowed"))
    assert (ask.n_calls, clock) == (1, [])


def test_retries_are_not_logged(clock, caplog):
    retrying(Flaky(TemporaryError("no")), 60, lambda retry: None)
    assert caplog.records == []


def test_the_retry_budget_is_zero_after_failed_retries_until_a_success():
    patience = RetryBudget(90)
    patience.failed(SourceError("unknown ticker"))
    patience.failed(TemporaryError("timeout"))
    assert patience.seconds == 90
    patience.failed(TemporaryError("timeout"))
    assert patience.seconds == 0
    patience.succeeded()
    assert patience.seconds == 90
    patience.failed(RateLimitError("429"))
    assert patience.seconds == 0


def test_a_retry_holds_error_number_pause_and_time_left():
    retry = Retry(TemporaryError("no"), 1, 2.0, 3.0)
    assert (retry.error.message, retry.number, retry.pause, retry.left) == ("no", 1, 2.0, 3.0)
