"""The next sessions: `predict`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_stock.api.arguments import date_of, tickers_of
from lstm_stock.api.notes import note, warn
from lstm_stock.api.results import Result, long_form

if TYPE_CHECKING:
    import pandas as pd

    from lstm_stock.prices.reader import PriceSource
    from lstm_stock.workflow.forecast_tickers import Forecasts


def predict(
    tickers: str | Sequence[str] | None = None,
    *,
    run: str | Path | Result | None = None,
    cutoff: str | dt.date | None = None,
    dividends: Mapping[str | dt.date, float] | None = None,
    data_dir: str | Path | None = None,
    runs_dir: str | Path | None = None,
) -> pd.DataFrame:
    """Forecast the next sessions of stored tickers, as distributions.

    A ticker with too few bars is left out, with a warning; what limits a forecast is a `LstmStockWarning`.

    Args:
        tickers: One or several; None for those of the run, or, without a run, all shares of the store.
        run: What forecasts: a result of `train` or `load_run`, the name or path of a run, `newest`, or a folder of
            `lstm-stock pretrain`; None is the universal network of the package.
        cutoff: Forecast as of this past date, using nothing after it; None is each ticker's newest bar.
        dividends: Announced dividends per share by ex-date, of one ticker; None takes off the usual ones.
        data_dir: Folder of the store; None is the environment variable `LSTM_STOCK_DATA`, or `data`.
        runs_dir: Folder of the runs; None is the environment variable `LSTM_STOCK_RUNS`, or `runs`.

    Returns:
        One row per ticker and step: `ticker cutoff step date model y_true y_pred lo_50 hi_50 ... hi_95`, then
        `last_close` and `dividend`, the sum of the dividends that the row's prices are less. Prices are comparable
        with the stored close, which is adjusted for splits and not for dividends. `y_pred` is the median; `y_true`
        is the stored close of `date`, NaN where there is none yet.

    Raises:
        ConfigError: A date is none, or a dividend cannot be taken off.
        ShortHistoryError: None of the tickers has enough bars.
        DataError: Prices are missing.
        RunError: There is no such run, or it cannot be read, or cannot forecast one of the tickers.
    """
    from lstm_stock.prices.reader import Snapshot
    from lstm_stock.prices.store import Store, data_folder
    from lstm_stock.report.dividends import left_out, taken_off
    from lstm_stock.report.text import group_messages
    from lstm_stock.runs.folder import runs_folder
    from lstm_stock.workflow.forecast_tickers import (
        Wanted,
        find_network,
        forecast_tickers,
        store_for,
        tickers_to_forecast,
    )

    network = find_network(name_of(run), runs_folder(runs_dir))
    store = store_for(network, Store(data_folder(data_dir)))
    prices = Snapshot(store)
    names = tickers_to_forecast([] if tickers is None else tickers_of(tickers), network, store)
    wanted = Wanted(names, date_of(cutoff, "cutoff"), _by_ex_date(dividends, names))
    found = forecast_tickers(network, store, prices, wanted)
    ahead = {ticker: one.dividends for ticker, one in found.predictions.items()}
    for text in group_messages(found.warnings) + left_out(ahead):
        warn(text)
    for text in [*taken_off(ahead), *group_messages(found.notes), found.intervals]:
        note(text)
    return _with_outcomes(found, prices)


def name_of(run: str | Path | Result | None) -> str | None:
    """Return the name by which a run is found."""
    if isinstance(run, Result):
        return run.name if run.path is None else str(run.path.absolute())
    return None if run is None else str(run)


def _by_ex_date(
    dividends: Mapping[str | dt.date, float] | None, tickers: Sequence[str]
) -> dict[dt.date, float] | None:
    from lstm_stock.errors import ConfigError

    if dividends is None:
        return None
    if len(tickers) > 1:
        raise ConfigError(f"dividends: got {len(tickers)} tickers, expected one, whose dividends they are")
    by_date: dict[dt.date, float] = {}
    for key, amount in dividends.items():
        day = date_of(key, "dividends")
        if day is None or not 0 <= amount < float("inf"):
            raise ConfigError(
                f"dividends: got {key!r}: {amount!r}, expected a date and an amount of 0 or more"
            )
        by_date[day] = float(amount)
    return by_date


def _with_outcomes(found: Forecasts, prices: PriceSource) -> pd.DataFrame:
    """Return the forecasts in long form, with the stored closes as outcomes."""
    import pandas as pd

    from lstm_stock.prices.values import VALUE, has_values

    tables = []
    for ticker, prediction in found.predictions.items():
        stored = prices.read(ticker).table
        closes = stored[VALUE if has_values(stored) else "close"]
        table = prediction.table
        outcomes = closes.reindex(pd.DatetimeIndex(table["date"])).to_numpy()
        tables.append(table.assign(model=found.networks[ticker].model_name, y_true=outcomes))
    return long_form(pd.concat(tables, ignore_index=True))
