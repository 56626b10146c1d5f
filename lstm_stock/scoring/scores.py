"""The score table, and comparisons of the network with the baselines.

All scores are computed from the forecast table, so that anyone with `forecasts.parquet` can compute them again.
Nothing here tests: see `lstm_stock.scoring.verdict`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from lstm_stock.distributions.base import Array
from lstm_stock.distributions.intervals import LEVELS
from lstm_stock.scoring import metrics
from lstm_stock.scoring.forecast_table import error_base

POOLED_SCORES = ("crps", "nll")
"""Scores with a mean over tickers: both are of the log return in percent, not of a price."""

SCORE_COLUMNS = (
    *("ticker", "model", "step", "n", "rmse", "rmse_percent", "mae", "mase", "skill", "direction"),
    *("crps", "nll"),
    *(f"coverage_{level}" for level in LEVELS),
    *(f"coverage_trained_{level}" for level in LEVELS),
    "width_90",
)


def score_table(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Score every ticker, model and step of a forecast table.

    Returns:
        Columns `SCORE_COLUMNS`; NaN where a score does not apply: `crps` and coverage of a point forecast, `nll`
        of a model without a density, `direction` of one that never leaves the last close, everything but
        `direction` of one that forecasts only a sign. Infinite where a loss is. `rmse_percent` is that of the
        errors in percent of the last close, and `skill` the percentage by which it is below that of naive.
        `coverage_*` is that of the intervals shown, `coverage_trained_*` that of the distribution before its
        intervals were calibrated.
    """
    rows = []
    for (ticker, step), group in forecasts.groupby(["ticker", "step"], sort=False):
        by_model = dict(list(group.groupby("model", sort=False)))
        naive_rmse = metrics.rmse(*_percent(by_model["naive"])) if "naive" in by_model else np.nan
        for model, table in by_model.items():
            with np.errstate(over="ignore", invalid="ignore"):  # an infinite forecast
                scores = _scores(table, naive_rmse)
            rows.append({"ticker": ticker, "model": model, "step": step, **scores})
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _points(table: pd.DataFrame) -> tuple[Array, Array]:
    return table["y_true"].to_numpy(), table["y_pred"].to_numpy()


def _percent(table: pd.DataFrame) -> tuple[Array, Array]:
    """Return outcome and forecast in percent of the last close, as prices of several years do not compare.

    Of a table of differences they are in the units of the series.
    """
    y_true, y_pred = _points(table)
    base = error_base(table)
    return 100 * y_true / base, 100 * y_pred / base


def _scores(table: pd.DataFrame, naive_rmse: float) -> dict[str, float]:
    y_true, y_pred = _points(table)
    last_close = table["last_close"].to_numpy()
    move, sign = y_true - last_close, table["direction"].to_numpy()
    rmse_percent = metrics.rmse(*_percent(table))
    # Each row has the in-sample MAE of its own fold.
    insample_mae = table["insample_mae"].to_numpy()
    scores = {
        "n": len(table),
        "rmse": metrics.rmse(y_true, y_pred),
        "rmse_percent": rmse_percent,
        "mae": metrics.mae(y_true, y_pred),
        "mase": metrics.mase(y_true / insample_mae, y_pred / insample_mae, 1.0),
        "skill": metrics.skill(rmse_percent, naive_rmse),
        "direction": metrics.direction(move, sign, np.zeros_like(move)),
        "crps": float(table["crps"].mean(skipna=False)),
        "nll": float(table["nll"].mean(skipna=False)),
        "width_90": metrics.width(table["lo_90"].to_numpy(), table["hi_90"].to_numpy(), error_base(table)),
    }
    pit = table["pit"].to_numpy()
    for level in LEVELS:
        scores[f"coverage_{level}"] = metrics.coverage(
            y_true, table[f"lo_{level}"].to_numpy(), table[f"hi_{level}"].to_numpy()
        )
        inside = np.abs(pit - 0.5) <= level / 200
        scores[f"coverage_trained_{level}"] = np.nan if np.isnan(pit).any() else float(inside.mean())
    return scores


def pooled_scores(scores: pd.DataFrame, model: str, step: int | None = None) -> pd.DataFrame:
    """Compare the network with each baseline over all tickers, at one step.

    A baseline that lacks some tickers is compared on the others, and the network's mean is over the same tickers.

    Args:
        scores: A score table.
        model: The network's name.
        step: The step; None is the first.

    Returns:
        One row per baseline that has a CRPS or an NLL: `baseline n_tickers`, and for each of the two scores the
        mean over tickers of the baseline (`crps`) and of the network (`crps_model`), and the number of tickers in
        which the network's is less (`crps_better`); NaN where a score does not apply.
    """
    at_step = scores[scores["step"] == (scores["step"].min() if step is None else step)]
    by_score = {
        score: at_step.pivot(index="ticker", columns="model", values=score) for score in POOLED_SCORES
    }
    rows = []
    for name in dict.fromkeys(at_step["model"]):
        row: dict[str, Any] = {"baseline": name, "n_tickers": 0}
        for score, table in by_score.items():
            both = table[[name, model]].dropna() if name != model else table.iloc[:0]
            row |= {
                score: both[name].mean(),
                f"{score}_model": both[model].mean(),
                f"{score}_better": int((both[model] < both[name]).sum()),
            }
            row["n_tickers"] = max(row["n_tickers"], len(both))
        rows.append(row)
    table = pd.DataFrame(rows)
    return table[table["n_tickers"] > 0].reset_index(drop=True)


def ticker_scores(scores: pd.DataFrame, model: str) -> pd.DataFrame:
    """Compare the network with the best baseline of each ticker, one step ahead.

    Returns:
        One row per ticker, in order of falling skill: `ticker`, and `n skill crps nll coverage_90` of the network;
        `baseline`, which has the least CRPS, `baseline_crps`, and `gain`: 100 (1 - crps / baseline_crps).
    """
    first = scores[scores["step"] == scores["step"].min()]
    rows = []
    for ticker, table in first.groupby("ticker", sort=False):
        network = table[table["model"] == model].iloc[0]
        best = best_baselines(table, model, "crps")
        baseline_crps = float(table.loc[table["model"] == best[0], "crps"].iloc[0]) if best else np.nan
        row: dict[str, Any] = {"ticker": ticker}
        row |= {name: network[name] for name in ("n", "skill", "crps", "nll", "coverage_90")}
        row |= {"baseline": " and ".join(best), "baseline_crps": baseline_crps}
        rows.append(row | {"gain": gain(float(network["crps"]), baseline_crps)})
    return pd.DataFrame(rows).sort_values("skill", ascending=False, kind="stable", ignore_index=True)


def gain(score: float, baseline_score: float) -> float:
    """Return by how many percent a score is lower than that of a baseline; NaN if that is 0."""
    return 100 * (1 - score / baseline_score) if baseline_score else math.nan


def best_baselines(scores: pd.DataFrame, model: str, score: str) -> list[str]:
    """Return the names of the baselines with the least `score`.

    Args:
        scores: Rows of a score table, of one ticker and step.
        model: The network's name, which is not a baseline.
        score: A column where less is better: `rmse`, `crps`, `nll`.

    Returns:
        One name, several if they are equal, none if no baseline has the score.
    """
    baselines = scores[(scores["model"] != model) & scores[score].notna()]
    return [str(name) for name in baselines["model"][baselines[score] == baselines[score].min()]]
