"""The three questions about skill, and how they share one significance level.

Each baseline's comparison is a null hypothesis of its own: 'the network is no better than this one'. 'Better than
every baseline' is claimed only if all of them are rejected, so the best baseline need not be chosen on the test
set before it is tested against. A difference in CRPS counts only if quiet, middle and wild days show it
(`significance.consistency`), and only a network whose width follows volatility can be better.

Each question at each step is a family, and the families share `alpha`. Each uses its part by Hommel's rule, and
one that is rejected whole passes its part on (`significance.rejected_in_families`). Claims of 'worse' are tested
in the same way on the other side, with an `alpha` of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lstm_stock.scoring.significance import rejected_in_families
from lstm_stock.scoring.verdict import sentences
from lstm_stock.scoring.verdict.comparisons import compare_step
from lstm_stock.scoring.verdict.findings import Comparison, DirectionTest, StepTests, Subject, plain
from lstm_stock.scoring.verdict.loss_tables import LossTables


@dataclass(frozen=True)
class _Rejected:
    """Which hypotheses of one step are rejected on one side, by question."""

    point: bool
    direction: bool
    crps: list[bool]


def judge_claims(
    by_step: Mapping[int, LossTables], subject: Subject, alpha: float
) -> dict[int, dict[str, Any]]:
    """Answer the three questions at every step.

    Args:
        by_step: The losses of each step that is judged, of one ticker or several.
        subject: The network.
        alpha: The significance level that the questions share, at all steps together.

    Returns:
        By step: `point`, `direction` and `distribution`, as `lstm_stock.scoring.verdict.judge` describes them.
    """
    tests = [compare_step(loss_tables, subject) for loss_tables in by_step.values()]
    better, levels = _reject([_p_better(one) for one in tests], alpha)
    worse, _ = _reject([_p_worse(one) for one in tests], alpha)
    return {
        of_step.step: {
            "point": _point(of_step.point, rejected.point, lost.point, level[0], subject),
            "direction": _direction(of_step.direction, rejected.direction, lost.direction, level[1], subject),
            "distribution": _distribution(of_step, rejected.crps, lost.crps, level[2], subject),
        }
        for of_step, rejected, lost, level in zip(tests, better, worse, levels, strict=True)
    }


@dataclass(frozen=True)
class _PValues:
    """One-sided p-values of one step, by question; NaN where a test does not apply."""

    point: float
    direction: float
    crps: list[float]


def _p_better(tests: StepTests) -> _PValues:
    # A network whose width does not follow volatility cannot be called better: no test holds its size then.
    crps = [one.better.p if tests.follows_volatility else math.nan for one in tests.crps]
    return _PValues(math.nan if tests.point is None else tests.point.better.p, tests.direction.better.p, crps)


def _p_worse(tests: StepTests) -> _PValues:
    point = math.nan if tests.point is None else tests.point.worse.p
    return _PValues(point, tests.direction.p_worse, [one.worse.p for one in tests.crps])


def _reject(by_step: Sequence[_PValues], alpha: float) -> tuple[list[_Rejected], list[list[float]]]:
    """Return, for each step, what is rejected, and the significance level of each question."""
    families = [family for one in by_step for family in ([one.point], [one.direction], one.crps)]
    rejected, levels = rejected_in_families(families, alpha)
    of_steps = [
        _Rejected(point[0], direction[0], crps)
        for point, direction, crps in zip(rejected[::3], rejected[1::3], rejected[2::3], strict=True)
    ]
    return of_steps, [levels[i : i + 3] for i in range(0, len(levels), 3)]


def _outcome(better: bool, worse: bool, p: float) -> str:
    return "better" if better else "worse" if worse else "not tested" if math.isnan(p) else "no evidence"


def _point(
    found: Comparison | None, better: bool, worse: bool, alpha: float, subject: Subject
) -> dict[str, Any]:
    if found is None:
        return _no_comparison(sentences.no_point(subject.model))
    outcome = _outcome(better, worse, found.better.p)
    return {
        "verdict": outcome,
        **found.to_json(),
        "level": alpha,
        "smallest_gain": plain(found.smallest_gain(alpha)),
        "sentence": sentences.point(found, outcome, alpha, subject.model, subject.words),
    }


def _direction(
    found: DirectionTest, better: bool, worse: bool, alpha: float, subject: Subject
) -> dict[str, Any]:
    outcome = _outcome(better, worse, found.better.p)
    return {
        "verdict": outcome,
        "baseline": "chance",
        "score": plain(found.right),
        "baseline_score": plain(found.expected_hit_rate),
        "up": plain(found.up),
        "statistic": plain(found.better.statistic),
        "p": plain(found.better.p),
        "p_worse": plain(found.p_worse),
        "n": found.better.n,
        "test": found.test,
        "level": alpha,
        "sentence": sentences.direction(found, outcome, alpha, subject.model, subject.words),
    }


def _distribution(
    tests: StepTests, better: list[bool], worse: list[bool], alpha: float, subject: Subject
) -> dict[str, Any]:
    found, model, words = tests.crps, subject.model, subject.words
    if not found:
        return _no_comparison(sentences.no_distribution(model, tests.has_distribution))

    # A baseline that a ticker lacks is scored on other returns: it is tested, but is not called the best.
    def rank(one: Comparison) -> tuple[bool, float]:
        comparable = one.n > 0 and math.isfinite(one.baseline_score)
        return not one.complete, one.baseline_score if comparable else math.inf

    best = min(found, key=rank)
    tested = [one for one in found if tests.follows_volatility and not math.isnan(one.better.p)]
    beaten = [one.baseline for one, rejected in zip(found, better, strict=True) if rejected]
    lost_to = [one for one, rejected in zip(found, worse, strict=True) if rejected]
    # If the network is worse, the sentence names the best baseline, or the one with the least p-value.
    shown = min(lost_to, key=lambda one: (one is not best, one.worse.p)) if lost_to else best
    p = best.better.p if tests.follows_volatility else math.nan
    outcome = _outcome(0 < len(tested) == len(beaten), bool(lost_to), p)
    sentence = (
        sentences.distribution(shown, outcome, beaten, alpha, model, words)
        if tests.follows_volatility or lost_to or math.isnan(best.better.p)
        else sentences.constant_width(shown, tests.width_slope, model, words)
    )
    return {
        "verdict": outcome,
        **shown.to_json(),
        "level": alpha,
        "smallest_gain": plain(shown.smallest_gain(alpha)),
        "width_slope": plain(tests.width_slope),
        "beaten": beaten,
        "lost_to": [one.baseline for one in lost_to],
        "comparisons": [one.to_json() for one in found],
        "partial": [one.baseline for one in found if not one.complete],
        "confidence_set": None if tests.confidence_set is None else list(tests.confidence_set),
        "log_score": [one.to_json() for one in tests.nll],
        "sentence": sentence
        + sentences.confidence_set(tests.confidence_set, model)
        + sentences.incomplete_baselines(found)
        + sentences.infinite_nll(tests.nll),
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
