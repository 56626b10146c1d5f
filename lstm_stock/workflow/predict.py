"""Forecast the sessions after the newest bar, or after a past date, with a saved run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lstm_stock.dataset.covariates import MAX_AGE, Covariates
from lstm_stock.dataset.loader import BarLoader
from lstm_stock.dataset.market import Market
from lstm_stock.dataset.series import TickerSeries, apply_ticker, fit_ticker, window_spec
from lstm_stock.dataset.sessions import require_one_close, with_session_columns
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.windows import windows_of, windows_up_to
from lstm_stock.distributions.intervals import Calibrator
from lstm_stock.errors import ShortHistoryError
from lstm_stock.prices import calendars
from lstm_stock.prices import table as price_table
from lstm_stock.prices.dividends import DividendsAhead, dividends_ahead
from lstm_stock.prices.reader import Snapshot, TickerOrigin
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory, between, counted
from lstm_stock.runs.run import Run
from lstm_stock.scoring.forecast_table import INTERVAL_COLUMNS, price_intervals
from lstm_stock.workflow.fit import fit_calibrator, forecast_network, median_calibrator

OLD_AFTER_DAYS = 7
"""Age of the newest bar that earns a warning; ordinary closures of an exchange are shorter."""


@dataclass(frozen=True)
class Prediction:
    """A forecast of the next sessions.

    Attributes:
        table: Columns `ticker cutoff step date y_pred lo_50 ... hi_95 last_close dividend`; prices are comparable
            with the stored close, which is adjusted for splits and not for dividends. `dividend` is the sum of the
            dividends taken off the prices of the row.
        recent: The stored closes up to the cutoff: column `close`, indexed by date.
        currency: Currency of the prices, None if unknown.
        dividends: The dividends taken off, and those that may be missing.
        warnings: Sentences on what limits the forecast.
    """

    table: pd.DataFrame
    recent: pd.DataFrame
    currency: str | None
    dividends: DividendsAhead
    warnings: tuple[str, ...]


def market_until(run: Run, prices: Snapshot | Store, cutoff: dt.date | None) -> Market | None:
    """Return the market of the run's tickers up to a date; None if the run needs none.

    Raises:
        DataError: The prices of one of them are missing.
    """

    def read(ticker: str) -> pd.DataFrame:
        return price_table.adjusted(between(prices.read(ticker).table, None, cutoff))

    return BarLoader.of(run.config, read, lambda ticker: prices.read(ticker).provenance.exchange).market


def covariates_until(run: Run, prices: Snapshot | Store, cutoff: dt.date | None) -> Covariates | None:
    """Return the run's covariates on their bars up to a date, at its price levels; None if it has none.

    Raises:
        ShortHistoryError: A covariate has no bar up to the date.
        DataError: The prices of one of them are missing.
    """

    def read(ticker: str) -> pd.DataFrame:
        table = between(prices.read(ticker).table, None, cutoff)
        if table.empty:
            raise ShortHistoryError(
                f"the covariate {ticker} has no bar on or before {cutoff}", "choose a later `--cutoff`"
            )
        return _at_price_level_of(run.provenance.covariates[ticker], price_table.adjusted(table))

    if not run.config.data.covariates:
        return None
    return Covariates.of(run.config, read, lambda ticker: prices.read(ticker).provenance.exchange)


def predict(
    run: Run,
    prices: Snapshot | Store,
    ticker: str,
    cutoff: dt.date | None,
    today: dt.date,
    market: Market | None = None,
    dividends: Mapping[dt.date, float] | None = None,
) -> Prediction:
    """Forecast the sessions after the newest bar, or after a past date.

    The prices are cut at the cutoff before anything is computed. A dividend or split after the training rescales
    all earlier adjusted prices; they are scaled back to the price level that the run was trained at.

    Returns are total returns, so each price from an ex-date on is the last close times exp(return), less the
    dividend. The exact deduction is the dividend times the growth since the close before the ex-date: where the
    dividend is 0.5 % of the price and the price moves by 2 % in these days, the difference is 0.01 %.

    Args:
        run: The run to forecast with.
        prices: The prices; a `Snapshot` reads those of a ticker once for several calls.
        ticker: One of the run's tickers; for a run of several, also any other ticker.
        cutoff: Last date the forecaster may know; None is the newest bar.
        today: The date that the age of the newest bar is measured from.
        market: `market_until` the same cutoff.
        dividends: Announced dividends per share by ex-date, in the currency of the prices. None takes off the
            usual ones whose ex-date is predicted reliably, see `lstm_stock.prices.usual_dividends`.

    Raises:
        ConfigError: An ex-date is not a session of the forecast, or a dividend is not below the last close.
        ShortHistoryError: There are too few prices up to the cutoff.
        DataError: The prices are missing.
        RunError: The run cannot be read, or cannot forecast the ticker.
    """
    run.require_ticker(ticker)
    config, history = run.config, prices.read(ticker)
    spec = window_spec(config)
    table = between(history.table, None, cutoff)
    if table.empty:
        raise ShortHistoryError(
            f"{ticker} has no bar on or before {cutoff}: the first one is of {history.table.index[0]:%F}",
            "choose a later `--cutoff`",
        )
    dates = calendars.next_sessions(history.provenance.exchange, table.index[-1], spec.horizon)
    ahead = dividends_ahead(table, dates, dividends)
    origin = run.provenance.tickers.get(ticker)
    adjusted = (
        price_table.adjusted(table)
        if origin is None
        else _at_price_level_of(origin, price_table.adjusted(table))
    )
    covariates, of_covariates = covariates_until(run, prices, cutoff), list[str]()
    if covariates is not None:
        of_covariates = _warnings_of_covariates(covariates, ticker, table.index[-1])
        for name, of_training in run.provenance.covariates.items():
            of_covariates += _warnings_of_prices(of_training, prices.read(name))
        adjusted = covariates.with_columns(ticker, adjusted)
    ends_unknown = False
    if market is not None:
        adjusted = market.with_market_columns(adjusted)
        if origin is None:
            both = (*config.data.tickers, ticker)
            exchanges = {name: prices.read(name).provenance.exchange for name in both}
            unknown = require_one_close(config, exchanges, table.index[0], table.index[-1])
            ends_unknown = ticker in unknown
    if config.needs_sessions:
        adjusted = with_session_columns(adjusted, history.provenance.exchange, spec.horizon)
    series, calibrator = _as_trained(run, ticker, adjusted) if origin else _by_own_past(run, ticker, adjusted)
    # Adaptive intervals continue from the saved factors with every outcome since the start of the test period.
    first = run.provenance.split.first_rows(series.dates)[1] - 1 if config.calibration == "adaptive" else None
    windows = windows_up_to(series, spec, len(table) - 1, first)
    returns = forecast_network(config, run.network, windows)
    intervals = calibrator.apply(returns, windows.returns_or_nan, windows.volatility_scale)

    # From adjusted prices to those of the store, which a user compares with.
    last_close = float(table["close"].iloc[-1])
    cells = price_intervals(intervals.last, np.array([[last_close]]))
    taken = ahead.taken_off(dates)
    forecast = pd.DataFrame(
        {
            "ticker": ticker,
            "cutoff": table.index[-1],
            "step": np.arange(1, spec.horizon + 1),
            "date": dates,
            **{name: np.maximum(cells[name].ravel() - taken, 0) for name in ("y_pred", *INTERVAL_COLUMNS)},
            "last_close": last_close,
            "dividend": taken,
        }
    )
    warnings = _warnings(run, history, cutoff, today, dates) + tuple(of_covariates)
    if market is not None:
        warnings += _warnings_of_market(market, table.index[-1])
    if ends_unknown:
        warnings += (
            f"when the sessions of {ticker} end is unknown: if they end before those of the run's tickers, the "
            "market looks ahead (fetch with `--exchange`)",
        )
    return Prediction(forecast, table[["close"]], history.provenance.currency, ahead, warnings)


def _as_trained(run: Run, ticker: str, adjusted: pd.DataFrame) -> tuple[TickerSeries, Calibrator]:
    """Scale a ticker of the run by its saved scaler."""
    series = apply_ticker(ticker, adjusted, window_spec(run.config), run.scalers[ticker])
    return series, run.calibrators[ticker]


def _by_own_past(run: Run, ticker: str, adjusted: pd.DataFrame) -> tuple[TickerSeries, Calibrator]:
    """Scale a ticker that the run was not trained on by its own bars of the train period, or by the pooled scaler.

    Without enough of them, all its bars count. Its calibrator is fitted on its val windows; where there are none,
    or the network was refitted on the val period of other tickers, it is the median over the run's tickers.
    """
    config, split = run.config, run.provenance.split
    spec = window_spec(config)
    try:
        series = fit_ticker(ticker, adjusted, spec, run.scaler_split)
    except ShortHistoryError:
        after = np.datetime64(adjusted.index[-1], "D") + 1
        series = fit_ticker(ticker, adjusted, spec, Split(after, after))
    if spec.scaler == "pooled":
        series = series.with_scaler(next(iter(run.scalers.values())).scaler)
    try:
        if run.scaler_split != split:
            raise ShortHistoryError("the refit held out no val windows")
        val = windows_of(series, spec, split, "val")
        return series, fit_calibrator(config, run.network, val)
    except ShortHistoryError:
        return series, median_calibrator(config, run.calibrators.values())


def _at_price_level_of(origin: TickerOrigin, adjusted: pd.DataFrame) -> pd.DataFrame:
    """Rescale adjusted bars so that the run's first bar has the close it had in training."""
    first = pd.Timestamp(origin.first)
    if first not in adjusted.index:
        return adjusted
    factor = origin.first_close / adjusted["close"].to_numpy(np.float64)[adjusted.index.get_loc(first)]
    return adjusted.assign(**{name: adjusted[name] * factor for name in ("open", "high", "low", "close")})


def _warnings(
    run: Run, history: PriceHistory, cutoff: dt.date | None, today: dt.date, dates: pd.DatetimeIndex
) -> tuple[str, ...]:
    ticker, provenance, warnings = history.ticker, run.provenance, []
    newest = history.table.index[-1].date()
    age = (today - newest).days
    if (cutoff is None or cutoff > newest) and age > OLD_AFTER_DAYS:
        replaces = "" if history.provenance.source == "yahoo" else " --refresh"
        warnings.append(
            f"the newest bar of {ticker} is {newest}, {age} days old: the forecast starts there, not today "
            f"(`lstm-stock fetch {ticker}{replaces}` fetches newer prices)"
        )
    if dates[0] < pd.Timestamp(provenance.test_start):
        warnings.append(
            f"the run was trained on the bars before {provenance.test_start}: its forecast of {dates[0]:%F} is no "
            "test of it"
        )
    warnings += _warnings_of_prices(provenance.tickers.get(ticker), history)
    exchange = history.provenance.exchange
    if not calendars.knows_holidays(exchange, dates):
        whose = (
            f"the exchange of {ticker} is unknown"
            if exchange is None
            else f"the calendar of {exchange} does not cover these dates"
        )
        warnings.append(f"{whose}: the forecast dates skip weekends but no holidays")
    return tuple(warnings)


def _warnings_of_market(market: Market, last: pd.Timestamp) -> tuple[str, ...]:
    if market.is_complete_on(last):
        return ()
    return (
        f"fewer than half of the run's tickers have a bar of {last:%F}: the market is 0 there "
        "(fetch the others with `lstm-stock fetch`)",
    )


def _warnings_of_covariates(covariates: Covariates, ticker: str, last: pd.Timestamp) -> list[str]:
    """Return a sentence for each covariate that lacks newer bars.

    Raises:
        ShortHistoryError: The value of one is too old to be used.
    """
    warnings = []
    for one in covariates.tables:
        newest, age = one.newest_known(np.datetime64(last, "D"), covariates.exchange_of(ticker))
        lacks = f"the newest bar of the covariate {one.ticker} known at the close of {last:%F} is that of {newest}"
        fetch = f"`lstm-stock fetch {one.ticker}`"
        if age > MAX_AGE:
            raise ShortHistoryError(
                f"{lacks}: more than {MAX_AGE} sessions of it are missing", f"fetch newer bars: {fetch}"
            )
        if age:
            warnings.append(f"{lacks}: {counted(age, 'session')} of it missing ({fetch})")
    return warnings


def _warnings_of_prices(origin: TickerOrigin | None, history: PriceHistory) -> list[str]:
    ticker = history.ticker
    if origin is None:
        return [f"the run was not trained on {ticker}: it is scaled by its own past, and has no test scores"]
    used = between(history.table, dt.date.fromisoformat(origin.first), dt.date.fromisoformat(origin.last))
    if price_table.table_hash(used) == origin.hash:
        return []
    return [
        f"the stored prices of {ticker} from {origin.first} to {origin.last} are not those the run was "
        "trained on (a split, a dividend, or another source): train again"
    ]
