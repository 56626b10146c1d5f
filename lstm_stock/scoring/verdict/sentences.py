"""The sentences of a verdict: what was compared, by how much, with which p-value, and what follows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lstm_stock.scoring.significance import MIN_OBSERVATIONS
from lstm_stock.scoring.verdict.findings import IntervalTests, PointLabels
from lstm_stock.scoring.verdict.thresholds import ALPHA, LEVEL

if TYPE_CHECKING:
    from lstm_stock.scoring.lag_copy import LagCopy
    from lstm_stock.scoring.verdict.findings import Comparison, DirectionTest


def p_text(p: float) -> str:
    """Format a p-value.

    >>> p_text(0.0123), p_text(0.41), p_text(0.00004)
    ('p = 0.012', 'p = 0.41', 'p < 0.001')
    """
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def names_text(names: Sequence[str]) -> str:
    """Join names.

    >>> names_text(["naive", "drift", "ewma"])
    'naive, drift and ewma'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def point(found: Comparison, outcome: str, alpha: float, labels: PointLabels) -> str:
    """State how the point forecast compares with its baseline."""
    if found.infinite:
        return f"Point: not tested: {_is_infinite(found, 'RMSE')}"
    digits = 2 if max(found.score, found.baseline_score) >= 10 else 3
    scores = f"RMSE {found.score:.{digits}f} against {found.baseline_score:.{digits}f}{labels.unit}"
    if outcome == "not tested":
        return f"Point: not tested: {_why_not(found)} ({scores})"
    return (
        f"Point: {_claim(outcome, labels.model, found.baseline)} ({scores}, {_p_of(found, outcome, alpha)})"
    )


def no_point(model: str) -> str:
    """State that there is no point to compare."""
    return f"Point: not tested: {model} forecasts no point, or its baseline is missing"


def direction(found: DirectionTest, outcome: str, alpha: float, model: str) -> str:
    """State whether the network predicts the sign of the next move."""
    right = f"right {100 * found.right:.1f} %"
    if found.always == "none":
        return f"Direction: not tested: {model} never leaves the last close, so it forecasts no direction"
    if found.always == "the same":
        return f"Direction: not tested: {model} always forecasts the same direction for each ticker ({right})"
    if found.always:
        return f"Direction: not tested: {model} always forecasts {found.always} ({right})"
    if outcome == "not tested":
        return f"Direction: not tested: {found.better.n} cutoffs are too few ({right})"
    claim = {
        "better": f"{model} predicts it better than chance",
        "worse": f"{model} is wrong more often than by chance",
        "no evidence": f"no evidence that {model} predicts it",
    }[outcome]
    test = "Pesaran-Timmermann " if found.test == "Pesaran-Timmermann" else ""
    p = found.p_worse if outcome == "worse" else found.better.p
    chance = f"by chance {100 * found.expected_hit_rate:.1f} %"
    return f"Direction: {claim} ({right}, {chance}, {test}{p_text(p)}{_shared_alpha(p, outcome, alpha)})"


def distribution(found: Comparison, outcome: str, beaten: Sequence[str], alpha: float, model: str) -> str:
    """State how the distribution compares with the best baseline, and which others it beats."""
    if found.infinite:
        return f"Distribution: not tested: {_is_infinite(found, 'CRPS')}"
    gap = 100 * (found.score / found.baseline_score - 1)
    scores = f"CRPS {found.score:.3f} against {found.baseline_score:.3f}, {gap:+.1f} %"
    if outcome == "not tested":
        return f"Distribution: not tested: {_why_not(found)} ({scores})"
    tested = f"{scores}, {_p_of(found, outcome, alpha)}"
    if outcome == "better":
        return f"Distribution: better than every baseline; against the best, {found.baseline}: {tested}"
    also = f"; better than {names_text(beaten)}" if beaten else ""
    best = "" if outcome == "worse" else ", the best baseline"
    return f"Distribution: {_claim(outcome, model, found.baseline)}{best} ({tested}){also}"


def no_distribution(model: str) -> str:
    """State that there is no distribution to compare."""
    return f"Distribution: not tested: {model} forecasts a point, not a distribution"


def incomplete_baselines(found: Sequence[Comparison]) -> str:
    """Name the baselines that some tickers lack, and those that an infinite CRPS leaves out."""
    partial = [one.baseline for one in found if not one.complete]
    infinite = [one.baseline for one in found if one.infinite == (one.baseline,)]
    text = f"; {names_text(partial)} could not be fitted to every ticker" if partial else ""
    return text + (f"; not compared with {names_text(infinite)}, whose CRPS is infinite" if infinite else "")


def infinite_nll(found: Sequence[Comparison]) -> str:
    """Name the models whose negative log likelihood is infinite."""
    names = list(dict.fromkeys(name for one in found for name in one.infinite))
    return f"; the NLL of {names_text(names)} is infinite: an outcome had a density of 0" if names else ""


def interval(found: IntervalTests) -> str:
    """State whether the interval covers as often as it should, and what is wrong with the distribution if not."""
    text = f"{LEVEL} % interval: covers {100 * found.coverage:.1f} %"
    whose = "" if found.calibration == "none" else "trained "
    pronoun = ""
    if found.calibration == "adaptive":
        text += " (not tested: adaptive intervals reach their level by construction)"
        if not found.results:
            return text
        text += f"; the trained interval covers {100 * found.tested_coverage:.1f} %"
        pronoun = "its "
    if "coverage" in found.faults:
        text += f", which is too {'few' if found.tested_coverage < LEVEL / 100 else 'many'}"
    text += f" ({_test_p('coverage', found)}); "
    if "independence" not in found.faults:
        text += f"no evidence that {pronoun}misses cluster"
    elif found.miss_dependence > 0:
        text += f"{pronoun}misses cluster"
    else:
        text += f"{pronoun}misses avoid each other"
    text += f" ({_test_p('independence', found)})"
    if math.isnan(found.results["pit"].p):
        return text
    shape = (
        "the shape of the {}distribution is wrong"
        if "pit" in found.faults
        else "no fault found in the shape of the {}distribution"
    )
    return f"{text}; {shape.format(whose)} ({_test_p('pit', found)})"


def no_interval(n: int | None) -> str:
    """State that the interval was not tested: there is none, or it has only `n` cutoffs."""
    why = "the forecast has none" if n is None else f"{n} cutoffs are too few"
    return f"{LEVEL} % interval: not tested: {why}"


def lag_of_one(found: LagCopy, model: str) -> str:
    """State how one ticker's point forecast follows the price."""
    if found.kind == "near_last_close":
        return (
            f"Lag: the point forecast of {model} stays near the last close (its moves are "
            f"{100 * found.relative_move:.0f} % of the price's), as it should if the next move cannot be "
            "predicted; plotted, it trails the price by one bar"
        )
    at_zero = f"{round(found.at_zero, 2) + 0.0:.2f}"
    bars = "1 bar" if found.peak_lag == 1 else f"{found.peak_lag} bars"
    past = f"the price changes of {bars} earlier (correlation {found.peak:.2f})"
    explains = f"the last close explains {100 * found.share:.0f} % of its variance"
    if found.kind == "shifted":
        return (
            f"Lag: the point forecast of {model} is an old price, shifted: its changes follow {past}, not those "
            f"it forecasts ({at_zero}); {explains}"
        )
    return (
        f"Lag: the point forecast of {model} is no shifted price: its changes are closest to {past}; with those "
        f"it forecasts the correlation is {at_zero}; {explains}"
    )


def lag_of_many(counts: Mapping[str, int], model: str) -> str:
    """State how the point forecasts of several tickers follow their prices."""
    n = sum(counts.values())
    if n == 0:
        return f"Lag: not tested: too few cutoffs, or no finite point forecast of {model} that changes"
    descriptions = {
        "shifted": "an old price, shifted, in {}",
        "near_last_close": "near the last close in {}, as it should be if the next move cannot be predicted",
        "other": "neither in {}",
    }
    parts = [text.format(counts[kind]) for kind, text in descriptions.items() if counts[kind]]
    return f"Lag: of {n} tickers, the point forecast of {model} is {', '.join(parts)}"


def _claim(outcome: str, model: str, baseline: str) -> str:
    if outcome == "no evidence":
        return f"no evidence that {model} beats {baseline}"
    return f"{outcome} than {baseline}"


def _is_infinite(found: Comparison, score: str) -> str:
    return f"the {score} of {names_text(found.infinite)} is infinite"


def _why_not(found: Comparison) -> str:
    if found.better.n < MIN_OBSERVATIONS:
        return f"{found.better.n} cutoffs are too few"
    return "the difference is the same at every cutoff"


def _p_of(found: Comparison, outcome: str, alpha: float) -> str:
    p = found.p_worse if outcome == "worse" else found.better.p
    return p_text(p) + _shared_alpha(p, outcome, alpha)


def _shared_alpha(p: float, outcome: str, alpha: float) -> str:
    """Explain a p-value that looks significant and is not."""
    if outcome == "no evidence" and p < ALPHA:
        return f", not significant: the questions share {100 * ALPHA:.0f} %, {100 * alpha:.1f} % are for this one"
    return ""


def _test_p(name: str, found: IntervalTests) -> str:
    """Name a test and its p-value; explain one that looks significant and is not."""
    test = {"pit": "PIT "}.get(name, "" if found.names[name] == "by date" else f"{found.names[name]} ")
    p = found.results[name].p
    text = test + p_text(p)
    if p < ALPHA and name not in found.faults:
        n_tests = sum(not math.isnan(one.p) for one in found.results.values())
        text += f", not significant: {n_tests} tests share {100 * ALPHA:.0f} %"
    return text
