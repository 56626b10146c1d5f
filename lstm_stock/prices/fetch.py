"""Fetch one ticker's bars from a source: `yahoo`, `csv` or `sample`.

`fetch_prices` calls the source and checks what it returns. Nothing here reads or writes the store.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import cast

import pandas as pd

from lstm_stock.config.interval import DAILY, INTERVALS, Interval
from lstm_stock.config.registry import resolve
from lstm_stock.errors import DataError, SourceError
from lstm_stock.prices.calendars import SETTLING, check_exchange, guess_exchange, zone_of
from lstm_stock.prices.csv.columns import NoPricesError
from lstm_stock.prices.csv.reader import CsvFile, read_csv
from lstm_stock.prices.csv.values import only_value_column, read_values
from lstm_stock.prices.interval import MIN_GAPS, Times, find_interval, spacing
from lstm_stock.prices.join import join_bars
from lstm_stock.prices.next_bars import INTRADAY_SETTLING, bar_end
from lstm_stock.prices.retry import retrying
from lstm_stock.prices.sources import SAMPLE_TICKER, SOURCES, Fetched, FetchOptions
from lstm_stock.prices.table import between, counted, days_of, iso_date, validate
from lstm_stock.prices.values import interval_of, interval_text
from lstm_stock.prices.yahoo.client import fetch_bars

_SAMPLE_FILE = "AAPL_2010_2023.csv"


def fetch_prices(ticker: str, options: FetchOptions) -> Fetched:
    """Fetch one ticker's prices from a source.

    Args:
        ticker: In upper case.
        options: The source, the dates (start not after end) and the source's own options; `refresh` is ignored.

    Returns:
        At least two bars, all within the dates wanted.

    Raises:
        DataError: The options or the prices are not usable.
        SourceError: The source failed.
    """
    return within(read_source(ticker, options), ticker, options)


def read_source(ticker: str, options: FetchOptions) -> Fetched:
    """Return what a source has: the dates wanted or more, see `fetch_prices`."""
    name = options.source
    if name not in SOURCES:
        raise DataError(f"there is no source `{name}`", f"choose one of {', '.join(SOURCES)}")
    if options.exchange is not None:
        options = replace(options, exchange=check_exchange(options.exchange))
    fetched = cast(Fetched, resolve(SOURCES[name].fetch)(ticker, options))
    validate(fetched.table, ticker, INTERVALS[fetched.interval])
    wanted = INTERVALS[options.interval or fetched.interval]
    return fetched if wanted.name == fetched.interval else _joined(fetched, wanted, options)


def _joined(daily: Fetched, interval: Interval, options: FetchOptions) -> Fetched:
    """Join daily bars to those of a week or longer; a period that is not over, or that `end` cuts, is left out."""
    if interval.is_intraday:
        raise DataError(
            f"the source {options.source} has no {interval.adjective} bars in this program, only daily ones",
            "`--from-csv FILE` reads intraday bars of a file; `--interval 1wk` and longer join daily bars",
        )
    table = join_bars(between(daily.table, None, options.end), interval)
    now = options.now
    if options.end is not None:
        now = min(now, dt.datetime.combine(options.end + dt.timedelta(days=1), dt.time(12), dt.UTC))
    whole, left_out = without_unfinished(table, interval, daily.exchange, now)
    partial = None
    if options.include_partial and now == options.now and len(whole) == len(table) - 1:
        whole, left_out, partial = table, [], table.index[-1].date()
    notes = [note for note in daily.notes if "session is not over" not in note]
    told = f"interval: {interval.name}, joined from daily bars, each dated by the first day of its period"
    return replace(
        daily, table=whole, notes=(*notes, told, *left_out), partial=partial, interval=interval.name
    )


def within(fetched: Fetched, ticker: str, options: FetchOptions) -> Fetched:
    """Return the bars within the dates wanted; DataError if they are fewer than two."""
    name, start, end = options.source, options.start, options.end
    table = between(fetched.table, start, end)
    if table.empty:
        days = days_of(fetched.table)
        raise DataError(
            f"the source {name} has no bar of {ticker} from {start or 'its first'} to {end or 'its last'}: "
            f"it has {days[0]} to {days[-1]}",
            "change `--start` and `--end`",
        )
    if len(table) < 2:
        raise DataError(
            f"the source {name} has only one bar of {ticker}, of {table.index[0]:%F}; a return needs two",
            "request more dates: `--start`, `--end`, or another file",
        )
    return replace(fetched, table=table)


def fetch_yahoo(ticker: str, options: FetchOptions) -> Fetched:
    """Fetch bars from Yahoo Finance, and retry temporary failures."""
    return retrying(lambda: fetch_bars(ticker, options), options.max_wait, options.on_retry)


def fetch_csv(ticker: str, options: FetchOptions) -> Fetched:
    """Read a CSV file."""
    if options.csv_path is None:
        raise DataError("the source csv needs a file", "name it: `--from-csv FILE`")
    if options.csv.value is not None:
        return _fetch_values(options.csv_path, options.csv.value, options)
    zone = None if options.exchange is None else zone_of(options.exchange)
    try:
        file = options.csv_file or CsvFile(options.csv_path, options.csv)
        prices = file.prices(ticker, zone)
    except NoPricesError:
        column = only_value_column(options.csv_path)
        if column is None:
            raise
        return _fetch_values(options.csv_path, column, options)
    notes, table = list(prices.understood), prices.table
    interval = interval_of_file(days_of(prices.table), options.interval, str(options.csv_path))
    if not interval.is_daily:
        notes.append(f"interval: {interval.name}, {interval.adjective} bars")
    exchange = options.exchange
    if exchange is None:
        # Few bars of a week or a month are dated on a Saturday or Sunday: that says nothing of trading days.
        is_short = interval.is_intraday or interval.is_daily
        exchange = guess_exchange(pd.DatetimeIndex(prices.table.index)) if is_short else None
        assumed = ", assumed to trade Monday to Friday" if is_short else ""
        notes.append(
            f"exchange: unknown{assumed} (`--exchange XNYS` names it)"
            if exchange is None
            else f"exchange: {exchange}, since Saturdays and Sundays have bars"
        )
    more: list[str] = []
    if not interval.is_daily and not options.include_partial:
        table, more = without_unfinished(table, interval, exchange, options.now)
    return Fetched(table, None, exchange, (*notes, *more), interval=interval.name)


def without_unfinished(
    table: pd.DataFrame, interval: Interval, exchange: str | None, now: dt.datetime
) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the bars of weeks, months or hours that are not over, with a note.

    Intraday bars of an unknown exchange stay, since its clock is unknown.
    """
    if exchange is None and interval.is_intraday:
        return table, []
    dates = pd.DatetimeIndex(table.index)
    settling = INTRADAY_SETTLING if interval.is_intraday else SETTLING
    n = len(table)
    while n > 1 and bar_end(dates[n - 1], dates, interval, exchange) + settling > now:
        n -= 1
    if n == len(table):
        return table, []
    left_out = f"left out {counted(len(table) - n, 'bar')} from {iso_date(dates[n])} on: not over yet"
    return table.iloc[:n], [left_out]


def interval_of_file(times: Times, named: str | None, path: str) -> Interval:
    """Return the interval of the bars of a file: that of its dates, or what the user says where they show none.

    Args:
        times: The dates, increasing.
        named: Name of the interval according to the user, None if he says nothing.
        path: Of the file, for errors.

    Raises:
        DataError: The dates are those of no interval, or of another one.
    """
    found = find_interval(times)
    if named is not None and (found is None or found.name == named or len(times) <= MIN_GAPS):
        return INTERVALS[named]
    if found is None:
        raise DataError(
            f"the bars in {path} are {spacing(times)} apart (median), which is no interval of this program: "
            f"{', '.join(INTERVALS)}",
            "join them to bars of one of these; `--interval 1d` takes them as daily bars with gaps",
        )
    if named is not None:
        raise DataError(
            f"the bars in {path} are {found.adjective} ({spacing(times)} apart), not {INTERVALS[named].adjective}",
            f"leave out `--interval`, or write `--interval {found.name}`",
        )
    return found


def _fetch_values(path: Path, column: str, options: FetchOptions) -> Fetched:
    found = read_values(path, column, options.csv)
    interval = interval_of(found.table)
    notes = [*found.understood, f"a series of values, {interval_text(interval, found.table)}: not prices"]
    if options.exchange is not None:
        notes.append(f"exchange {options.exchange}: ignored, since values have none")
    named = DAILY if options.interval is None else INTERVALS[options.interval]
    return Fetched(found.table, notes=tuple(notes), column=found.column, interval=(interval or named).name)


def fetch_sample(ticker: str, options: FetchOptions) -> Fetched:
    """Read the packaged bars: AAPL, 2010-01-04 to 2023-12-29."""
    del options
    if ticker != SAMPLE_TICKER:
        raise SourceError(
            f"the source sample has no {ticker}, only {SAMPLE_TICKER}",
            "use `--source yahoo` or `--from-csv FILE` for other tickers",
        )
    with as_file(files("lstm_stock.prices").joinpath("sample", _SAMPLE_FILE)) as path:
        return Fetched(read_csv(path).table, "USD", "XNYS")
