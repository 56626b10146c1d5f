"""Many tickers in one figure: what the network gains on a baseline in each, and whether its intervals hold."""

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

SHOWN = 3
"""Baselines drawn: the best ones over all tickers."""

NAMED = 30
"""So many tickers can be named on an axis."""

BAND_SHARE = 0.9


def skill_by_ticker(scores: pd.DataFrame, model: str, step: int = 1) -> Figure:
    """Draw the CRPS gained on the best baselines, and the coverage of the 90 % interval, of every ticker.

    The baselines are the best over all tickers, the same for each ticker: the best of each ticker by itself
    would be chosen by the very outcomes that score it. The band holds 90 % of the coverages if the intervals are
    right and outcomes are independent.

    Args:
        scores: A score table of several tickers.
        model: The network's name.
        step: The step to draw.

    Raises:
        DataError: The network has no distribution.
    """
    at_step = scores[scores["step"] == step]
    crps = at_step.pivot(index="ticker", columns="model", values="crps").astype(float)
    if model not in crps or crps[model].isna().all():
        raise DataError(f"{model} has no CRPS to draw", "choose another `model.head`")
    everywhere = crps.drop(columns=model).dropna(axis="columns")
    baselines = list(everywhere.mean().nsmallest(SHOWN).index)
    gains = pd.DataFrame({name: 100 * (1 - crps[model] / crps[name]) for name in baselines})
    gains = gains.sort_values(baselines[0], kind="stable")
    mine = at_step[at_step["model"] == model].set_index("ticker").loc[gains.index]
    lines = lines_of(at_step["model"], model)
    with mpl.rc_context(STYLE):
        figure, (left, right) = blank_figure(1, 2)
        places = np.arange(1, len(gains) + 1)
        for name in reversed(baselines):
            style = {**lines[name].settings(), "linestyle": "none"}
            left.plot(gains[name], places, **style, mfc="none" if name != baselines[0] else None, label=name)
        left.axvline(0, color=DIM, lw=1)
        left.set(xlabel=f"CRPS gained by {model}, %: right of the line it is better", ylabel="")
        _draw_coverage(right, mine, places)
        _name(left, list(map(str, gains.index)), places)
        _name(right, list(map(str, gains.index)), places)
        handles = [*left.get_legend_handles_labels()[0][::-1], *right.get_legend_handles_labels()[0]]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        best = baselines[0]
        n_better = int((gains[best] > 0).sum())
        mean = 100 * (1 - crps[model].mean() / crps[best].mean())
        set_title(
            figure,
            f"{model} on {len(gains)} tickers, {ahead(step)}: CRPS better than {best}'s in {n_better} of them,\n"
            f"and {abs(mean):.2f} % {'better' if mean > 0 else 'worse'} in the mean ({best} is the best baseline "
            "in the mean)",
        )
    return figure


def _draw_coverage(axes: Axes, mine: pd.DataFrame, places: np.ndarray[tuple[int], np.dtype[np.int_]]) -> None:
    observed, n = 100 * mine["coverage_90"].to_numpy(float), mine["n"].to_numpy(int)
    low, high = (100 * binom.ppf(q, n, 0.9) / n for q in ((1 - BAND_SHARE) / 2, (1 + BAND_SHARE) / 2))
    # Half a place beyond the first and the last, so that their points are within it, too.
    around = (
        np.concatenate([[places[0] - 0.5], places[1:-1], [places[-1] + 0.5]]) if len(places) > 1 else places
    )
    axes.fill_betweenx(around, low, high, color=BAND, lw=0, label="where 9 of 10 would be by luck")
    axes.axvline(90, color=DIM, lw=1)
    axes.plot(observed, places, "o", color="black", ms=5)
    axes.set(xlabel=f"outcomes inside the 90 % interval, % (mean {observed.mean():.1f})")


def _name(axes: Axes, names: list[str], places: np.ndarray[tuple[int], np.dtype[np.int_]]) -> None:
    """Name the tickers where there is room; of many only every so many-th."""
    every = -(-len(names) // NAMED)
    axes.set_yticks(places[::every], names[::every], fontsize=9)
    axes.set_ylim(0, len(names) + 1)
