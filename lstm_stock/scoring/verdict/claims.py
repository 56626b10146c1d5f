"""The three questions about skill, and how they share one significance level.

Each baseline's comparison is a null hypothesis of its own: 'the network is no better than this one'. 'Better than
every baseline' is claimed only if all of them are rejected, so the best baseline need not be chosen on the test
set before it is tested against. The questions are three families that share `alpha`. Each uses its part by Holm's
rule, and one that is rejected whole passes its part on (`significance.rejected_in_families`). Claims of 'worse'
are tested in the same way on the other side, with an `alpha` of their own.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.scoring.significance import (
    MIN_OBSERVATIONS,
    by_date,
    diebold_mariano,
    direction_products,
    mean_test,
    pesaran_timmermann,
    rejected_in_families,
    skill_interval,
)
from lstm_stock.scoring.verdict import sentences
from lstm_stock.scoring.verdict.findings import (
    NO_SKILL,
    Comparison,
    DirectionTest,
    PointLabels,
    plain,
    untested,
)
from lstm_stock.scoring.verdict.loss_tables import LossTables
from lstm_stock.scoring.verdict.thresholds import MAX_LOSS, POINT_BASELINE, SAME, SKILL_LEVEL


def judge_claims(loss_tables: LossTables, model: str, alpha: float) -> dict[str, Any]:
    """Answer the three questions.

    Args:
        loss_tables: Of one ticker or several.
        model: The network's name.
        alpha: The significance level that the three questions share.

    Returns:
        `point`, `direction` and `distribution`, as `lstm_stock.scoring.verdict.judge` describes them.
    """
    squares, rmse = loss_tables.squares, loss_tables.rmse
    one_ticker = loss_tables.model_rows["ticker"].nunique() == 1
    point = [compare(squares, model, POINT_BASELINE, root=True)] if POINT_BASELINE in squares else []
    if one_ticker:  # The sentence states the RMSE of one ticker in its prices, as the score table does.
        point = [
            replace(one, score=float(rmse[model]), baseline_score=float(rmse[one.baseline])) for one in point
        ]
    crps, log_score = (_compare_all(table, model) for table in (loss_tables.crps, loss_tables.nll))
    direction = direction_test(loss_tables.model_rows)
    better, alphas = rejected_in_families(
        [[one.better.p for one in point], [direction.better.p], [one.better.p for one in crps]], alpha
    )
    worse, _ = rejected_in_families(
        [[one.p_worse for one in point], [direction.p_worse], [one.p_worse for one in crps]], alpha
    )
    distribution = _distribution(crps, better[2], worse[2], alphas[2], model)
    distribution["log_score"] = [one.to_json() for one in log_score]
    distribution["sentence"] += sentences.infinite_nll(log_score)
    return {
        "point": _point(point, better[0], worse[0], alphas[0], PointLabels(model, one_ticker)),
        "direction": _direction(direction, better[1][0], worse[1][0], alphas[1], model),
        "distribution": distribution,
    }


def _compare_all(losses: pd.DataFrame, model: str) -> list[Comparison]:
    return [compare(losses, model, name) for name in losses.columns if name != model]


def compare(losses: pd.DataFrame, model: str, baseline: str, root: bool = False) -> Comparison:
    """Test the network's losses against one baseline's, on the cutoffs and tickers that both have.

    Args:
        losses: One column per model, indexed by `cutoff` and `ticker`.
        model: The network.
        baseline: The baseline.
        root: Whether the scores are the square roots of the mean losses.
    """
    ours, theirs = (losses[name].to_numpy(np.float64) for name in (model, baseline))
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    complete = bool(both.sum() == (~np.isnan(ours)).sum())
    dates = losses.index.get_level_values("cutoff").to_numpy()[both]
    ours, theirs = (by_date(one[both], dates) for one in (ours, theirs))
    daily = {model: ours, baseline: theirs}
    infinite = tuple(name for name, one in daily.items() if np.max(np.abs(one), initial=0) > MAX_LOSS)
    means = [
        math.inf if name in infinite else float(np.mean(one)) if len(one) else math.nan
        for name, one in daily.items()
    ]
    score, baseline_score = (math.sqrt(value) for value in means) if root else means
    if infinite or len(ours) < MIN_OBSERVATIONS:
        nothing = untested(len(ours))
        return Comparison(baseline, score, baseline_score, nothing, math.nan, NO_SKILL, complete, infinite)
    difference = ours - theirs
    if np.abs(difference).max() <= SAME * np.abs(theirs).mean():
        difference = np.zeros_like(difference)
    skill = NO_SKILL
    if theirs.min() >= 0 and theirs.mean() > 0:  # A log score has no zero that a percentage could refer to.
        interval = skill_interval(ours, theirs, level=SKILL_LEVEL, root=root)
        skill = (100 * (1 - score / baseline_score), *interval)
    better = diebold_mariano(difference, alternative="less")
    worse = diebold_mariano(difference, alternative="greater")
    return Comparison(baseline, score, baseline_score, better, worse.p, skill, complete)


def direction_test(model_rows: pd.DataFrame) -> DirectionTest:
    """Test the network's directions: by Pesaran-Timmermann for one ticker, by date for several."""
    moves = (model_rows["y_true"] - model_rows["last_close"]).to_numpy(np.float64)
    signs = model_rows["direction"].to_numpy(np.float64)
    moved = (moves != 0) & np.isin(signs, (-1.0, 1.0))
    if not moved.any():
        return DirectionTest(math.nan, math.nan, math.nan, "none", untested(0), math.nan, "")
    up, forecast_up = moves[moved] > 0, signs[moved] > 0
    tickers = model_rows["ticker"].to_numpy()
    expected_hit_rate, constant = _expected_hit_rate(up, forecast_up, tickers[moved])
    always = ""
    if forecast_up.all() or not forecast_up.any():
        always = "up" if forecast_up.all() else "down"
    elif constant:
        always = "the same"
    shares = float(np.mean(up == forecast_up)), expected_hit_rate, float(up.mean())
    if model_rows["ticker"].nunique() == 1:
        better, worse = (pesaran_timmermann(moves[moved], signs[moved], side) for side in ("greater", "less"))
        return DirectionTest(*shares, always, better, worse.p, "Pesaran-Timmermann")
    signs = np.where(moved, signs, 0.0)
    products = np.zeros(len(moves))
    for ticker in np.unique(tickers):
        of_ticker = tickers == ticker
        products[of_ticker] = direction_products(moves[of_ticker], signs[of_ticker])
    daily = by_date(products, model_rows["cutoff"].to_numpy())
    if len(daily) < MIN_OBSERVATIONS or not daily.any():
        return DirectionTest(*shares, always, untested(len(daily)), math.nan, "by date")
    better, worse = (mean_test(daily, alternative=side) for side in ("greater", "less"))
    return DirectionTest(*shares, always, better, worse.p, "by date")


def _expected_hit_rate(
    up: NDArray[np.bool_], forecast_up: NDArray[np.bool_], tickers: NDArray[Any]
) -> tuple[float, bool]:
    """Return the share of right signs expected by chance, and whether each ticker's forecast never changes.

    By chance means: outcome and forecast are independent, each with its own share of rises in each ticker.
    """
    expected, constant = 0.0, True
    for ticker in np.unique(tickers):
        of_ticker = tickers == ticker
        p, q = up[of_ticker].mean(), forecast_up[of_ticker].mean()
        expected += of_ticker.mean() * (p * q + (1 - p) * (1 - q))
        constant = constant and q in (0.0, 1.0)
    return float(expected), constant


def _outcome(better: bool, worse: bool, p: float) -> str:
    return "better" if better else "worse" if worse else "not tested" if math.isnan(p) else "no evidence"


def _point(
    found: list[Comparison], better: list[bool], worse: list[bool], alpha: float, labels: PointLabels
) -> dict[str, Any]:
    if not found:
        return _no_comparison(sentences.no_point(labels.model))
    (one,) = found
    outcome = _outcome(better[0], worse[0], one.better.p)
    return {
        "verdict": outcome,
        **one.to_json(),
        "level": alpha,
        "sentence": sentences.point(one, outcome, alpha, labels),
    }


def _direction(found: DirectionTest, better: bool, worse: bool, alpha: float, model: str) -> dict[str, Any]:
    outcome = _outcome(better, worse, found.better.p)
    return {
        "verdict": outcome,
        "baseline": "luck",
        "score": plain(found.right),
        "baseline_score": plain(found.expected_hit_rate),
        "up": plain(found.up),
        "statistic": plain(found.better.statistic),
        "p": plain(found.better.p),
        "p_worse": plain(found.p_worse),
        "n": found.better.n,
        "test": found.test,
        "level": alpha,
        "sentence": sentences.direction(found, outcome, alpha, model),
    }


def _distribution(
    found: list[Comparison], better: list[bool], worse: list[bool], alpha: float, model: str
) -> dict[str, Any]:
    if not found:
        return _no_comparison(sentences.no_distribution(model))

    # A baseline that a ticker lacks is scored on other returns: it is tested, but is not called the best.
    def rank(one: Comparison) -> tuple[bool, float]:
        comparable = one.better.n > 0 and math.isfinite(one.baseline_score)
        return not one.complete, one.baseline_score if comparable else math.inf

    best = min(found, key=rank)
    tested = [one for one in found if not math.isnan(one.better.p)]
    beaten = [one.baseline for one, rejected in zip(found, better, strict=True) if rejected]
    lost_to = [one for one, rejected in zip(found, worse, strict=True) if rejected]
    # If the network is worse, the sentence names the best baseline, or the one with the least p-value.
    shown = min(lost_to, key=lambda one: (one is not best, one.p_worse)) if lost_to else best
    outcome = _outcome(0 < len(tested) == len(beaten), bool(lost_to), best.better.p)
    return {
        "verdict": outcome,
        **shown.to_json(),
        "level": alpha,
        "beaten": beaten,
        "lost_to": [one.baseline for one in lost_to],
        "comparisons": [one.to_json() for one in found],
        "partial": [one.baseline for one in found if not one.complete],
        "sentence": sentences.distribution(shown, outcome, beaten, alpha, model)
        + sentences.incomplete_baselines(found),
    }


def _no_comparison(sentence: str) -> dict[str, Any]:
    return {
        "verdict": "not tested",
        "baseline": None,
        "statistic": None,
        "p": None,
        "n": 0,
        "sentence": sentence,
    }
