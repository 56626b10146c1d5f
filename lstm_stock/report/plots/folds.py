"""The figure of a backtest: skill by fold."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_stock.errors import DataError
from lstm_stock.report.plots.style import (
    DIM,
    NAIVE,
    STYLE,
    blank_figure,
    contents_text,
    lines_of,
    note,
    set_title,
)
from lstm_stock.report.text import ahead

N_BASELINES = 3
"""Number of baselines drawn: those with the lowest pooled CRPS."""


def skill_by_fold(
    fold_scores: pd.DataFrame, scores: pd.DataFrame, folds: pd.DataFrame, ticker: str, model: str
) -> Figure:
    """Draw the improvement in CRPS and RMSE over the naive forecast in each fold and, apart, over all folds.

    Args:
        fold_scores: `fold` and the columns of a score table.
        scores: The score table of the pooled folds.
        folds: One row per fold, with `fold test_start test_end`.
        ticker: The ticker to draw.
        model: The network's name.

    Raises:
        DataError: The network or the naive forecast has no scores on that ticker.
    """
    step = int(scores["step"].min())
    pooled = scores[(scores["ticker"] == ticker) & (scores["step"] == step)].set_index("model")
    by_fold = fold_scores[(fold_scores["ticker"] == ticker) & (fold_scores["step"] == step)]
    if model not in pooled.index or NAIVE not in pooled.index:
        raise DataError(f"there are no scores of {model} and {NAIVE} on {ticker}", contents_text(scores))
    rest = pooled.drop(index=[model, NAIVE])["crps"].dropna()
    shown = [model, *rest.nsmallest(N_BASELINES).index]
    lines = lines_of(pooled.index, model)

    def improvement(score: str) -> tuple[pd.DataFrame, pd.Series[float]]:
        table = by_fold.pivot(index="fold", columns="model", values=score).astype(float)
        table = table.reindex(folds["fold"])  # a ticker that has ended lacks the last ones
        overall = pooled[score].astype(float)
        return 100 * (1 - table.div(table[NAIVE], axis=0)), 100 * (1 - overall / overall[NAIVE])

    with mpl.rc_context(STYLE):
        figure, panels = blank_figure(2, 1)
        titles = {"crps": "CRPS improvement over naive, %", "rmse_percent": "RMSE improvement over naive, %"}
        for axes, (score, title) in zip(panels, titles.items(), strict=True):
            table, overall = improvement(score)
            axes.axhline(0, color=DIM, lw=1.2, ls=(0, (4, 2)), zorder=1)
            # The network is drawn last, on top.
            for name in reversed(shown):
                style = lines[name].settings() | ({"lw": 2.2} if name == model else {"mfc": "none"})
                axes.plot(table.index, table[name], **style, label=name)
                axes.plot([len(table) + 1.0], [overall[name]], **style | {"linestyle": "none", "ms": 10})
            axes.axvline(len(table) + 0.5, color=DIM, lw=0.8)
            axes.set_title(title)
            if table[model].isna().all():
                note(axes, f"{model} forecasts no distribution")
        _label_folds(panels[-1], folds)
        handles = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
        figure.legend([handles[name] for name in shown], shown, loc="outside lower center", ncols=len(shown))
        set_title(figure, _title(by_fold, pooled, ticker, model, step))
    return figure


def _label_folds(axes: Axes, folds: pd.DataFrame) -> None:
    """Label each fold with the month in which its test block starts, and the last position with `all folds`."""
    every = -(-len(folds) // 10)
    ticks = [int(fold) for fold in folds["fold"] if (int(fold) - 1) % every == 0]
    starts = folds.set_index("fold")["test_start"]
    labels = [f"{tick}\n{pd.Timestamp(starts[tick]):%b %Y}" for tick in ticks]
    n = len(folds)
    axes.set_xticks([*ticks, n + 1], [*labels, "all\nfolds"])
    axes.set(xlabel="fold, and the month in which its test block starts", xlim=(0.5, n + 1.5))


def _title(by_fold: pd.DataFrame, pooled: pd.DataFrame, ticker: str, model: str, step: int) -> str:
    score = "rmse_percent" if pooled["crps"].isna()[model] else "crps"
    name = "CRPS" if score == "crps" else "RMSE"
    table = by_fold.pivot(index="fold", columns="model", values=score).astype(float)
    overall = pooled[score].astype(float)
    rest = overall.drop(index=model).dropna()
    best = str(rest.idxmin())
    n_better = int((table[model] < table[best]).sum())
    gain = 100 * (1 - overall[model] / rest[best])
    return (
        f"{model} on {ticker}, {ahead(step)}, refitted in each of {len(table)} folds: {name} against the "
        f"best baseline, {best}:\nbetter in {n_better} folds, {abs(gain):.2f} % "
        f"{'better' if gain > 0 else 'worse'} over all folds"
    )
