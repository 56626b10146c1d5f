"""Download daily bars from Yahoo Finance once, through yfinance.

Values stay as Yahoo sends them; invalid bars are left out. Nothing here retries, compares or stores.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import lru_cache
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.errors import SourceError, TemporaryError
from lstm_stock.prices.calendars import SETTLING, session_end
from lstm_stock.prices.sources import Fetched, FetchOptions
from lstm_stock.prices.table import counted, days_of, price_table
from lstm_stock.prices.usable import impossible, without_prices
from lstm_stock.prices.yahoo import errors
from lstm_stock.prices.yahoo.exchanges import YAHOO_EXCHANGES

if TYPE_CHECKING:
    from lstm_stock.prices.yahoo.session import YahooSession


T = TypeVar("T")


class Worker:
    """A daemon thread for blocking calls, so that Ctrl-C returns at once."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        threading.Thread(target=self._work, name="worker", daemon=True).start()

    def run(self, job: Callable[[], T]) -> T:
        """Run a job in the thread, and return or raise its result.

        Raises:
            KeyboardInterrupt: Ctrl-C, at once; the job is abandoned.
        """
        future: Future[T] = Future()
        self._jobs.put((future, job))
        return future.result()

    def _work(self) -> None:
        while True:
            future, job = self._jobs.get()
            try:
                future.set_result(job())
            except BaseException as error:  # raised again by `run`
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

UNREADABLE = (
    *(LookupError, TypeError, AttributeError, ValueError),
    *(ArithmeticError, RecursionError, NotImplementedError),
)
"""What Python and pandas raise where yfinance reads a response of another structure."""


def fetch_bars(ticker: str, options: FetchOptions) -> Fetched:
    """Fetch daily bars once: split-adjusted, with the dividend-adjusted close in a column of its own.

    Bars without prices are left out, and so is, without `include_partial`, a bar whose session is not over or
    ended less than half an hour ago; notes say so. Dates are the exchange's own.

    Args:
        ticker: As Yahoo spells it.
        options: The dates, `exchange`, `include_partial`, `timeout` and `now`.

    Returns:
        At least one bar; all bars are valid.

    Raises:
        SourceError: Yahoo cannot be reached, refuses, does not know the ticker, or has no bar on these dates.
            It is a `TemporaryError` where a retry may help.
    """
    bars, facts = _worker().run(lambda: _download(ticker, options))
    dates = days_of(bars.tz_localize(None))
    columns = {name: bars[yahoo_name].to_numpy(np.float64) for name, yahoo_name in _COLUMNS.items()}
    keep, notes = _usable(dates, columns)
    exchange_name = str(facts.get("exchangeName"))
    exchange = options.exchange or YAHOO_EXCHANGES.get(exchange_name)
    partial = None
    period_end = _period_end(facts)
    for row in np.flatnonzero(keep)[-2:]:  # around midnight, two sessions may be unfinished
        day: dt.date = dates[row].item()
        end = session_end(exchange, day)
        open_still = options.now < end + SETTLING if end else is_unfinished(day, period_end, options.now)
        if open_still:
            if options.include_partial:
                partial = day
                notes.append(f"the bar of {day} may still change: its session is not over")
            else:
                keep[row] = False
                notes.append(f"left out the bar of {day}, whose session is not over")
    if not keep.any():
        raise SourceError(f"Yahoo has no finished bar of {ticker} for these dates", "request earlier dates")
    if exchange is None:
        notes.append(
            f"exchange: Yahoo calls it {exchange_name}, for which no calendar is known; assumed to trade Monday "
            "to Friday, and not checked for missing sessions (`--exchange XNYS` names it)"
        )
    table = price_table(dates[keep], {name: values[keep] for name, values in columns.items()})
    currency = facts.get("currency")
    return Fetched(table, str(currency) if currency else None, exchange, tuple(notes), partial)


def is_unfinished(bar: dt.date, session_end: dt.datetime | None, now: dt.datetime) -> bool:
    """Return whether a bar may still change.

    Args:
        bar: The bar's date.
        session_end: When the exchange's current or last session ends, in the exchange's time zone, if known.
        now: The present time, with its zone.
    """
    return session_end is not None and bar == session_end.date() and now < session_end + SETTLING


def _usable(
    dates: npt.NDArray[np.datetime64], columns: Mapping[str, npt.NDArray[np.float64]]
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Return which rows are valid bars, shape `(n_rows,)`, with a note on each kind of invalid row."""
    notes = []
    lacking = without_prices(columns)
    if lacking.any():
        notes.append(
            f"left out {counted(int(lacking.sum()), 'bar')} for which Yahoo has no prices, the newest of "
            f"{dates[lacking][-1]}"
        )
    wrong = impossible(columns) & ~lacking
    if wrong.any():
        notes.append(
            f"left out {counted(int(wrong.sum()), 'bar')} with impossible prices (not above 0, or a high "
            f"below the low), the newest of {dates[wrong][-1]}"
        )
    return ~lacking & ~wrong, notes


def _period_end(facts: Mapping[str, Any]) -> dt.datetime | None:
    """Return the end of the exchange's current or last session according to Yahoo."""
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


def _download(ticker: str, options: FetchOptions) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """Return yfinance's bars and metadata, or raise a `SourceError` by cause."""
    start, end = options.start, options.end
    first = max(start, _EARLIEST) if start else _EARLIEST
    # Yahoo's end is exclusive; None is now.
    last = end + dt.timedelta(days=1) if end and end < options.now.date() else None
    dates = f"from {start or 'its first bar'} to {end or 'today'}"
    with warnings.catch_warnings():
        import yfinance
        from curl_cffi import CurlError
        from peewee import PeeweeException
        from yfinance import exceptions
        from yfinance.data import YfData

        from lstm_stock.prices.yahoo.session import ChartNotFoundError

        # yfinance uses deprecated pandas functions. Its import turns these warnings on, so that they can only be
        # turned off after it.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # it raises what it logs
        yfinance.config.debug.hide_exceptions = False
        session = _session()
        session.begin(options.timeout)

        def by_status() -> SourceError | None:
            return errors.by_status(session.last_response, ticker)

        # yfinance caches responses, failures included.
        YfData.cache_get.cache_clear()
        try:
            source = yfinance.Ticker(ticker, session=session)
            bars = source.history(
                start=first, end=last, auto_adjust=False, actions=True, timeout=options.timeout
            )
            facts: Mapping[str, Any] = source.get_history_metadata()
        except exceptions.YFRateLimitError as error:
            raise errors.rate_limit() from error
        except ChartNotFoundError as error:
            raise errors.unknown_ticker(ticker) from error
        except exceptions.YFTzMissingError as error:
            raise by_status() or errors.unknown_ticker(ticker) from error
        except exceptions.YFPricesMissingError as error:
            if "delisted" in str(error.yahoo_reason):
                raise errors.unknown_ticker(ticker) from error
            raise by_status() or errors.no_prices(ticker, dates) from error
        except json.JSONDecodeError as error:
            raise by_status() or errors.no_json(session.last_response) from error
        except exceptions.YFDataException as error:  # the page 'Will be right back', with any status
            status = by_status()
            raise status if isinstance(status, TemporaryError) else errors.down() from error
        except CurlError as error:
            answered = None if getattr(error, "response", None) is None else by_status()
            raise answered or errors.network_failure(error, options.timeout) from error
        except PeeweeException as error:
            raise errors.cache(error) from error
        except (exceptions.YFException, OSError) as error:
            raise by_status() or errors.refused(error) from error
        except UNREADABLE as error:
            # yfinance reads responses unchecked: its errors come from the response.
            raise by_status() or errors.unexpected_payload(ticker, error) from error
    if bars.empty:
        raise errors.no_prices(ticker, dates)
    return bars, facts
