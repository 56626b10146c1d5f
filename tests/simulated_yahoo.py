"""A simulated Yahoo, whose prices are adjusted for all splits and dividends up to a day that tests can move.

Prices depend on the instrument's seed and the day alone, so that partial fetches must add up to one full fetch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from exchange_calendars import get_calendar

from lstm_stock.prices.table import price_table
from tests.loopback import Answer

NEW_YORK = ZoneInfo("America/New_York")
Faults = dict[str, "list[Answer | str | None] | Answer | str | None"]


def sessions(first: dt.date, last: dt.date, exchange: str = "XNYS") -> list[dt.date]:
    calendar = get_calendar(exchange, start=pd.Timestamp(first), end=pd.Timestamp(last))
    return [session.date() for session in calendar.sessions]


@dataclass
class Instrument:
    """The history of a ticker.

    Attributes:
        days: Its sessions, increasing.
        splits: New shares per old one, by day.
        dividends: As a share of the previous close, by day.
        holes: Days that Yahoo does not have.
        blank: Days that Yahoo has without prices.
    """

    days: list[dt.date]
    seed: int = 0
    start_price: float = 100.0
    splits: dict[dt.date, float] = field(default_factory=dict)
    dividends: dict[dt.date, float] = field(default_factory=dict)
    holes: set[dt.date] = field(default_factory=set)
    blank: set[dt.date] = field(default_factory=set)
    exchange_name: str = "NMS"
    zone: ZoneInfo = NEW_YORK

    def table(self, today: dt.date) -> pd.DataFrame:
        """Return the price table as of `today`, holes and blanks included."""
        days = [day for day in self.days if day <= today]
        n = len(days)
        random = np.random.default_rng(self.seed)
        moves = random.normal(0, 0.01, (4, len(self.days)))[:, :n]
        traded = self.start_price * np.exp(np.cumsum(moves[0]))  # value of one share of the first day
        split = np.array([self.splits.get(day, 1.0) for day in days])
        share = np.array([self.dividends.get(day, 0.0) for day in days])
        # Adjusted for every split up to today, so that the newest price is the quoted one.
        all_splits = float(np.prod(split))
        close = traded / all_splits
        later_splits = all_splits / np.cumprod(split)
        dividends = share * np.concatenate((close[:1], close[:-1]))
        factor = np.append(np.cumprod(1 - share[:0:-1])[::-1], 1.0)
        high = close * np.exp(np.abs(moves[1]))
        low = close * np.exp(-np.abs(moves[2]))
        columns = {
            "open": np.clip(close * np.exp(moves[3] / 2), low, high),
            "high": high,
            "low": low,
            "close": close,
            "adj_close": close * factor,
            "volume": np.round(1e6 * later_splits * all_splits * np.exp(moves[1])),
            "dividends": dividends,
            "splits": np.where(split == 1, 0, split),
        }
        return price_table(np.array(days, dtype="datetime64[D]"), columns)

    def visible(self, today: dt.date) -> pd.DataFrame:
        """Return the bars of a full fetch on `today`."""
        table = self.table(today)
        away = {pd.Timestamp(day) for day in self.holes | self.blank}
        return table[~table.index.isin(list(away))]

    def chart(self, symbol: str, query: dict[str, str], today: dt.date) -> Answer:
        """Return the response to a request for its chart."""
        table = self.table(today)
        table = table[~table.index.isin([pd.Timestamp(day) for day in self.holes])]
        stamps = np.array([self.stamp(date.date()) for date in table.index])
        wanted = np.ones(len(stamps), dtype=bool)
        if "period1" in query:
            wanted = (stamps >= int(query["period1"])) & (stamps < int(query["period2"]))
        elif len(stamps):
            wanted = stamps == stamps[-1]
        table, stamps = table[wanted], stamps[wanted]
        end = int(dt.datetime.combine(today, dt.time(16), self.zone).timestamp())
        period = {"timezone": "EST", "gmtoffset": -18000, "start": end - 23400, "end": end}
        meta = {
            "currency": "USD",
            "symbol": symbol,
            "exchangeName": self.exchange_name,
            "fullExchangeName": "simulated",
            "instrumentType": "EQUITY",
            "firstTradeDate": self.stamp(self.days[0]),
            "regularMarketTime": end,
            "gmtoffset": -18000,
            "timezone": "EST",
            "exchangeTimezoneName": str(self.zone),
            "regularMarketPrice": 1.0,
            "priceHint": 2,
            "currentTradingPeriod": {"pre": dict(period), "regular": dict(period), "post": dict(period)},
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "max"],
        }
        if len(table) == 0:
            result = {"meta": meta, "indicators": {"quote": [{}], "adjclose": [{}]}}
            return Answer.json({"chart": {"result": [result], "error": None}})
        blank = np.isin(table.index.date, list(self.blank)) if self.blank else np.zeros(len(table), bool)

        def column(name: str) -> list[float | None]:
            return [None if off else value for value, off in zip(table[name].tolist(), blank, strict=True)]

        pairs = list(zip(stamps.tolist(), table["dividends"], table["splits"], strict=True))
        events = {
            "dividends": {str(at): {"amount": paid, "date": at} for at, paid, _ in pairs if paid},
            "splits": {
                str(at): {"date": at, "numerator": new, "denominator": 1, "splitRatio": f"{new:g}:1"}
                for at, _, new in pairs
                if new
            },
        }
        names = ("open", "high", "low", "close")
        quote: dict[str, object] = {name: column(name) for name in names}
        quote["volume"] = [int(value) for value in table["volume"]]
        result = {
            "meta": meta,
            "timestamp": stamps.tolist(),
            "events": events,
            "indicators": {"quote": [quote], "adjclose": [{"adjclose": column("adj_close")}]},
        }
        return Answer.json({"chart": {"result": [result], "error": None}})

    def stamp(self, day: dt.date) -> int:
        return int(dt.datetime.combine(day, dt.time(9, 30), self.zone).timestamp())


class SimulatedYahoo:
    """A route for the loopback: instruments by ticker, a movable day, and faults.

    A fault replaces every response to a ticker's chart; a list of faults replaces one response each. The key
    `crumb` is for requests for the crumb.
    """

    def __init__(self, instruments: dict[str, Instrument], today: dt.date) -> None:
        self.instruments = instruments
        self.today = today
        self.faults: Faults = {}

    def __call__(self, path: str, query: dict[str, str]) -> Answer | str | None:
        symbol = path.rpartition("/")[2]
        if path == "/":
            until = dt.datetime.now(dt.UTC) + dt.timedelta(days=300)
            cookie = (
                f"A3=simulated; Expires={until:%a, %d %b %Y %H:%M:%S} GMT; Domain=.yahoo.com; Path=/; Secure"
            )
            return Answer(404, b"", "text/html", cookie=cookie)
        if "getcrumb" in path:
            return self._fault("crumb", lambda: Answer(200, b"crumb", "text/plain"))
        if "/chart/" not in path:
            return Answer(404, b"{}")
        return self._fault(symbol, lambda: self._chart(symbol, query))

    def _fault(self, name: str, answer: Callable[[], Answer]) -> Answer | str | None:
        if name not in self.faults:
            return answer()
        fault = self.faults[name]
        if isinstance(fault, list):
            return fault.pop(0) if fault else answer()
        return fault

    def _chart(self, symbol: str, query: dict[str, str]) -> Answer:
        if symbol in self.instruments:
            return self.instruments[symbol].chart(symbol, query, self.today)
        error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
        return Answer.json({"chart": {"result": None, "error": error}}, 404)
