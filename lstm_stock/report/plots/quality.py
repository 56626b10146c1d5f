"""Figures of forecast quality: calibration, and scores by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.stats import binom

from lstm_stock.config.targets import OF_PRICES, Words
from lstm_stock.distributions.intervals import LEVELS
from lstm_stock.errors import DataError
from lstm_stock.report.plots.style import (
    BAND,
    DIM,
    NAIVE,
    STYLE,
    blank_figure,
    contents_text,
    lines_of,
    note,
    rows_of,
    set_title,
)
from lstm_stock.report.text import ahead
from lstm_stock.scoring import metrics

LEGEND_COLUMNS = 7
"""Number of names in one row of the legend."""

MAX_AXIS_RATIO = 6
"""A series that would lengthen an axis by more than this factor is reported as text instead."""


def calibration(forecasts: pd.DataFrame, ticker: str, model: str, words: Words = OF_PRICES) -> Figure:
    """Draw the calibration of a forecast one step ahead: PIT histogram, and nominal against observed coverage.

    A calibrated forecast has a flat histogram and coverage on the diagonal (Diebold, Gunther & Tay 1998,
    International Economic Review 39). The bands hold 90 % of the bars, or points, of a calibrated forecast of
    independent outcomes. The coverage panel shows the distributions as trained, of the naive forecast and of the
    baseline with the lowest CRPS too, and as crosses the intervals that are shown after calibration.

    Args:
        forecasts: A forecast table.
        ticker: The ticker to draw.
        model: The model to draw.
        words: What the series is called.

    Raises:
        DataError: The table has no such rows.
    """
    rows = rows_of(forecasts, ticker, model)
    at_step = forecasts[(forecasts["ticker"] == ticker) & (forecasts["step"] == 1)]
    crps = at_step[at_step["model"] != model].groupby("model", sort=False)["crps"].mean().dropna()
    baselines = {name for name in (NAIVE, *crps.nsmallest(1).index) if name in crps.index}
    lines = lines_of(at_step["model"], model)
    with mpl.rc_context(STYLE):
        figure, (left, right) = blank_figure(1, 2)
        _draw_pit(left, rows["pit"].dropna().to_numpy(), model, words)
        _draw_nominal(right, len(rows))
        for name, line in lines.items():
            trained = _trained(at_step[at_step["model"] == name])
            if name in (model, *baselines) and not np.isnan(trained).any():
                points = {**line.settings(), "linestyle": "none", "ms": 10, "mew": 1.8}
                points |= {} if name == model else {"mfc": "none"}
                right.plot(LEVELS, trained, **points, label=name)
        shown = _shown(rows)
        if not np.isnan(shown).any() and shown != _trained(rows):
            right.plot(LEVELS, shown, "kx", ms=10, mew=1.8, label=f"{model}, intervals shown")
        right.legend(loc="upper left")
        set_title(figure, _calibration_title(rows))
    return figure


def _trained(rows: pd.DataFrame) -> list[float]:
    """Return the coverage of the trained distribution at each level in percent; NaN without a PIT."""
    pit = rows["pit"].to_numpy(float)
    if np.isnan(pit).any():
        return [math.nan] * len(LEVELS)
    return [100 * float(np.mean(np.abs(pit - 0.5) <= level / 200)) for level in LEVELS]


def _shown(rows: pd.DataFrame) -> list[float]:
    """Return the coverage of the interval shown at each level in percent."""
    y_true = rows["y_true"]
    return [100 * metrics.coverage(y_true, rows[f"lo_{level}"], rows[f"hi_{level}"]) for level in LEVELS]


def _calibration_title(rows: pd.DataFrame) -> str:
    first, at_90 = rows.iloc[0], LEVELS.index(90)
    trained, shown = _trained(rows)[at_90], _shown(rows)[at_90]
    result = (
        f"the trained 90 % interval covers {trained:.1f} % of {len(rows)} outcomes, that shown {shown:.1f} %"
    )
    if np.isnan(trained) or trained == shown:
        result = f"the 90 % interval covers {shown:.1f} % of {len(rows)} outcomes"
    if np.isnan(shown):
        result = "a point forecast without interval"
    return f"{first['model']} on {first['ticker']}, {ahead(1)}: {result}"


def _draw_pit(axes: Axes, pit: np.ndarray[Any, np.dtype[np.float64]], model: str, words: Words) -> None:
    axes.set(
        xlabel=f"PIT: forecast probability of a {words.move.removeprefix('log ')} below the actual one",
        ylabel="density of outcomes",
    )
    axes.set_title("PIT histogram")
    axes.set_xlim(0, 1)
    if not len(pit):
        axes.set(yticks=[], ylabel="")
        note(axes, f"{model} is a point forecast:\nit has no PIT")
        return
    n_bins = 20 if len(pit) >= 400 else 10
    density, edges = np.histogram(pit, bins=n_bins, range=(0, 1), density=True)
    axes.bar(edges[:-1], density, width=1 / n_bins, align="edge", color="0.86", edgecolor="0.35", label=model)
    low, high = (binom.ppf(p, len(pit), 1 / n_bins) * n_bins / len(pit) for p in (0.05, 0.95))
    axes.axhspan(low, high, color="black", alpha=0.2, lw=0, zorder=2, label="90 % of bars, if calibrated")
    axes.axhline(1, color="black", ls=(0, (4, 2)), label="calibrated")
    axes.set_ylim(0, 1.3 * max(density.max(), high))
    axes.legend(loc="upper left", ncols=2)


def _draw_nominal(axes: Axes, n: int) -> None:
    nominal = np.linspace(45, 99.5, 110)
    low, high = (100 * binom.ppf(p, n, nominal / 100) / n for p in (0.05, 0.95))
    axes.fill_between(nominal, low, high, color=BAND, lw=0, label="90 % of points, if calibrated")
    axes.plot([45, 100], [45, 100], color="black", ls=(0, (4, 2)), lw=1.2, label="calibrated")
    axes.set(xlabel="nominal coverage, %", ylabel="observed coverage, %", xlim=(45, 100), xticks=LEVELS)
    axes.set_title("Nominal against observed coverage, as trained")


def scores_by_step(scores: pd.DataFrame, ticker: str, model: str, words: Words = OF_PRICES) -> Figure:
    """Draw the improvement in CRPS, NLL and RMSE over a baseline, and the 90 % coverage, of every model by step.

    A model whose scores would compress the others' lines is reported as text in the panel.

    Args:
        scores: A score table.
        ticker: The ticker to draw.
        model: The network's name.
        words: What the series is called.

    Raises:
        DataError: The table has no such rows.
    """
    rows = scores[scores["ticker"] == ticker]
    if model not in set(rows["model"]):
        raise DataError(f"there are no scores of {model} on {ticker}", contents_text(scores))
    lines = lines_of(rows["model"], model)
    has_distribution = bool(rows.loc[rows["model"] == model, "crps"].notna().any())
    with mpl.rc_context(STYLE):
        figure, grid = blank_figure(2, 2)
        for axes, (label, table, resolution) in zip(grid, _panels(rows, model), strict=True):
            outliers = _outliers(table, resolution)
            # The network is drawn last, on top.
            for name in sorted(lines, key=lambda each: each == model):
                if name not in outliers and table[name].notna().any():
                    style = lines[name].settings() | ({} if name == model else {"mfc": "none"})
                    axes.plot(table.index, table[name], **style, label=name)
            axes.set_title(label)
            _widen_axis(axes, resolution)
            _note_missing(axes, table, outliers, model, has_distribution)
        grid[-1].axhline(90, color=DIM, lw=1.0)
        for axes in grid[2:]:
            axes.set(
                xlabel=f"step, {words.steps} ahead", xlim=(rows["step"].min() - 0.3, rows["step"].max() + 0.3)
            )
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        handles = {
            label: handle
            for axes in grid
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        n_rows = math.ceil(len(handles) / LEGEND_COLUMNS) or 1
        columns = math.ceil(len(handles) / n_rows) or 1
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns)
        set_title(figure, _scores_title(rows, ticker, model))
    return figure


def _panels(rows: pd.DataFrame, model: str) -> list[tuple[str, pd.DataFrame, float]]:
    """Return each panel's title, its scores by step and model, and the minimum length of its axis.

    Scores differ more between steps than between models, so CRPS and NLL are shown relative to a baseline: the
    naive forecast, or the first baseline that has the score.
    """

    def by_step(score: str) -> pd.DataFrame:
        return rows.pivot(index="step", columns="model", values=score).astype(float)

    crps, nll = by_step("crps"), by_step("nll")
    panels = []
    for name, table in (("CRPS", crps), ("NLL", nll)):
        baselines = [
            each for each in dict.fromkeys(rows["model"]) if each != model and table[each].notna().all()
        ]
        if not baselines:
            panels.append((f"{name} of the return (lower is better)", table, 0.02))
            continue
        base = NAIVE if NAIVE in baselines else baselines[0]
        difference = table.rsub(table[base], axis=0)
        if name == "CRPS":
            relative = 100 * difference.div(table[base], axis=0)
            panels.append((f"CRPS improvement over {base}, %", relative, 1.0))
        else:
            panels.append((f"NLL improvement over {base}", difference, 0.02))
    panels.append(("RMSE improvement over naive, %", by_step("skill"), 1.0))
    trained = by_step("coverage_trained_90")
    if trained[model].notna().any():
        panels.append(("Coverage of the trained 90 % interval, % (90 is best)", 100 * trained, 2.0))
    else:  # of a point forecast, or of a run of an older version
        shown = by_step("coverage_90")
        panels.append(("Coverage of the 90 % interval shown, % (90 is best)", 100 * shown, 2.0))
    return panels


def _outliers(table: pd.DataFrame, resolution: float) -> list[str]:
    """Return the series, worst first, that lengthen the axis by more than `MAX_AXIS_RATIO`."""

    def length(series: pd.DataFrame) -> float:
        return max(float(np.ptp(series.to_numpy()[np.isfinite(series)])), resolution)

    outliers: list[str] = []
    kept = table.dropna(axis="columns", how="all")
    while kept.shape[1] > 1:
        without = {name: length(kept.drop(columns=name)) for name in kept}
        name = min(without, key=without.__getitem__)
        if length(kept) < MAX_AXIS_RATIO * without[name]:
            break
        outliers.append(str(name))
        kept = kept.drop(columns=name)
    return outliers


def _widen_axis(axes: Axes, resolution: float) -> None:
    """Widen the y axis to at least `resolution`, so that negligible differences look small."""
    low, high = axes.get_ylim()
    margin = max(0.0, resolution - (high - low)) / 2
    axes.set_ylim(low - margin, high + margin)


def _note_missing(
    axes: Axes, table: pd.DataFrame, outliers: Sequence[str], model: str, has_distribution: bool
) -> None:
    """Write below the lines which series the axis does not show."""
    lines = [f"{name}: {_range_text(table[name])}, outside this axis" for name in outliers]
    if table[model].isna().all():
        lines.append(f"{model} forecasts no {'density' if has_distribution else 'distribution'}")
    if lines:
        low, high = axes.get_ylim()
        axes.set_ylim(low - (0.1 + 0.12 * len(lines)) * (high - low), high)
        note(axes, "\n".join(lines), y=0.05)


def _range_text(values: pd.Series[float]) -> str:
    low, high = (
        f"{each:.0f}" if abs(each) >= 100 else f"{each:.3g}" for each in (values.min(), values.max())
    )
    return low if low == high else f"{low} to {high}"


def _scores_title(rows: pd.DataFrame, ticker: str, model: str) -> str:
    first = rows[rows["step"] == rows["step"].min()].set_index("model")
    network, baselines = first.loc[model], first.drop(index=model)
    title = f"{model} on {ticker}, {network['n']:.0f} test cutoffs"
    score = "rmse_percent" if np.isnan(network["crps"]) else "crps"
    if baselines[score].notna().any():
        best = baselines[score].idxmin()
        name, unit = ("CRPS", "") if score == "crps" else ("RMSE", " %")
        title += (
            f"; {ahead(network['step'])}: {name} {network[score]:.3f}{unit}, "
            f"best baseline {best} {baselines.loc[best, score]:.3f}{unit}"
        )
    return title
