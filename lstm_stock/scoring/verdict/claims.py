"""The three questions about skill, and how they share one level.

Each baseline's comparison is a null hypothesis of its own: 'the network is no better than this one'. Better
'than every baseline' is said only if all of them are rejected, so that the best baseline need not be chosen
on the test set before it is tested against. The questions are three families that share `alpha`; each uses
its part by Holm's rule, and one that is rejected whole hands its part on
(`significance.rejected_in_families`). Claims of 'worse' are tested likewise on the other side, with an
`alpha` of their own.
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
    HypothesisTest,
    by_date,
    diebold_mariano,
    direction_products,
    mean_test,
    pesaran_timmermann,
    rejected_in_families,
    skill_interval,
)
from lstm_stock.scoring.verdict import findings, sentences
from lstm_stock.scoring.verdict.findings import NO_SKILL, Comparison, DirectionTest, plain
from lstm_stock.scoring.verdict.loss_tables import LossTables
from lstm_stock.scoring.verdict.thresholds import POINT_BASELINE, SAME, SKILL_LEVEL


def judge_claims(loss_tables: LossTables, model: str, step: int, alpha: float) -> dict[str, Any]:
    """Answer the three questions at one step.

    Args:
        loss_tables: Of one ticker or several.
        model: The network's name.
        step: The step.
        alpha: The level that the three questions share.

    Returns:
        `point`, `direction` and `distribution`, as `lstm_stock.scoring.verdict.judge` describes them.
    """
    squares, crps, nll, rmse = loss_tables.squares, loss_tables.crps, loss_tables.nll, loss_tables.rmse
    one_ticker = loss_tables.model_rows["ticker"].nunique() == 1
    point = [compare(squares, model, POINT_BASELINE, step, root=True)] if POINT_BASELINE in squares else []
    if one_ticker:  # what is shown of one ticker is in its prices, as in the score table
        point = [replace(one, ours=float(rmse[model]), theirs=float(rmse[one.baseline])) for one in point]
    spread = [compare(crps, model, name, step) for name in crps.columns if name != model]
    signs = judge_signs(loss_tables.model_rows, step)
    sides = {
        "better": [[one.better.p for one in point], [signs.better.p], [one.better.p for one in spread]],
        "worse": [[one.p_worse for one in point], [signs.p_worse], [one.p_worse for one in spread]],
    }
    better, levels = rejected_in_families(sides["better"], alpha)
    worse, _ = rejected_in_families(sides["worse"], alpha)
    return {
        "point": _point(point, better[0], worse[0], levels[0], findings.PointLabels(model, one_ticker)),
        "direction": _direction(signs, better[1][0], worse[1][0], levels[1], model),
        "distribution": _distribution(spread, better[2], worse[2], levels[2], model)
        | {"log_score": [compare(nll, model, name, step).to_json() for name in nll.columns if name != model]},
    }


def compare(losses: pd.DataFrame, model: str, baseline: str, step: int, root: bool = False) -> Comparison:
    """Test the network's losses against one baseline's, on the cutoffs and tickers that both have.

    Args:
        losses: One column per model, indexed by `cutoff` and `ticker`.
        model: The network.
        baseline: The other.
        step: How many steps ahead.
        root: Show the square roots of the mean losses.
    """
    both = losses[[model, baseline]].dropna()
    complete = len(both) == losses[model].notna().sum()
    dates = both.index.get_level_values("cutoff").to_numpy()
    ours, theirs = (by_date(both[name].to_numpy(np.float64), dates) for name in (model, baseline))
    means = [float(np.mean(part)) if len(part) else math.nan for part in (ours, theirs)]
    mine, other = (math.sqrt(value) for value in means) if root else means
    difference = ours - theirs
    if len(difference) < MIN_OBSERVATIONS:
        nothing = HypothesisTest(math.nan, math.nan, len(difference))
        return Comparison(baseline, mine, other, nothing, math.nan, NO_SKILL, complete)
    if np.abs(difference).max() <= SAME * np.abs(theirs).mean():
        difference = np.zeros_like(difference)
    skill = NO_SKILL
    if theirs.min() >= 0 and theirs.mean() > 0:  # a log score has no zero to take percents of
        skill = (100 * (1 - mine / other), *skill_interval(ours, theirs, step, SKILL_LEVEL, root))
    better = diebold_mariano(difference, step, "less")
    worse = diebold_mariano(difference, step, "greater")
    return Comparison(baseline, mine, other, better, worse.p, skill, complete)


def judge_signs(mine: pd.DataFrame, step: int) -> DirectionTest:
    """Test the network's directions: Pesaran-Timmermann, or by date where steps overlap or tickers are several."""
    moves = (mine["y_true"] - mine["last_close"]).to_numpy(np.float64)
    signs = mine["direction"].to_numpy(np.float64)
    said = (moves != 0) & np.isin(signs, (-1.0, 1.0))
    up, forecast = moves[said] > 0, signs[said] > 0
    always = "" if forecast.min(initial=1) < forecast.max(initial=0) else "up" if forecast.any() else "down"
    if not said.any():
        nothing = HypothesisTest(math.nan, math.nan, 0)
        return DirectionTest(math.nan, math.nan, math.nan, "none", nothing, math.nan, "")
    tickers = mine["ticker"].to_numpy()
    expected_hit_rate, constant = _expected_hit_rate(up, forecast, tickers[said])
    if constant and not always:
        always = "the same"
    shares = float(np.mean(up == forecast)), expected_hit_rate, float(up.mean())
    if step == 1 and mine["ticker"].nunique() == 1:
        tested = (pesaran_timmermann(moves[said], signs[said], side) for side in ("greater", "less"))
        better, worse = tested
        return DirectionTest(*shares, always, better, worse.p, "Pesaran-Timmermann")
    signs = np.where(said, signs, 0.0)
    products = np.zeros(len(moves))
    for ticker in np.unique(tickers):
        of_ticker = tickers == ticker
        products[of_ticker] = direction_products(moves[of_ticker], signs[of_ticker])
    daily = by_date(products, mine["cutoff"].to_numpy())
    if len(daily) < MIN_OBSERVATIONS or not daily.any():
        return DirectionTest(
            *shares, always, HypothesisTest(math.nan, math.nan, len(daily)), math.nan, "by date"
        )
    better = mean_test(daily, step=step, alternative="greater")
    return DirectionTest(
        *shares, always, better, mean_test(daily, step=step, alternative="less").p, "by date"
    )


def _expected_hit_rate(
    up: NDArray[np.bool_], forecast: NDArray[np.bool_], tickers: NDArray[Any]
) -> tuple[float, bool]:
    """Return the share of right signs that luck would get, and whether each ticker is always told the same.

    Luck knows of each ticker how often either side says up, and nothing else.
    """
    right, constant = 0.0, True
    for ticker in np.unique(tickers):
        mine = tickers == ticker
        p, q = up[mine].mean(), forecast[mine].mean()
        right += mine.mean() * (p * q + (1 - p) * (1 - q))
        constant = constant and q in (0.0, 1.0)
    return float(right), constant


def _outcome(better: bool, worse: bool, p: float) -> str:
    return "better" if better else "worse" if worse else "not tested" if math.isnan(p) else "no evidence"


def _point(
    found: list[Comparison], better: list[bool], worse: list[bool], level: float, naming: findings.PointLabels
) -> dict[str, Any]:
    if not found:
        return _untested(sentences.no_point(naming.model))
    (one,) = found
    outcome = _outcome(better[0], worse[0], one.better.p)
    return {
        "verdict": outcome,
        **one.to_json(),
        "level": level,
        "sentence": sentences.point(one, outcome, level, naming),
    }


def _direction(signs: DirectionTest, better: bool, worse: bool, level: float, model: str) -> dict[str, Any]:
    outcome = _outcome(better, worse, signs.better.p)
    return {
        "verdict": outcome,
        "baseline": "luck",
        "score": plain(signs.right),
        "baseline_score": plain(signs.expected_hit_rate),
        "up": plain(signs.up),
        "statistic": plain(signs.better.statistic),
        "p": plain(signs.better.p),
        "p_worse": plain(signs.p_worse),
        "n": signs.better.n,
        "test": signs.test,
        "level": level,
        "sentence": sentences.direction(signs, outcome, level, model),
    }


def _distribution(
    found: list[Comparison], better: list[bool], worse: list[bool], level: float, model: str
) -> dict[str, Any]:
    if not found:
        return _untested(sentences.no_distribution(model))
    # A baseline that a ticker lacks was not scored on the same returns: it is tested, but is not the best.
    best = min(found, key=lambda one: (not one.complete, one.theirs if one.better.n else math.inf))
    partial = [one.baseline for one in found if not one.complete]
    n_tested = sum(not math.isnan(one.better.p) for one in found)
    beaten = [one.baseline for one, rejected in zip(found, better, strict=True) if rejected]
    lost_to = [one for one, rejected in zip(found, worse, strict=True) if rejected]
    # What is lost to most surely is what is told: it may be another one than the best.
    shown = min(lost_to, key=lambda one: (one is not best, one.p_worse)) if lost_to else best
    outcome = _outcome(0 < n_tested == len(beaten), bool(lost_to), best.better.p)
    return {
        "verdict": outcome,
        **shown.to_json(),
        "level": level,
        "beaten": beaten,
        "lost_to": [one.baseline for one in lost_to],
        "comparisons": [one.to_json() for one in found],
        "partial": partial,
        "sentence": sentences.distribution(shown, outcome, beaten, level, model) + sentences.missing(partial),
    }


def _untested(sentence: str) -> dict[str, Any]:
    return {
        "verdict": "not tested",
        "baseline": None,
        "statistic": None,
        "p": None,
        "n": 0,
        "sentence": sentence,
    }
