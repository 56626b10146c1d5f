"""The road from config to run, and from run to the next sessions: the one place where all floors meet.

Each function here reads top to bottom in the order the data flows. Nothing here computes: it calls what does.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from lstm_stock import calendars, prices
from lstm_stock.baselines import Task, forecast_all
from lstm_stock.calibration import Calibrator
from lstm_stock.config import Config
from lstm_stock.dataset import (
    Recipe,
    Split,
    TickerSeries,
    Windows,
    apply_ticker,
    fit_ticker,
    windows_of,
    windows_up_to,
)
from lstm_stock.errors import DataError
from lstm_stock.evaluation import (
    INTERVAL_COLUMNS,
    LEVELS,
    forecast_table,
    price_intervals,
    score_table,
)
from lstm_stock.features import Bars
from lstm_stock.models import Architecture
from lstm_stock.prices import PriceHistory
from lstm_stock.run import (
    Fitted,
    Provenance,
    Results,
    Run,
    TickerOrigin,
    environment,
    package_versions,
    save_run,
)
from lstm_stock.store import Store
from lstm_stock.training import Progress, fit_network, forecast_returns
from lstm_stock.verdict import judge

RETURN_LOCATION_UNIT = 0.1
"""Forecast returns are output in tenths of their unit: see `Architecture.location_unit`."""

OLD_AFTER_DAYS = 7
"""Newest bars older than this earn a warning: a week spans every ordinary closure of an exchange."""


@dataclass(frozen=True)
class Outlook:
    """A forecast of the next sessions.

    Attributes:
        table: Columns `ticker cutoff step date y_pred lo_50 ... hi_95 last_close`; prices in the level of
            the stored close, which is adjusted for splits and not for dividends.
        recent: The closes up to the cutoff, in the same prices: column `close`, indexed by date.
        currency: What the prices are in, if that is known.
        warnings: What the user should know before trusting it.
    """

    table: pd.DataFrame
    recent: pd.DataFrame
    currency: str | None
    warnings: tuple[str, ...]


def recipe_of(config: Config) -> Recipe:
    """Take from the config what a window holds."""
    return Recipe(
        features=tuple(config.features),
        target=config.target,
        target_scale=config.target_scale,
        look_back=config.window.look_back,
        horizon=config.window.horizon,
        scaler=config.scaler,
    )


def architecture_of(config: Config) -> Architecture:
    """Take from the config the shape of the network."""
    return Architecture(
        cell=config.model.cell,
        units=tuple(config.model.units),
        dropout=config.model.dropout,
        dense=tuple(config.model.dense),
        head=config.model.head,
        look_back=config.window.look_back,
        n_features=len(config.features),
        horizon=config.window.horizon,
        location_unit=RETURN_LOCATION_UNIT if config.target == "log_return" else 1.0,
    )


def train(
    config: Config,
    store: Store,
    runs_dir: Path,
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None],
) -> Run:
    """Train, forecast the test period once, judge it beside the baselines, and save the run.

    Args:
        config: The whole config.
        store: Where the prices are.
        runs_dir: Where the run folder will be made.
        on_progress: Called after every batch and epoch of the training.
        on_note: Called with each sentence that the user should read.

    Raises:
        DataError: Prices are missing or too few.
        ConfigError: The training diverged.
        RunError: The run cannot be saved.
    """
    started = dt.datetime.now(dt.UTC)
    recipe, shape = recipe_of(config), architecture_of(config)
    tickers = config.data.tickers

    def load(ticker: str) -> PriceHistory:
        # Read again whenever needed: the price tables of many tickers together would outweigh the features.
        return _history_in_range(config, store, ticker)

    split = _split(config, load)
    series, origins = [], {}
    for ticker in tickers:
        history = load(ticker)
        origins[ticker] = _origin(history)
        series.append(fit_ticker(ticker, prices.adjusted(history.table), recipe, split))
    _tell_constant_features(series, on_note)
    train_windows = [windows_of(one, recipe, split, "train") for one in series]
    val_windows = [windows_of(one, recipe, split, "val") for one in series]
    test_windows = [windows_of(one, recipe, split, "test") for one in series]

    clock = time.perf_counter()
    fit = fit_network(shape, train_windows, val_windows, config.training, config.seed, on_progress)
    train_seconds = time.perf_counter() - clock
    if fit.interrupted:
        kept = "last" if config.training.early_stopping is None else "best"
        on_note(f"stopped by Ctrl-C: the {kept} weights that were validated are kept, scored and saved")

    tables, calibrators = [], {}
    for val, test in zip(val_windows, test_windows, strict=True):
        ticker = test.series.ticker
        held_out = forecast_returns(fit.network, shape.head, val)
        calibrator = Calibrator.fit(config.calibration, LEVELS, held_out, val.returns, val.return_unit)
        returns = forecast_returns(fit.network, shape.head, test)
        fan = calibrator.apply(returns, test.returns, test.return_unit)
        tables.append(forecast_table(test, shape.cell, returns, fan))
        calibrators[ticker] = calibrator
        tables += _baseline_tables(test, _unchanged(load, ticker, origins), split, on_note)
    forecasts = pd.concat(tables, ignore_index=True)

    python, platform = environment()
    provenance = Provenance(
        created=started.isoformat(timespec="seconds"),
        seed=config.seed,
        val_start=str(split.val_start),
        test_start=str(split.test_start),
        n_params=fit.network.count_params(),
        n_train_windows=sum(map(len, train_windows)),
        n_val_windows=sum(map(len, val_windows)),
        train_seconds=round(train_seconds, 1),
        interrupted=fit.interrupted,
        tickers=origins,
        packages=package_versions(),
        python=python,
        platform=platform,
    )
    scalers = {one.ticker: one.scaler for one in series}
    results = Results(
        config=config,
        fitted=Fitted(fit.network, scalers, calibrators),
        history=fit.history,
        forecasts=forecasts,
        scores=score_table(forecasts),
        provenance=provenance,
        verdict=judge(forecasts, shape.cell),
    )
    return save_run(runs_dir, results)


def _history_in_range(config: Config, store: Store, ticker: str) -> PriceHistory:
    history = store.read(ticker)
    data = config.data
    table = _between(history.table, data.start, data.end)
    if table.empty:
        first, last = history.table.index[[0, -1]]
        raise DataError(
            f"{ticker} has no bar between {data.start} and {data.end}: the store has {first:%F} to {last:%F}",
            f"change `data.start` and `data.end`, or fetch more: `lstm-stock fetch {ticker}`",
        )
    return replace(history, table=table)


def _between(table: pd.DataFrame, start: dt.date | None, end: dt.date | None) -> pd.DataFrame:
    """Return the bars from `start` to `end`, both included; None is no bound."""
    days = table.index.to_numpy().astype("datetime64[D]")
    first = 0 if start is None else int(np.searchsorted(days, np.datetime64(start, "D")))
    after = len(days) if end is None else int(np.searchsorted(days, np.datetime64(end, "D"), side="right"))
    return table.iloc[first:after]


def _unchanged(
    load: Callable[[str], PriceHistory], ticker: str, origins: dict[str, TickerOrigin]
) -> PriceHistory:
    """Read a ticker again; its bars must be those that the network was trained on."""
    history = load(ticker)
    if prices.table_hash(history.table) != origins[ticker].hash:
        raise DataError(
            f"the stored prices of {ticker} changed while the network was training", "train again"
        )
    return history


def _split(config: Config, load: Callable[[str], PriceHistory]) -> Split:
    """Find the dates where val and test start; they are the same for all tickers."""
    val, test = config.split.val, config.split.test
    if not isinstance(val, float) or not isinstance(test, float):
        return Split(np.datetime64(str(val), "D"), np.datetime64(str(test), "D"))
    dates = [load(ticker).table.index.to_numpy().astype("datetime64[D]") for ticker in config.data.tickers]
    return Split.by_share(np.unique(np.concatenate(dates)), val, test)


def _tell_constant_features(series: Sequence[TickerSeries], on_note: Callable[[str], None]) -> None:
    for one in series:
        for name in one.scaler.inputs.constant_features():
            on_note(f"{one.ticker}: `{name}` never changes on the train bars: it tells the network nothing")


def _baseline_tables(
    windows: Windows, history: PriceHistory, split: Split, on_note: Callable[[str], None]
) -> list[pd.DataFrame]:
    """Forecast from the same cutoffs with every baseline, fitted on all bars before the test period."""
    bars = Bars.of(prices.adjusted(history.table))
    n_insample = split.first_rows(windows.series.dates)[1]
    task = Task(bars, n_insample, windows.cutoffs, windows.recipe.horizon)
    forecasts = forecast_all(task, lambda text: on_note(f"{history.ticker}: {text}"))
    return [forecast_table(windows, name, returns) for name, returns in forecasts.items()]


def _origin(history: PriceHistory) -> TickerOrigin:
    table = history.table
    return TickerOrigin(
        hash=prices.table_hash(table),
        first=f"{table.index[0]:%F}",
        last=f"{table.index[-1]:%F}",
        n_bars=len(table),
        source=history.provenance.source,
        first_close=float(prices.adjusted(table)["close"].iloc[0]),
    )


def predict(run: Run, store: Store, ticker: str, cutoff: dt.date | None, today: dt.date) -> Outlook:
    """Forecast the sessions that follow the newest bar, or a past date.

    Nothing after the cutoff is read: the prices are cut there before anything is computed. A dividend or split
    after the cutoff has rescaled all bars before it, though; the bars are brought back to the level that the run
    was trained at, so that price levels mean to the network what they meant then.

    Args:
        run: The training to use.
        store: Where the prices are.
        ticker: One of the run's tickers.
        cutoff: Last date the forecaster may know; the newest bar when None.
        today: The date that the age of the newest bar is measured from.

    Raises:
        DataError: The prices are missing, or too few up to the cutoff.
        RunError: The run cannot be read, or does not know the ticker.
    """
    run.require_ticker(ticker)
    config, history = run.config, store.read(ticker)
    recipe = recipe_of(config)
    table = _between(history.table, None, cutoff)
    if table.empty:
        raise DataError(
            f"{ticker} has no bar on or before {cutoff}: the first one is of {history.table.index[0]:%F}",
            "choose a later `--cutoff`",
        )
    adjusted = _at_level_of(run.provenance.tickers[ticker], prices.adjusted(table))
    series = apply_ticker(ticker, adjusted, recipe, run.scalers[ticker])
    # An adaptive interval is taught by every outcome since the test period began.
    first = run.provenance.split.first_rows(series.dates)[1] - 1 if config.calibration == "adaptive" else None
    windows = windows_up_to(series, recipe, len(table) - 1, first)
    stream = forecast_returns(run.network, config.model.head, windows)
    fan = run.calibrators[ticker].apply(stream, windows.known_returns, windows.return_unit)

    # Forecasts are made in adjusted prices; what a user compares with is the close as the store has it.
    last_close = float(table["close"].iloc[-1])
    cells = price_intervals(fan.last, np.array([[last_close]]))
    exchange = history.provenance.exchange
    dates = calendars.next_sessions(exchange, table.index[-1], recipe.horizon)
    forecast = pd.DataFrame(
        {
            "ticker": ticker,
            "cutoff": table.index[-1],
            "step": np.arange(1, recipe.horizon + 1),
            "date": dates,
            **{name: cells[name].ravel() for name in ("y_pred", *INTERVAL_COLUMNS)},
            "last_close": last_close,
        }
    )
    recent = pd.DataFrame({"close": series.close * (last_close / series.close[-1])}, index=table.index)
    warnings = _warnings(run, history, cutoff, today, dates)
    return Outlook(forecast, recent, history.provenance.currency, warnings)


def _at_level_of(origin: TickerOrigin, adjusted: pd.DataFrame) -> pd.DataFrame:
    """Rescale adjusted bars so that the run's first bar closes where it did when the run was trained."""
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
            f"the newest bar of {ticker} is of {newest}, {age} days ago: these are not the next sessions from "
            f"today (`lstm-stock fetch {ticker}{replaces}` brings newer prices)"
        )
    if dates[0] < pd.Timestamp(provenance.test_start):
        warnings.append(
            f"the run learnt from the bars before {provenance.test_start}: a forecast of {dates[0]:%F} proves "
            "nothing"
        )
    origin = provenance.tickers[ticker]
    used = _between(history.table, dt.date.fromisoformat(origin.first), dt.date.fromisoformat(origin.last))
    if prices.table_hash(used) != origin.hash:
        warnings.append(
            f"the stored prices of {ticker} from {origin.first} to {origin.last} are not those the run was "
            "trained on (a split, a dividend, or another source): train again"
        )
    exchange = history.provenance.exchange
    if not calendars.knows_holidays(exchange, dates):
        whose = (
            f"the exchange of {ticker} is unknown"
            if exchange is None
            else f"no calendar of {exchange} has them"
        )
        warnings.append(f"{whose}: the forecast dates skip weekends but no holidays")
    return tuple(warnings)


def draw(run: Run, store: Store, folder: Path, on_warning: Callable[[str], None]) -> Iterator[Path]:
    """Draw every figure of a run into `folder`, as PNG and SVG, and give each path once it is written.

    Args:
        run: The run to draw.
        store: Where the prices are; without them the forecast fan is left out, with a warning.
        folder: Where to write.
        on_warning: Called with what could not be drawn.
    """
    from lstm_stock import plots

    config, forecasts, scores = run.config, run.forecasts, run.scores
    model, tickers = config.model.cell, config.data.tickers
    yield from plots.save_figure(
        plots.training_history(run.history, f"{model} on {', '.join(tickers[:3])}"), folder, "training"
    )
    for ticker in tickers:
        suffix = "" if len(tickers) == 1 else f"-{quote(ticker, safe='')}"
        figures = {
            "test_period": plots.test_period(forecasts, ticker, model=model),
            "calibration": plots.calibration(forecasts, ticker, model=model),
            "scores_by_step": plots.scores_by_step(scores, ticker, model=model),
        }
        try:
            outlook = predict(run, store, ticker, None, dt.date.today())
            figures["forecast"] = plots.forecast_fan(outlook.recent, outlook.table, ticker)
        except DataError as error:
            on_warning(f"no forecast figure: {error.message}")
        for name, figure in figures.items():
            yield from plots.save_figure(figure, folder, name + suffix)
