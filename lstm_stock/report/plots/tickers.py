"""The figure of many tickers: improvement over the best baselines, and coverage of the 90 % interval."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binom

from lstm_stock.errors import DataError
from lstm_stock.report.plots.style import BAND, DIM, STYLE, blank_figure, lines_of, set_title
from lstm_stock.report.text import ahead

N_BASELINES = 3
"""Number of baselines drawn: those with the lowest mean CRPS."""

MAX_NAMES = 30
"""Maximum number of tickers named on an axis."""

BAND_SHARE = 0.9


def skill_by_ticker(scores: pd.DataFrame, model: str) -> Figure:
    """Draw the CRPS improvement over the best baselines, and the coverage of the 90 % interval, of every ticker.

    All scores are those one step ahead. The baselines are those with the lowest mean CRPS over all tickers: a
    best baseline per ticker would be chosen by the outcomes that score it. The band holds 90 % of the coverages of
    calibrated intervals of independent outcomes.

    Args:
        scores: A score table of several tickers.
        model: The network's name.

    Raises:
        DataError: The network has no distribution.
    """
    at_step = scores[scores["step"] == 1]
    crps = at_step.pivot(index="ticker", columns="model", values="crps").astype(float)
    if model not in crps or crps[model].isna().all():
        raise DataError(f"{model} has no CRPS: it forecasts no distribution", "choose another `model.head`")
    complete = crps.drop(columns=model).dropna(axis="columns")
    baselines = list(complete.mean().nsmallest(N_BASELINES).index)
    gains = pd.DataFrame({name: 100 * (1 - crps[model] / crps[name]) for name in baselines})
    gains = gains.sort_values(baselines[0], kind="stable")
    of_model = at_step[at_step["model"] == model].set_index("ticker").loc[gains.index]
    lines = lines_of(at_step["model"], model)
    with mpl.rc_context(STYLE):
        figure, (left, right) = blank_figure(1, 2)
        positions = np.arange(1, len(gains) + 1)
        for name in reversed(baselines):
            style = {**lines[name].settings(), "linestyle": "none"}
            left.plot(
                gains[name], positions, **style, mfc="none" if name != baselines[0] else None, label=name
            )
        left.axvline(0, color=DIM, lw=1)
        left.set(xlabel=f"CRPS improvement of {model}, % (right of the line: better)", ylabel="")
        _draw_coverage(right, of_model, positions)
        _label_tickers(left, list(map(str, gains.index)), positions)
        _label_tickers(right, list(map(str, gains.index)), positions)
        handles = [*left.get_legend_handles_labels()[0][::-1], *right.get_legend_handles_labels()[0]]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        best = baselines[0]
        n_better = int((gains[best] > 0).sum())
        mean = 100 * (1 - crps[model].mean() / crps[best].mean())
        set_title(
            figure,
            f"{model} on {len(gains)} tickers, {ahead(1)}: CRPS against the best baseline, {best}:\n"
            f"better on {n_better} tickers, mean {abs(mean):.2f} % {'better' if mean > 0 else 'worse'}",
        )
    return figure


def _draw_coverage(
    axes: Axes, of_model: pd.DataFrame, positions: np.ndarray[tuple[int], np.dtype[np.int_]]
) -> None:
    observed, n = 100 * of_model["coverage_90"].to_numpy(float), of_model["n"].to_numpy(int)
    low, high = (100 * binom.ppf(q, n, 0.9) / n for q in ((1 - BAND_SHARE) / 2, (1 + BAND_SHARE) / 2))
    # The band extends half a position beyond the first and the last point.
    y = positions.astype(np.float64)
    if len(y) > 1:
        y[0], y[-1] = y[0] - 0.5, y[-1] + 0.5
    axes.fill_betweenx(y, low, high, color=BAND, lw=0, label="90 % of tickers, if calibrated")
    axes.axvline(90, color=DIM, lw=1)
    axes.plot(observed, positions, "o", color="black", ms=5)
    axes.set(xlabel=f"coverage of the 90 % interval, % (mean {observed.mean():.1f})")


def _label_tickers(
    axes: Axes, names: list[str], positions: np.ndarray[tuple[int], np.dtype[np.int_]]
) -> None:
    """Name at most `MAX_NAMES` tickers, evenly spaced."""
    every = -(-len(names) // MAX_NAMES)
    axes.set_yticks(positions[::every], names[::every], fontsize=9)
    axes.set_ylim(0, len(names) + 1)
