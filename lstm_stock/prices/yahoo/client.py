"""Ask Yahoo Finance for daily bars, once, through yfinance.

What Yahoo sends is kept as it is, except for bars that are none. Nothing here tries again, compares or stores.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.errors import SourceError
from lstm_stock.prices.calendars import SETTLING, session_end
from lstm_stock.prices.table import PRICES, price_table
from lstm_stock.prices.yahoo import failures
from lstm_stock.prices.yahoo.exchanges import YAHOO_EXCHANGES

if TYPE_CHECKING:
    from lstm_stock.prices.yahoo.session import YahooSession


T = TypeVar("T")


class Worker:
    """One thread that does one job after the other, and does not keep the program from ending."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        threading.Thread(target=self._work, name="worker", daemon=True).start()

    def run(self, job: Callable[[], T]) -> T:
        """Do a job in the thread, and return or raise what it did.

        Raises:
            KeyboardInterrupt: Ctrl-C, at once; the job is left to its fate.
        """
        future: Future[T] = Future()
        self._jobs.put((future, job))
        return future.result()

    def _work(self) -> None:
        while True:
            future, job = self._jobs.get()
            try:
                future.set_result(job())
            except BaseException as error:  # It is raised again where it belongs.
                future.set_exception(error)


_COLUMNS = {
    "open": "Open",
    "high": "High",
    "low": "Low",
    "close": "Close",
    "adj_close": "Adj Close",
    "volume": "Volume",
    "dividends": "Dividends",
    "splits": "Stock Splits",
}
_EARLIEST = dt.date(1900, 1, 1)


@dataclass(frozen=True)
class YahooRequest:
    """What is wanted of Yahoo.

    Attributes:
        ticker: As Yahoo spells it.
        start: First date, or None for the earliest there is.
        end: Last date, inclusive, or None for the newest there is.
        exchange: A code of `lstm_stock.prices.calendars` that goes before what Yahoo says, or None.
        include_partial: Whether a bar whose session is not over is wanted too.
        timeout: Seconds that one HTTP request may take.
        now: The present time, with its zone.
    """

    ticker: str
    start: dt.date | None
    end: dt.date | None
    exchange: str | None
    include_partial: bool
    timeout: float
    now: dt.datetime


@dataclass(frozen=True)
class YahooBars:
    """What Yahoo has of a ticker.

    Attributes:
        table: A price table with at least one bar, all of them valid.
        currency: What the prices are in, if Yahoo says so; `GBp` are pence.
        exchange: A code of `lstm_stock.prices.calendars`, or None where Yahoo's name is none that is known.
        exchange_name: Yahoo's own name of the exchange, such as `NMS`.
        partial: The date of the last bar, if its session is not over.
        notes: What was left out, in lines for the user.
    """

    table: pd.DataFrame
    currency: str | None
    exchange: str | None
    exchange_name: str
    partial: dt.date | None
    notes: tuple[str, ...]


def fetch_bars(request: YahooRequest) -> YahooBars:
    """Fetch daily bars, adjusted for splits alone, with the dividend-adjusted close beside them.

    Bars without prices are left out, and so is, unless wanted, one whose session is not over, or has been for less
    than half an hour; the notes say so. Dates are the exchange's own.

    Raises:
        SourceError: Yahoo could not be reached, refuses, does not know the ticker, or has no bar for the dates.
            It is a `TemporaryError` where another try makes sense.
    """
    ticker = request.ticker
    bars, facts = _worker().run(lambda: _ask(request))
    dates = pd.DatetimeIndex(bars.index).tz_localize(None).to_numpy().astype("datetime64[D]")
    columns = {name: bars[theirs].to_numpy(np.float64) for name, theirs in _COLUMNS.items()}
    keep, notes = _usable(dates, columns)
    exchange_name = str(facts.get("exchangeName"))
    exchange = request.exchange or YAHOO_EXCHANGES.get(exchange_name)
    partial = None
    period_end = _period_end(facts)
    for row in np.flatnonzero(keep)[-2:]:  # Around midnight, an exchange may have two of them.
        day: dt.date = dates[row].item()
        end = session_end(exchange, day)
        open_still = request.now < end + SETTLING if end else is_unfinished(day, period_end, request.now)
        if open_still:
            if request.include_partial:
                partial = day
                notes.append(f"the bar of {day} may still change: its session is not over")
            else:
                keep[row] = False
                notes.append(f"left out the bar of {day}, whose session is not over")
    if not keep.any():
        raise SourceError(f"Yahoo has no finished bar of {ticker} for these dates", "ask for earlier dates")
    table = price_table(dates[keep], {name: values[keep] for name, values in columns.items()})
    currency = facts.get("currency")
    return YahooBars(
        table, str(currency) if currency else None, exchange, exchange_name, partial, tuple(notes)
    )


def is_unfinished(bar: dt.date, session_end: dt.datetime | None, now: dt.datetime) -> bool:
    """Say whether a bar may still change.

    Args:
        bar: Its date.
        session_end: When the exchange's current or last session ends, in the exchange's time zone, if known.
        now: The present time, with its zone.
    """
    return session_end is not None and bar == session_end.date() and now < session_end + SETTLING


def _usable(
    dates: npt.NDArray[np.datetime64], columns: Mapping[str, npt.NDArray[np.float64]]
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Tell bars from what only looks like one, with a note on each kind that is left out."""
    notes = []
    lacking = np.isnan(np.array([columns[name] for name in PRICES])).any(axis=0)
    if lacking.any():
        notes.append(
            f"left out {_bars(lacking)} for which Yahoo has no prices, the newest of {dates[lacking][-1]}"
        )
    with np.errstate(invalid="ignore"):
        impossible = (columns["high"] < columns["low"]) | (columns["open"] < 0) | (columns["volume"] < 0)
        for name in ("high", "low", "close", "adj_close"):
            impossible |= columns[name] <= 0
    impossible &= ~lacking
    if impossible.any():
        notes.append(
            f"left out {_bars(impossible)} whose prices cannot be (not above 0, or a high below the low), the "
            f"newest of {dates[impossible][-1]}"
        )
    return ~lacking & ~impossible, notes


def _bars(which: npt.NDArray[np.bool_]) -> str:
    n = int(np.count_nonzero(which))
    return "1 bar" if n == 1 else f"{n} bars"


def _period_end(facts: Mapping[str, Any]) -> dt.datetime | None:
    """Return when the exchange's current or last session ends, as Yahoo says."""
    regular = (facts.get("currentTradingPeriod") or {}).get("regular") or {}
    end = regular.get("end")
    return end.to_pydatetime() if isinstance(end, pd.Timestamp) and end.tzinfo else None


@lru_cache(maxsize=1)
def _worker() -> Worker:
    return Worker()


@lru_cache(maxsize=1)
def _session() -> YahooSession:
    from lstm_stock.prices.yahoo.session import YahooSession

    return YahooSession()


def _ask(request: YahooRequest) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """Return yfinance's bars and metadata, or raise a `SourceError` for each way in which it fails."""
    ticker = request.ticker
    first = max(request.start, _EARLIEST) if request.start else _EARLIEST
    # Yahoo's end is exclusive. Without one, the answer goes up to now.
    last = request.end + dt.timedelta(days=1) if request.end and request.end < request.now.date() else None
    with warnings.catch_warnings():
        import yfinance
        from curl_cffi.requests.exceptions import RequestException
        from yfinance import exceptions
        from yfinance.data import YfData

        from lstm_stock.prices.yahoo.session import ChartNotFoundError

        # yfinance uses what pandas is about to change, which is not for our users to read. Its import turns the
        # warnings on, so that they can only be turned off after it.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # Everything it logs, it raises too.
        yfinance.config.debug.hide_exceptions = False
        session = _session()
        session.begin(request.timeout)
        # yfinance keeps answers, also those of failure, and would give them again without asking.
        YfData.cache_get.cache_clear()
        try:
            source = yfinance.Ticker(ticker, session=session)
            bars = source.history(
                start=first, end=last, auto_adjust=False, actions=True, timeout=request.timeout
            )
            facts: Mapping[str, Any] = source.get_history_metadata()
        except exceptions.YFRateLimitError as error:
            raise failures.rate_limit() from error
        except ChartNotFoundError as error:
            raise failures.unknown_ticker(ticker) from error
        except exceptions.YFTzMissingError as error:
            raise failures.by_status(session.seen, ticker) or failures.unknown_ticker(ticker) from error
        except exceptions.YFPricesMissingError as error:
            if "delisted" in str(error.yahoo_reason):
                raise failures.unknown_ticker(ticker) from error
            known = failures.by_status(session.seen, ticker)
            raise known or failures.no_prices(ticker, _dates(request)) from error
        except json.JSONDecodeError as error:
            raise failures.by_status(session.seen, ticker) or failures.no_json(session.seen) from error
        except RequestException as error:
            answered = error.response is not None and failures.by_status(session.seen, ticker)
            raise answered or failures.network_failure(error, request.timeout) from error
        except (exceptions.YFException, OSError) as error:
            raise failures.by_status(session.seen, ticker) or failures.refused(error) from error
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            # yfinance takes answers apart without looking; what it then trips over is Yahoo's doing.
            raise failures.by_status(session.seen, ticker) or failures.unexpected_payload(
                ticker, error
            ) from error
    if bars.empty:
        raise failures.no_prices(ticker, _dates(request))
    return bars, facts


def _dates(request: YahooRequest) -> str:
    return f"from {request.start or 'its first bar'} to {request.end or 'today'}"
