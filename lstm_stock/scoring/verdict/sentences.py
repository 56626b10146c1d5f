"""The sentences of a verdict: what was compared, by how much, with which p-value, and what follows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lstm_stock.scoring.verdict.findings import Interval, PointLabels
from lstm_stock.scoring.verdict.thresholds import ALPHA, LEVEL

if TYPE_CHECKING:
    from lstm_stock.scoring.lag_copy import LagCopy
    from lstm_stock.scoring.significance import HypothesisTest
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


def point(found: Comparison, outcome: str, level: float, naming: PointLabels) -> str:
    """Say how the point stands against its baseline."""
    digits = 2 if max(found.ours, found.theirs) >= 10 else 3
    scores = f"RMSE {found.ours:.{digits}f} against {found.theirs:.{digits}f}{naming.unit}"
    if outcome == "not tested":
        return f"Point: not tested, {found.better.n} cutoffs are too few ({scores})"
    return (
        f"Point: {_claim(outcome, naming.model, found.baseline)} ({scores}, {_p_of(found, outcome, level)})"
    )


def no_point(model: str) -> str:
    """Say that no point was compared."""
    return f"Point: not tested: {model} forecasts no point, or its baseline is missing"


def direction(signs: DirectionTest, outcome: str, level: float, model: str) -> str:
    """Say whether the signs know anything."""
    if signs.always == "none":
        return f"Direction: not tested: {model} never leaves the last close, so it names no direction"
    shares = f"right {100 * signs.right:.1f} %"
    if signs.always:
        what = "the same of each ticker" if signs.always == "the same" else signs.always
        return f"Direction: not tested: {model} always says {what}, which knows nothing ({shares})"
    if outcome == "not tested":
        return f"Direction: not tested, {signs.better.n} cutoffs are too few ({shares})"
    said = {
        "better": f"{model} knows something of it",
        "worse": f"{model} is wrong more often than luck would be",
        "no evidence": f"no evidence that {model} knows it",
    }[outcome]
    test = "Pesaran-Timmermann " if signs.test == "Pesaran-Timmermann" else ""
    p = signs.p_worse if outcome == "worse" else signs.better.p
    short = _short_of(p, outcome, level)
    return (
        f"Direction: {said} ({shares}, luck {100 * signs.expected_hit_rate:.1f} %, {test}{p_text(p)}{short})"
    )


def distribution(found: Comparison, outcome: str, beaten: Sequence[str], level: float, model: str) -> str:
    """Say how the distribution stands against the best baseline, and which others it beats."""
    gap = 100 * (found.ours / found.theirs - 1)
    scores = f"CRPS {found.ours:.3f} against {found.theirs:.3f}, {gap:+.1f} %"
    if outcome == "not tested":
        return f"Distribution: not tested, {found.better.n} cutoffs are too few ({scores})"
    tested = f"{scores}, {_p_of(found, outcome, level)}"
    if outcome == "better":
        return f"Distribution: better than every baseline; against the best, {found.baseline}: {tested}"
    also = f"; better than {names_text(beaten)}" if beaten else ""
    best = "" if outcome == "worse" else ", the best baseline"
    return f"Distribution: {_claim(outcome, model, found.baseline)}{best} ({tested}){also}"


def no_distribution(model: str) -> str:
    """Say that there is no distribution."""
    return f"Distribution: not tested: {model} forecasts a point and claims no distribution"


def missing(partial: Sequence[str]) -> str:
    """Name the baselines that some tickers lack."""
    return f"; {names_text(partial)} could not be fitted to every ticker" if partial else ""


def calibration(interval: Interval, found: Mapping[str, HypothesisTest], faults: Sequence[str]) -> str:
    """Say whether the interval holds as often as it says, and what is wrong with the distribution if not."""
    holds = f"covers {100 * interval.coverage:.1f} %"
    if interval.calibration == "adaptive":
        holds += ", kept there by its own hits and misses and so not tested"
    else:
        holds += f" ({_test_p('coverage', interval, found, faults)})"
    if "coverage" in faults:
        holds += ", which is too " + ("few" if interval.coverage < LEVEL / 100 else "many")
    clusters = "no evidence that misses cluster"
    if "independence" in faults:
        clusters = "misses " + ("come in clusters" if interval.miss_dependence > 0 else "avoid each other")
    clusters += f" ({_test_p('independence', interval, found, faults)})"
    whose = "its" if interval.calibration == "none" else "the trained distribution's"
    shape = f"{whose} shape is wrong" if "pit" in faults else f"no fault seen in {whose} shape"
    shown = "" if math.isnan(found["pit"].p) else f"; {shape} ({_test_p('pit', interval, found, faults)})"
    return f"{LEVEL} % interval: {holds}; {clusters}{shown}"


def _test_p(name: str, interval: Interval, found: Mapping[str, HypothesisTest], faults: Sequence[str]) -> str:
    """Name the test and its p-value; one that looks small and finds no fault is explained."""
    test = "PIT" if name == "pit" else interval.tests[name]
    p = found[name].p
    n_tests = sum(not math.isnan(one.p) for one in found.values())
    shared = (
        f", of {n_tests} tests that share {100 * ALPHA:.0f} %" if p < ALPHA and name not in faults else ""
    )
    return ("" if test == "by date" else f"{test} ") + p_text(p) + shared


def no_calibration(n: int | None) -> str:
    """Say that the intervals were not tested: for there is none, or only `n` of them."""
    why = "there is none" if n is None else f"{n} cutoffs are too few"
    return f"{LEVEL} % interval: not tested: {why}"


def lag_of_one(found: LagCopy, model: str) -> str:
    """Say how one ticker's point forecast follows the price."""
    share, zero = f"{100 * found.share:.0f} %", f"{round(found.at_zero, 2) + 0.0:.2f}"
    if found.kind == "stays":
        return (
            f"Lag: the point of {model} stays at the last close (its moves are "
            f"{100 * found.relative_move:.0f} % of the price's), as it should where the next move is not known; "
            "drawn as a curve, it trails the price by a bar"
        )
    bars = "1 bar" if found.peak_lag == 1 else f"{found.peak_lag} bars"
    follows = f"the price's of {bars} ago (correlation {found.peak:.2f})"
    explains = f"the last close explains {share} of its variance"
    if found.kind == "copy":
        return (
            f"Lag: the point of {model} is an old price, shifted: its changes go with {follows}, not with those "
            f"it forecasts ({zero}); {explains}"
        )
    return (
        f"Lag: the point of {model} is no shifted price: its changes go best with {follows}, with those it "
        f"forecasts by {zero}; {explains}"
    )


def lag_of_many(counts: Mapping[str, int], model: str) -> str:
    """Say how the point forecasts of several tickers follow their prices."""
    n = sum(counts.values())
    if n == 0:
        return f"Lag: not looked at: too few cutoffs, or no point of {model} that ever changes"
    parts = {
        "copy": "an old price, shifted",
        "stays": "at the last close, as it should be where the next move is not known",
        "other": "neither",
    }
    said = [f"in {counts[kind]} {what}" for kind, what in parts.items() if counts[kind]]
    return f"Lag: of {n} tickers, the point of {model} is {', '.join(said)}"


def _claim(outcome: str, model: str, baseline: str) -> str:
    if outcome == "no evidence":
        return f"no evidence that {model} beats {baseline}"
    return f"{outcome} than {baseline}"


def _p_of(found: Comparison, outcome: str, level: float) -> str:
    p = found.p_worse if outcome == "worse" else found.better.p
    return p_text(p) + _short_of(p, outcome, level)


def _short_of(p: float, outcome: str, level: float) -> str:
    """Explain a p-value that looks small and claims nothing."""
    if outcome == "no evidence" and p < ALPHA:
        return f", where several questions share {100 * ALPHA:.0f} % and this one may use {100 * level:.1f} %"
    return ""
