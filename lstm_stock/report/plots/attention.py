"""The figure of attention weights by lag."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lstm_stock.errors import DataError
from lstm_stock.report.plots.style import BAND, DIM, STYLE, blank_figure, set_title


def attention_by_lag(weights: NDArray[Any], subject: str = "network") -> Figure:
    """Draw the mean attention weight of each bar of the window, and its spread over windows.

    Time runs to the right; the last bar is that of the cutoff. Uniform attention gives each bar `1 / look_back`.

    Args:
        weights: The result of `attention_weights`, `(n_windows, n_members, look_back)`, oldest bar first; the
            mean over members is drawn.
        subject: What was trained, for the title, such as `attention on AAPL`.

    Raises:
        DataError: There is no window.
    """
    if weights.shape[0] == 0:
        raise DataError("got no window, expected at least one to draw its attention", "draw a longer period")
    by_window = weights.astype(np.float64).mean(axis=1)
    n_windows, look_back = by_window.shape
    lag = np.arange(look_back)[::-1]
    mean = by_window.mean(axis=0)
    low, high = np.quantile(by_window, [0.05, 0.95], axis=0)
    with mpl.rc_context(STYLE):
        figure, (axes,) = blank_figure(1, 1)
        axes.fill_between(lag, 100 * low, 100 * high, color=BAND, lw=0, label="90 % of windows")
        marker = "o" if look_back <= 120 else ""
        axes.plot(lag, 100 * mean, color="black", marker=marker, ms=4, lw=2.0, label="mean over windows")
        axes.axhline(100 / look_back, color=DIM, ls=(0, (4, 2)), lw=1.4, label="uniform")
        axes.set(
            xlabel="bars before the cutoff",
            ylabel="attention weight, %",
            xlim=(look_back - 0.5, -0.5),
            ylim=(0, 105 * max(high.max(), 1.5 / look_back)),
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="upper left")
        set_title(figure, f"{subject}, {n_windows} windows: {_half_text(mean)}")
    return figure


def _half_text(mean: NDArray[np.float64]) -> str:
    """Return how many of the last bars hold half of the weight.

    Args:
        mean: Weights by bar, `(look_back,)`, oldest bar first.

    >>> _half_text(np.array([0.1, 0.2, 0.7])), _half_text(np.full(60, 1 / 60))
    ('half of the attention is on the last bar', 'half of the attention is on the last 30 of 60 bars')
    """
    n_last = int(np.searchsorted(np.cumsum(mean[::-1]), 0.5 * mean.sum() * (1 - 1e-9))) + 1
    bars = "last bar" if n_last == 1 else f"last {n_last} of {len(mean)} bars"
    return f"half of the attention is on the {bars}"
