"""Ask Yahoo Finance for daily bars, once, through yfinance.

What yfinance raises is said in words that tell the user what to do; what Yahoo sends is kept as it is, except for
bars that are none yet. Nothing here tries again, compares or stores.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_stock.errors import SourceError
from lstm_stock.prices import PRICES, price_table

if TYPE_CHECKING:
    from curl_cffi.requests.exceptions import RequestException

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
_TIMEOUT_SECONDS = 30
_SETTLING = dt.timedelta(minutes=30)
"""How long after a session's end Yahoo's bar of it may still change."""

_SPELLING_HINT = "write it as Yahoo does: AAPL, BRK-B, 0700.HK, ^GSPC, EURUSD=X"
_LATER_HINT = "try again later, or bring prices of your own with `--from-csv FILE`"


@dataclass(frozen=True)
class YahooBars:
    """What Yahoo has of a ticker.

    Attributes:
        table: A price table with at least one bar; whether it is a valid one is for the caller to check.
        currency: What the prices are in, if Yahoo says so; `GBp` are pence.
        exchange_name: Yahoo's own name of the exchange, such as `NMS`.
        notes: What was left out, in lines for the user.
    """

    table: pd.DataFrame
    currency: str | None
    exchange_name: str
    notes: tuple[str, ...]


def fetch_bars(ticker: str, start: dt.date | None, end: dt.date | None) -> YahooBars:
    """Fetch daily bars, adjusted for splits alone, with the dividend-adjusted close beside them.

    Bars for which Yahoo has no prices are left out, and so is a session's that is not over, or has been for less
    than half an hour; the notes say so. Dates are the exchange's own.

    Args:
        ticker: As Yahoo spells it.
        start: First date, or None for the earliest there is.
        end: Last date, inclusive, or None for the newest there is.

    Raises:
        SourceError: Yahoo could not be reached, refuses, does not know the ticker, or has no bar for the dates.
    """
    bars, facts = _ask(ticker, start, end)
    dates = pd.DatetimeIndex(bars.index).tz_localize(None).to_numpy().astype("datetime64[D]")
    columns = {name: bars[theirs].to_numpy(np.float64) for name, theirs in _COLUMNS.items()}
    notes = []
    keep: npt.NDArray[np.bool_] = ~np.isnan(np.array([columns[name] for name in PRICES])).any(axis=0)
    n_lacking = int(np.count_nonzero(~keep))
    if n_lacking:
        how_many = "1 bar" if n_lacking == 1 else f"{n_lacking} bars"
        notes.append(f"left out {how_many} for which Yahoo has no prices, the newest of {dates[~keep][-1]}")
    if keep.any():
        newest = np.flatnonzero(keep)[-1]
        if is_unfinished(dates[newest].item(), _session_end(facts), dt.datetime.now(dt.UTC)):
            keep[newest] = False
            notes.append(f"left out the bar of {dates[newest]}, whose session is not over")
    if not keep.any():
        raise SourceError(f"Yahoo has no finished bar of {ticker} for these dates", "ask for earlier dates")
    table = price_table(dates[keep], {name: values[keep] for name, values in columns.items()})
    currency = facts.get("currency")
    return YahooBars(table, str(currency) if currency else None, str(facts.get("exchangeName")), tuple(notes))


def is_unfinished(bar: dt.date, session_end: dt.datetime | None, now: dt.datetime) -> bool:
    """Say whether a bar may still change.

    Args:
        bar: Its date.
        session_end: When the exchange's current or last session ends, in the exchange's time zone, if known.
        now: The present time, with its zone.
    """
    return session_end is not None and bar == session_end.date() and now < session_end + _SETTLING


def _session_end(facts: Mapping[str, Any]) -> dt.datetime | None:
    regular = (facts.get("currentTradingPeriod") or {}).get("regular") or {}
    end = regular.get("end")
    return end.to_pydatetime() if isinstance(end, pd.Timestamp) and end.tzinfo else None


def _ask(ticker: str, start: dt.date | None, end: dt.date | None) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """Return yfinance's bars and metadata, or raise a `SourceError` for each way in which it fails."""
    first = max(start, _EARLIEST) if start else _EARLIEST
    # Yahoo's end is exclusive. Without one the answer is not cached by yfinance, and up to now.
    today = dt.datetime.now(dt.UTC).date()
    last = end + dt.timedelta(days=1) if end and end < today else None
    with warnings.catch_warnings():
        import yfinance
        from curl_cffi.requests.exceptions import RequestException
        from yfinance import exceptions

        # yfinance uses what pandas is about to change, which is not for our users to read. Its import turns the
        # warnings on, so that they can only be turned off after it.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # Everything it logs, it raises too.
        yfinance.config.debug.hide_exceptions = False
        try:
            source = yfinance.Ticker(ticker)
            bars = source.history(
                start=first, end=last, auto_adjust=False, actions=True, timeout=_TIMEOUT_SECONDS
            )
            facts: Mapping[str, Any] = source.get_history_metadata()
        except exceptions.YFRateLimitError as error:
            raise _rate_limit() from error
        except exceptions.YFTzMissingError as error:
            raise _unknown(ticker) from error
        except exceptions.YFPricesMissingError as error:
            if "delisted" in str(error.yahoo_reason):
                raise _unknown(ticker) from error
            raise SourceError(
                f"Yahoo has no prices of {ticker} from {start or 'its first bar'} to {end or 'today'}",
                "ask for other dates: `--start`, `--end`",
            ) from error
        except json.JSONDecodeError as error:
            raise SourceError("Yahoo answered with a page that holds no prices", _LATER_HINT) from error
        except RequestException as error:
            raise _network_error(error, ticker) from error
        except (exceptions.YFException, OSError) as error:
            raise SourceError(f"Yahoo could not be asked: {_one_line(error)}", _LATER_HINT) from error
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            # yfinance takes answers apart without looking; what it then trips over is Yahoo's doing.
            raise SourceError(
                f"Yahoo's answer for {ticker} is of no known form ({type(error).__name__}: {_one_line(error)})",
                _LATER_HINT,
            ) from error
    if bars.empty:
        raise SourceError(
            f"Yahoo has no prices of {ticker} for these dates", "ask for other dates: `--start`, `--end`"
        )
    return bars, facts


def _network_error(error: RequestException, ticker: str) -> SourceError:
    from curl_cffi.requests.exceptions import Timeout

    status = getattr(error.response, "status_code", None)
    if status == 404:
        return _unknown(ticker)
    if status == 429:
        return _rate_limit()
    if status:
        return SourceError(f"Yahoo answered with HTTP {status}", _LATER_HINT)
    if isinstance(error, Timeout):
        return SourceError(
            f"Yahoo did not answer within {_TIMEOUT_SECONDS} s",
            "check the network connection, then try again",
        )
    return SourceError(
        f"Yahoo could not be reached: {_one_line(error)}",
        "check the network connection (and HTTPS_PROXY, where there is a proxy), then try again",
    )


def _unknown(ticker: str) -> SourceError:
    return SourceError(f"Yahoo knows no ticker {ticker}", _SPELLING_HINT)


def _rate_limit() -> SourceError:
    return SourceError(
        "Yahoo takes no more requests from this address for now (429 Too Many Requests)",
        "wait some minutes, then try again; what is stored stays",
    )


def _one_line(error: Exception) -> str:
    """Return the message of an error without curl's advice."""
    text = re.sub(r"^Failed to perform, |\.? See https?://\S+ .*$", "", " ".join(str(error).split()))
    return text[:200].rstrip(".")
