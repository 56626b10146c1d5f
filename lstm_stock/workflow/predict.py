"""Forecast the sessions after the newest bar, or after a past date, with a saved run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lstm_stock.config.interval import DAY_SECONDS
from lstm_stock.dataset.market import Market
from lstm_stock.dataset.series import TickerSeries, apply_ticker
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import Windows, windows_of, windows_up_to
from lstm_stock.distributions.calibrated import Calibrated
from lstm_stock.distributions.intervals import LEVELS, Calibrator
from lstm_stock.errors import ConfigError, RunError, ShortHistoryError
from lstm_stock.prices import calendars
from lstm_stock.prices.dividends import DividendsAhead, dividends_ahead
from lstm_stock.prices.interval import next_times
from lstm_stock.prices.next_bars import next_bars
from lstm_stock.prices.quality import dead_text, n_dead_bars
from lstm_stock.prices.sources import fetch_command
from lstm_stock.prices.table import PriceHistory
from lstm_stock.prices.values import interval_of, times_of
from lstm_stock.runs.pretrained import Pretrained
from lstm_stock.runs.run import Run
from lstm_stock.scoring.forecast_table import INTERVAL_COLUMNS, price_intervals
from lstm_stock.workflow.forecast import fit_calibrator, forecast_network, median_calibrator
from lstm_stock.workflow.run_bars import RunBars, warnings_of_prices
from lstm_stock.workflow.universal import ADAPTED_OVER

OLD_AFTER_DAYS = 7
"""Age of the newest bar that earns a warning; ordinary closures of an exchange are shorter."""


@dataclass(frozen=True)
class Prediction:
    """A forecast of the next sessions.

    Attributes:
        table: Columns `ticker cutoff step date y_pred lo_50 ... hi_95 last_close dividend`; prices are comparable
            with the stored close, which is adjusted for splits and not for dividends. `dividend` is the sum of the
            dividends taken off the prices of the row.
        returns: The calibrated distribution of the k-bar total log returns, shape `(1, horizon)`.
        recent: The stored closes up to the cutoff: column `close`, indexed by date.
        currency: Currency of the prices, None if unknown.
        dividends: The dividends taken off, and those that may be missing.
        warnings: Sentences on what limits the forecast.
    """

    table: pd.DataFrame
    returns: Calibrated
    recent: pd.DataFrame
    currency: str | None
    dividends: DividendsAhead
    warnings: tuple[str, ...]


def predict(
    bars: RunBars, ticker: str, today: dt.date, dividends: Mapping[dt.date, float] | None = None
) -> Prediction:
    """Forecast the sessions after the newest bar, or after a past date.

    Returns are total returns, so each price from an ex-date on is the last close times exp(return), less the
    dividend. The exact deduction is the dividend times the growth since the close before the ex-date: where the
    dividend is 0.5 % of the price and the price moves by 2 % in these days, the difference is 0.01 %.

    Args:
        bars: The bars of the run to forecast with, which end at the cutoff.
        ticker: One of the run's tickers; for a run of several, also any other ticker.
        today: The date that the age of the newest bar is measured from.
        dividends: Announced dividends per share by ex-date, in the currency of the prices. None takes off the
            usual ones whose ex-date is predicted reliably, see `lstm_stock.prices.usual_dividends`.

    Raises:
        ConfigError: An ex-date is not a session of the forecast, or a dividend is not below the last close.
        ShortHistoryError: There are too few prices up to the cutoff.
        DataError: The prices are missing.
        RunError: The run cannot be read, or cannot forecast the ticker.
    """
    run, cutoff = bars.run, bars.end
    run.require_ticker(ticker)
    history, spec = bars.prices.read(ticker), bars.spec
    table = bars.table(ticker)
    if table.empty:
        raise ShortHistoryError(
            f"{ticker} has no bar on or before {cutoff}: the first one is of {history.table.index[0]:%F}",
            "choose a later `--cutoff`",
        )
    if history.has_values:
        dates, ahead = _next_values(table, spec.horizon), _no_dividends(ticker, dividends)
    else:
        dates = next_bars(
            pd.DatetimeIndex(table.index), history.interval, history.provenance.exchange, spec.horizon
        )
        ahead = _dividends(history, table, dates, dividends)
    of_covariates = bars.warnings_of_covariates(ticker)
    if not isinstance(run, Pretrained):
        for name, of_training in run.provenance.covariates.items():
            of_covariates += warnings_of_prices(of_training, bars.prices.read(name))
    of_close = bars.warnings_of_close(ticker)
    windows, calibrator = last_windows(bars, ticker)
    returns = forecast_network(run.config, run.forecaster, windows)
    intervals = calibrator.apply(returns, windows.returns_or_nan, windows.volatility_scale)

    # From adjusted prices to those of the store, which a user compares with.
    closes = bars.levels(ticker)
    last_close = float(closes.iloc[-1])
    cells = price_intervals(intervals.last, np.array([[last_close]]), spec.is_log)
    taken = ahead.taken_off(dates)
    least = -np.inf if history.has_values else 0.0
    forecast = pd.DataFrame(
        {
            "ticker": ticker,
            "cutoff": table.index[-1],
            "step": np.arange(1, spec.horizon + 1),
            "date": dates,
            **{
                name: np.maximum(cells[name].ravel() - taken, least) for name in ("y_pred", *INTERVAL_COLUMNS)
            },
            "last_close": last_close,
            "dividend": taken,
        }
    )
    _require_forecast(forecast, run.name)
    warnings = (
        *_warnings(history, cutoff, today, dates),
        *_warnings_of_run(run, history, dates),
        *of_covariates,
    )
    if n_dead := n_dead_bars(table):
        warnings += (f"{dead_text(table, n_dead)} of {ticker}: is it still traded?",)
    if bars.market is not None:
        warnings += _warnings_of_market(bars.market, table.index[-1])
    return Prediction(
        table=forecast,
        returns=Calibrated.of(returns.take(slice(-1, None)), intervals.last),
        recent=pd.DataFrame({"close": closes}),
        currency=history.provenance.currency,
        dividends=ahead,
        warnings=(*warnings, *of_close),
    )


def _dividends(
    history: PriceHistory, table: pd.DataFrame, dates: pd.DatetimeIndex, known: Mapping[dt.date, float] | None
) -> DividendsAhead:
    """Return the dividends to take off: none of bars of a week or longer, within which ex-dates are unknown."""
    interval = history.interval
    if interval.is_daily or interval.is_intraday:
        return dividends_ahead(table, dates, known)
    if known:
        raise ConfigError(
            f"--dividend: {history.ticker} has {interval.adjective} bars, within which an ex-date may be anywhere",
            "leave it out, and take the dividend off the prices yourself",
        )
    return DividendsAhead({}, (), ())


def _require_forecast(table: pd.DataFrame, run: str) -> None:
    """Raise a RunError for a forecast that is not finite, or whose intervals are not in order.

    The intervals of a point forecast may all be missing.
    """
    sides = [table[[f"lo_{level}" for level in reversed(LEVELS)]], table[[f"hi_{level}" for level in LEVELS]]]
    prices = np.column_stack([sides[0], table["y_pred"], sides[1]])
    if np.isnan(np.column_stack(sides)).all():
        prices = table[["y_pred"]].to_numpy()
    if not np.isfinite(prices).all() or (np.diff(prices, axis=1) < 0).any():
        ticker = table["ticker"].iloc[0]
        raise RunError(
            f"the forecast of {ticker} by {run} is not finite, or its intervals are not in order",
            "files of the run were changed, or its prices are beyond what it was trained on: train again",
        )


def _next_values(table: pd.DataFrame, n: int) -> pd.DatetimeIndex:
    """Return the dates of the `n` values after the last one of a series."""
    times, interval = times_of(table), interval_of(table)
    if interval is not None:
        return pd.DatetimeIndex(next_times(times, interval, n))
    gap = np.median(np.diff(times).astype(np.int64)).astype("timedelta64[s]")
    return pd.DatetimeIndex(times[-1] + gap * np.arange(1, n + 1))


def _no_dividends(ticker: str, dividends: Mapping[dt.date, float] | None) -> DividendsAhead:
    if dividends:
        raise ConfigError(f"--dividend: {ticker} is a series of values, which pays none", "leave it out")
    return DividendsAhead({}, (), ())


def last_windows(bars: RunBars, ticker: str) -> tuple[Windows, Calibrator]:
    """Return the window that ends with the last bar, after those whose outcomes adaptive intervals follow.

    They continue from the saved factors with every outcome since the start of the test period, or, of a pretrained
    network, with those of two years.

    Raises:
        ShortHistoryError: There are too few prices up to the cutoff.
    """
    run, adjusted = bars.run, bars.adjusted(ticker)
    is_adaptive = run.config.calibration == "adaptive"
    if isinstance(run, Pretrained):
        # Only the bars of these windows are scaled.
        n_windows = 1 + (ADAPTED_OVER if is_adaptive else 0)
        from_row = max(len(adjusted) - n_windows - bars.spec.look_back + 1, 0)
        series = apply_ticker(ticker, adjusted, bars.spec, run.fitted, from_row)
        last = len(series.close) - 1
        return windows_up_to(series, bars.spec, last, last + 1 - n_windows), run.calibrator
    series, calibrator = (
        (bars.as_trained(ticker, adjusted), run.calibrators[ticker])
        if run.is_fitted_to(ticker)
        else _by_own_past(bars, ticker, adjusted)
    )
    last = len(adjusted) - 1
    first = run.provenance.split.first_rows(series.dates)[1] - 1 if is_adaptive else last
    return windows_up_to(series, bars.spec, last, first), calibrator


def _by_own_past(bars: RunBars, ticker: str, adjusted: pd.DataFrame) -> tuple[TickerSeries, Calibrator]:
    """Scale a ticker that the run was not trained on by its own bars of the train period, or by the pooled scaler.

    Without enough of them, all its bars count. Its calibrator is fitted on its val windows; where there are none,
    or the network was refitted on the val period of other tickers, it is the median over the run's tickers.
    """
    run = bars.run
    config, split = run.config, run.provenance.split
    try:
        series = bars.by_own_past(ticker, adjusted, run.scaler_split)
    except ShortHistoryError:
        after = np.datetime64(adjusted.index[-1], "D") + 1
        series = bars.by_own_past(ticker, adjusted, Split(after, after))
    try:
        if run.scaler_split != split:
            raise ShortHistoryError("the refit held out no val windows")
        val = windows_of(series, bars.spec, split, "val")
        return series, fit_calibrator(config, run.forecaster, val)
    except ShortHistoryError:
        return series, median_calibrator(config, run.calibrators.values())


def _warnings(
    history: PriceHistory, cutoff: dt.date | None, today: dt.date, dates: pd.DatetimeIndex
) -> list[str]:
    ticker, warnings = history.ticker, []
    newest = history.table.index[-1].date()
    age = (today - newest).days
    if history.has_values:
        if (cutoff is None or cutoff > newest) and age > OLD_AFTER_DAYS + 2 * _days_apart(history):
            warnings.append(
                f"the newest value of {ticker} is that of {newest}, {age} days old: the forecast starts there, "
                "not today"
            )
        return warnings
    interval = history.interval
    length = 31 * interval.months or interval.seconds // DAY_SECONDS
    if (cutoff is None or cutoff > newest) and age > OLD_AFTER_DAYS + 2 * (length if length > 1 else 0):
        warnings.append(
            f"the newest bar of {ticker} is {newest}, {age} days old: the forecast starts there, not today "
            f"({fetch_command(ticker, history.provenance.source)} fetches newer prices)"
        )
    if length > 1:
        if history.table["dividends"].any():
            warnings.append(
                f"no dividends of {ticker} are taken off the prices: within {interval.adjective} bars their "
                "ex-dates are unknown"
            )
        return warnings
    exchange = history.provenance.exchange
    if not calendars.knows_holidays(exchange, dates):
        whose = (
            f"the exchange of {ticker} is unknown"
            if exchange is None
            else f"the calendar of {exchange} does not cover these dates"
        )
        warnings.append(f"{whose}: the forecast dates skip weekends but no holidays")
    return warnings


def _days_apart(history: PriceHistory) -> float:
    return float(np.median(np.diff(times_of(history.table)).astype(np.int64)) / DAY_SECONDS)


def _warnings_of_run(run: Run, history: PriceHistory, dates: pd.DatetimeIndex) -> list[str]:
    """Return what a run was trained on, where that limits a forecast. `limits` is that of a pretrained one."""
    if isinstance(run, Pretrained):
        return []
    ticker, provenance, warnings = history.ticker, run.provenance, []
    if dates[0] < pd.Timestamp(provenance.test_start):
        warnings.append(
            f"the run was trained on the bars before {provenance.test_start}: its forecast of {dates[0]:%F} is no "
            "test of it"
        )
    if run.is_fitted_to(ticker):
        return warnings + warnings_of_prices(provenance.tickers[ticker], history)
    return [
        *warnings,
        f"the run was not trained on {ticker}: it is scaled by its own past, and has no test scores",
    ]


def _warnings_of_market(market: Market, last: pd.Timestamp) -> tuple[str, ...]:
    if market.is_complete_on(last):
        return ()
    return (
        f"fewer than half of the market's tickers have a bar of {last:%F}: the market is 0 "
        "there (fetch the others with `lstm-stock fetch`)",
    )
