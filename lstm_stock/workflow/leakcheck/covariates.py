"""Which bars of a covariate are known at a cutoff, session by session; and whether the columns of it know more.

This is another computation than that of `lstm_stock.dataset.covariates`, which it checks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from lstm_stock.config import Config
from lstm_stock.config.covariates import is_covariate_feature
from lstm_stock.dataset.covariates import KNOWN_WITHIN, Covariates
from lstm_stock.prices import calendars
from lstm_stock.prices.table import PriceHistory, adjusted, days_of
from lstm_stock.workflow.leakcheck.compare import Checked, Corruption, Value, compare_values
from lstm_stock.workflow.leakcheck.corruption import corrupt_all

BEFORE_ALL = np.datetime64("1800-01-01", "D")
"""A date before the first bar of every ticker."""


def last_known(covariate: PriceHistory, ticker: PriceHistory, cutoff: np.datetime64) -> np.datetime64:
    """Return the date of the last bar of a covariate that is known at a ticker's last close up to a cutoff.

    Returns:
        A date of the covariate, `BEFORE_ALL` if none is known or the ticker has no bar yet.
    """
    bars = days_of(ticker.table)
    row = int(np.searchsorted(bars, cutoff, side="right")) - 1
    days = days_of(covariate.table)
    candidates = days[: np.searchsorted(days, bars[row], side="right")] if row >= 0 else days[:0]
    for day in reversed(candidates):
        if _is_over(covariate.provenance.exchange, day.item(), ticker.provenance.exchange, bars[row].item()):
            return np.datetime64(day, "D")
    return BEFORE_ALL


def _is_over(exchange: str | None, day: dt.date, of_ticker: str | None, close: dt.date) -> bool:
    """Return whether the session of a date counts as over at the close of another exchange's, or of the same."""
    if exchange == of_ticker or day > close:
        return day <= close
    end, ticker_end = calendars.session_end(exchange, day), calendars.session_end(of_ticker, close)
    if end is None or ticker_end is None:
        return day < close
    return end <= ticker_end + KNOWN_WITHIN


def last_known_to_any(
    config: Config, histories: Mapping[str, PriceHistory], cutoff: np.datetime64
) -> dict[str, np.datetime64]:
    """Return the last date of each covariate that any ticker knows at its last close up to a cutoff."""
    tickers = [histories[name] for name in config.data.tickers]
    return {
        name: max(last_known(histories[name], ticker, cutoff) for ticker in tickers)
        for name in config.data.covariates
    }


def compare_columns(
    config: Config, histories: Mapping[str, PriceHistory], corruption: Corruption, checked: Checked
) -> None:
    """Corrupt the bars of the covariates that a ticker does not know at the cutoff, and compare its columns.

    Where tickers trade at several exchanges, the other passes leave alone what one of them knows.

    Raises:
        LeakError: A value differs.
    """
    if not config.data.covariates:
        return

    def columns(of_covariates: Mapping[str, PriceHistory]) -> Covariates:
        return Covariates.of(
            config,
            lambda name: adjusted(of_covariates[name].table),
            lambda name: histories[name].provenance.exchange,
        )

    ours = columns(histories)
    by_known: dict[tuple[np.datetime64, ...], Covariates] = {}
    for ticker in config.data.tickers:
        known = tuple(
            last_known(histories[name], histories[ticker], corruption.cutoff)
            for name in config.data.covariates
        )
        if known not in by_known:
            cutoffs = dict(zip(config.data.covariates, known, strict=True))
            of_covariates = {name: histories[name] for name in cutoffs}
            by_known[known] = columns(corrupt_all(of_covariates, corruption.cutoff, corruption.how, cutoffs))
        bars = histories[ticker].table
        bars = bars[days_of(bars) <= corruption.cutoff]
        sides = [_values(ticker, one.with_columns(ticker, bars)) for one in (ours, by_known[known])]
        compare_values(sides[0], sides[1], corruption, checked)


def _values(ticker: str, bars: pd.DataFrame) -> Iterator[Value]:
    for name in bars:
        if is_covariate_feature(str(name)):
            yield Value(
                "covariates",
                f"`{name}` at the closes of {ticker}",
                bars[name].to_numpy(np.float64),
                days_of(bars),
            )
