"""The figure of the probability of a rise."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lstm_stock.report.plots.style import BAND, STYLE, blank_figure, note, rows_of, set_title
from lstm_stock.report.text import ahead
from lstm_stock.scoring.reliability import reliability

MIN_SPAN = 0.1
"""Least length of both axes, so that a probability that hardly changes looks like one."""


def reliability_of_rises(forecasts: pd.DataFrame, ticker: str, model: str) -> Figure:
    """Draw how often the price, or value, rose at each probability of a rise, one step ahead.

    Points on the diagonal are reliable. A bar holds 90 % of the points of a reliable forecast of as many
    independent outcomes (Broecker & Smith 2007). Points that lie on a horizontal line instead, the share of rises,
    know nothing about direction. The histogram below has the forecasts.

    Args:
        forecasts: A forecast table.
        ticker: The ticker to draw.
        model: The model to draw.

    Raises:
        DataError: The table has no such rows.
    """
    rows = rows_of(forecasts, ticker, model)
    known = rows[rows["p_up"].notna()]
    with mpl.rc_context(STYLE):
        figure, (upper, lower) = blank_figure(2, 1, heights=(3, 1))
        upper.set(ylabel="share of rises")
        lower.set(xlabel="forecast probability of a rise", ylabel="cutoffs")
        if known.empty:
            note(upper, f"{model} forecasts no probability of a rise")
            set_title(figure, f"{model} on {ticker}, {ahead(1)}: no probability of a rise")
            return figure
        p_up = known["p_up"].to_numpy(np.float64)
        found = reliability(p_up, (known["y_true"] > known["last_close"]).to_numpy())
        ends = _ends(np.concatenate([found.forecast, found.observed, found.low, found.high]))
        upper.plot(ends, ends, color="black", ls=(0, (4, 2)), lw=1.2, label="reliable")
        upper.axhline(found.share, color="0.5", lw=1.0, label=f"share of rises, {100 * found.share:.1f} %")
        upper.vlines(
            found.forecast, found.low, found.high, color=BAND, lw=7, label="90 % of points, if reliable"
        )
        upper.plot(found.forecast, found.observed, "ko", ms=6, label=model)
        upper.set(xlim=ends, ylim=ends)
        upper.legend(loc="upper left", ncols=2)
        lower.hist(p_up, bins=40, range=ends, color="0.86", edgecolor="0.35")
        set_title(
            figure,
            f"{model} on {ticker}, {ahead(1)}: Brier score of P(up) {found.brier:.4f}, of the share of rises "
            f"{found.uncertainty:.4f}",
        )
    return figure


def _ends(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    """Return the ends of both axes: at most 0 and 1."""
    middle = (values.min() + values.max()) / 2
    half = max(1.05 * (values.max() - values.min()), MIN_SPAN) / 2
    return max(middle - half, 0.0), min(middle + half, 1.0)
