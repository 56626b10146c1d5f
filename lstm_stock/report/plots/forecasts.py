"""Figures of forecasts and prices: the test period, and the fan of the next sessions."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_stock.config.targets import OF_PRICES, Words
from lstm_stock.distributions.intervals import LEVELS
from lstm_stock.errors import DataError
from lstm_stock.report.dividends import amount_text
from lstm_stock.report.plots.style import (
    BAND,
    DIM,
    NAIVE,
    STYLE,
    blank_figure,
    date_axis,
    rows_of,
    set_title,
)
from lstm_stock.report.text import ahead, date_text, level_text
from lstm_stock.scoring import metrics
from lstm_stock.scoring.forecast_table import OWN_UNITS, error_base

BLUE, DOTS = "#0072b2", (0, (1, 1.5))

RECENT_BARS, CLOSE_BARS = 120, 12
"""Bars before the forecast in the left panel and in the right one."""


MAX_CUTOFFS = 250
"""Number of newest cutoffs of the test period drawn, about a year."""


def test_period(forecasts: pd.DataFrame, ticker: str, model: str, words: Words = OF_PRICES) -> Figure:
    """Draw outcomes, medians and 90 % intervals one step ahead: prices above, returns below.

    Of a series of values, values and moves.

    The newest `MAX_CUTOFFS` cutoffs are drawn; the scores in the title are those of all.

    In the price panel every sensible forecast looks like yesterday's price; the return panel shows what the
    model forecasts: how far the price may move.

    Args:
        forecasts: A forecast table.
        ticker: The ticker to draw.
        model: The model to draw, with the naive forecast.
        words: What the series is called.

    Raises:
        DataError: The table has no such rows.
    """
    rows = rows_of(forecasts, ticker, model)
    is_naive = (forecasts["ticker"] == ticker) & (forecasts["step"] == 1) & (forecasts["model"] == NAIVE)
    naive = forecasts[is_naive].sort_values("date")
    shown = rows.iloc[-MAX_CUTOFFS:]
    date, has_interval = shown["date"], bool(shown["lo_90"].notna().all())
    with mpl.rc_context(STYLE):
        figure, (prices, returns) = blank_figure(2, 1, heights=[3, 2])
        for axes, scaled in (
            (prices, lambda price: price),
            (returns, lambda price: _move(price, shown)),
        ):
            if has_interval:
                low, high = scaled(shown["lo_90"]), scaled(shown["hi_90"])
                axes.fill_between(date, low, high, color=BAND, lw=0, label=f"{model}, 90 % interval")
            label = f"{model}, {'median' if has_interval else 'point'}"
            axes.plot(date, scaled(shown["y_pred"]), color="black", ls=(0, (4, 2)), lw=1.2, label=label)
        if len(naive):
            recent = naive[naive["date"] >= date.iloc[0]]
            prices.plot(recent["date"], recent["y_pred"], color=BLUE, ls=DOTS, label="naive")
        prices.plot(date, shown["y_true"], color="black", lw=1.0, label="actual")
        _draw_outcomes(returns, shown, has_interval)
        prices.set(ylabel=words.level)
        is_log, step = OWN_UNITS not in shown, words.steps.removesuffix("s")
        returns.set(ylabel=f"1-{step} {words.move}{', %' if is_log else ''}")
        for axes in (prices, returns):
            axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0))
        date_axis(returns)
        set_title(figure, _test_title(rows, naive, len(shown), words))
    return figure


def _draw_outcomes(axes: Axes, shown: pd.DataFrame, has_interval: bool) -> None:
    actual = _move(shown["y_true"], shown)
    axes.axhline(0, color=DIM, lw=0.8)
    inside = (shown["lo_90"] <= shown["y_true"]) & (shown["y_true"] <= shown["hi_90"])
    if not has_interval:
        axes.plot(shown["date"], actual, ".", color=DIM, ms=5, label="actual")
        return
    axes.plot(shown["date"][inside], actual[inside], ".", color=DIM, ms=5, label="actual")
    outside: dict[str, Any] = {"color": "black", "ms": 7, "mew": 1.8, "label": "actual, outside"}
    axes.plot(shown["date"][~inside], actual[~inside], "x", **outside)


def _move(price: pd.Series[float], rows: pd.DataFrame) -> pd.Series[float]:
    """Return the log return in percent, or the difference of a series of values that has these."""
    if OWN_UNITS in rows:
        return price - rows["last_close"]
    return pd.Series(100 * np.log(price / rows["last_close"]))


def _test_title(rows: pd.DataFrame, naive: pd.DataFrame, n_shown: int, words: Words) -> str:
    first = rows.iloc[0]
    model, n = first["model"], len(rows)
    period = f"the last {n_shown} of {n} test cutoffs" if n_shown < n else "the test period"
    unit = " %" if words.unit.startswith("%") else ""
    errors = []
    for name, table in ((model, rows), (NAIVE, naive)):
        if len(table):
            rmse = metrics.rmse(*(100 * table[each] / error_base(table) for each in ("y_true", "y_pred")))
            errors.append(f"{name} {rmse:.3f}{unit}")
    coverage = metrics.coverage(rows["y_true"], rows["lo_90"], rows["hi_90"])
    interval = f"the 90 % interval shown covers {100 * coverage:.1f} %"
    if np.isnan(coverage):
        interval = "a point forecast without interval"
    start = f"{model} on {first['ticker']}, {ahead(1)}: {period}"
    return f"{start}\nOver all {n}: {interval}; RMSE: {', '.join(errors)}"


def forecast_fan(recent: pd.DataFrame, fan: pd.DataFrame, ticker: str, words: Words = OF_PRICES) -> Figure:
    """Draw the last bars and the fan of the next sessions: on the left 120 bars, on the right 12.

    Args:
        recent: Column `close`, index `date`; the last row is the bar of the cutoff.
        fan: Columns `date y_pred lo_50 ... hi_95 dividend`, one row per step.
        ticker: The ticker, for the title.
        words: What the series is called.

    Raises:
        DataError: There is no bar or no step.
    """
    if recent.empty or fan.empty:
        raise DataError(
            f"{ticker}: got {len(recent)} bars and {len(fan)} steps, expected at least one of each to draw a fan"
        )
    last_date, last_close = recent.index[-1], float(recent["close"].iloc[-1])
    dates = pd.concat([pd.Series([last_date]), fan["date"]], ignore_index=True)

    def from_last(column: str) -> pd.Series[float]:
        return pd.concat([pd.Series([last_close]), fan[column]], ignore_index=True)

    levels = [level for level in reversed(LEVELS) if fan[f"lo_{level}"].notna().all()]
    greys = dict(zip(reversed(LEVELS), ("0.93", "0.86", "0.77", "0.66"), strict=True))
    what = "median" if levels else "point"
    steps = "the next one" if len(fan) == 1 else f"the next {len(fan)}"
    with mpl.rc_context(STYLE):
        figure, views = blank_figure(1, 2, widths=[3, 2])
        for axes, n_bars in zip(views, (RECENT_BARS, CLOSE_BARS), strict=True):
            for level in levels:
                low, high = from_last(f"lo_{level}"), from_last(f"hi_{level}")
                axes.fill_between(dates, low, high, color=greys[level], lw=0, label=f"{level} %")
            bars, is_close = recent.iloc[-n_bars:], n_bars == CLOSE_BARS
            # Only the right panel has room for a marker per bar.
            dot, diamond = ("o", "D") if is_close else ("", "")
            axes.plot(bars.index, bars["close"], color="black", marker=dot, ms=4, lw=1.4, label=words.level)
            median = from_last("y_pred")
            axes.plot(dates, median, color="black", ls=(0, (3, 1.5)), marker=diamond, ms=4, label=what)
            ends = [last_date, dates.iloc[-1]]
            label = f"last {words.level} (naive)"
            axes.plot(ends, [last_close, last_close], color=BLUE, ls=DOTS, lw=2.2, label=label)
            axes.set_title(f"last {len(bars)} {words.steps} and {steps}")
            date_axis(axes)
        views[0].set_ylabel(words.level)
        handles, labels = views[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        set_title(figure, _fan_title(fan, ticker, last_date, last_close, words))
    return figure


def _fan_title(
    fan: pd.DataFrame, ticker: str, last_date: pd.Timestamp, last_close: float, words: Words
) -> str:
    end = fan.iloc[-1]
    width = None if words == OF_PRICES else float(end["hi_90"] - end["lo_90"])
    median, low, high, last = (
        level_text(one, width, last_close) for one in (end["y_pred"], end["lo_90"], end["hi_90"], last_close)
    )
    text = f"the median is {median}, the 90 % interval {low} to {high}"
    if np.isnan(end["lo_90"]):
        text = f"the point forecast is {median}, without interval"
    if end["dividend"] > 0:
        text += f", less dividends of {amount_text(end['dividend'])}"
    start = f"{ticker}: forecast after the {words.level} of {date_text(last_date)} ({last})"
    return f"{start}\nOn {date_text(end['date'])} {text}"
