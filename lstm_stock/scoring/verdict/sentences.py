"""The sentences of a verdict on skill: each states a question, its answer and the p-value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lstm_stock.config.targets import Words
from lstm_stock.scoring.verdict.thresholds import ALPHA, POWER, SET_LEVEL

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


def point(found: Comparison, outcome: str, alpha: float, model: str, words: Words) -> str:
    """State how the point forecast compares with its baseline."""
    last = f"the last {words.level}"
    asked = f"Point: is the RMSE of {model} lower than that of {found.baseline}, which forecasts {last}?"
    if found.infinite:
        return f"{asked} Not tested: {_is_infinite(found, 'RMSE')}"
    digits = 1 if max(found.score, found.baseline_score) >= 100 else 3
    scores = (
        f"{_with_unit(found.score, digits, words)} against {found.baseline_score:.{digits}f}"
        f"{' %' if words.unit.startswith('%') else ''}{_change(found.score, found.baseline_score)}"
    )
    if outcome == "not tested":
        return f"{asked} Not tested: {_why_not(found)} ({scores})"
    tested = f"{scores}, {_p_of(found, outcome, alpha)}"
    return {
        "better": f"{asked} Yes ({tested})",
        "worse": f"{asked} No, it is higher ({tested}): {last} is the better forecast",
        "no evidence": f"{asked} No evidence ({tested}){_power(found, alpha, words)}",
    }[outcome]


def _with_unit(score: float, digits: int, words: Words) -> str:
    return f"{score:.{digits}f} {words.unit}"


def no_point(model: str) -> str:
    """State that there is no point to compare."""
    return f"Point: not tested: {model} forecasts no point, or its baseline is missing"


def direction(found: DirectionTest, outcome: str, alpha: float, model: str, words: Words) -> str:
    """State whether the network predicts the sign of the next move."""
    asked = f"Direction: does {model} predict rises and falls better than chance?"
    right = f"right {100 * found.right:.1f} %"
    if found.always == "none":
        return f"{asked} Not tested: it never leaves the last {words.level}, so it forecasts no direction"
    if found.always == "the same":
        return f"{asked} Not tested: it always forecasts the same direction for each ticker ({right})"
    if found.always:
        what, share = {"up": ("a rise", found.up), "down": ("a fall", 1 - found.up)}[found.always]
        return f"{asked} Not tested: it always forecasts {what} ({100 * share:.1f} % of the moves were one)"
    if outcome == "not tested":
        return f"{asked} Not tested: {found.better.n} cutoffs are too few ({right})"
    answer = {"better": "Yes", "worse": "No, it is wrong more often than by chance"}.get(
        outcome, "No evidence"
    )
    test = "" if found.test == "by date" else f"{found.test} "
    p = found.p_worse if outcome == "worse" else found.better.p
    chance = f"by chance {100 * found.expected_hit_rate:.1f} %"
    return f"{asked} {answer} ({right}, {chance}, {test}{p_text(p)}{_shared_alpha(p, outcome, alpha)})"


def distribution(
    found: Comparison, outcome: str, beaten: Sequence[str], alpha: float, model: str, words: Words
) -> str:
    """State how the distribution compares with the best baseline, and which others it beats."""
    asked = _asked_of_distribution(model, words)
    if found.infinite:
        return f"{asked} Not tested: {_is_infinite(found, 'CRPS')}"
    scores = (
        f"{found.score:.4f} against {found.baseline_score:.4f} of {found.baseline}, {words.crps_unit}"
        f"{_change(found.score, found.baseline_score)}"
    )
    if outcome == "not tested":
        return f"{asked} Not tested: {_why_not(found)} ({scores})"
    tested = f"{scores}, {_p_of(found, outcome, alpha)}"
    also = f". It is better than {names_text(beaten)}" if beaten else ""
    return {
        "better": f"{asked} Yes, than that of every one; the best: {tested}",
        "worse": f"{asked} No, that of {found.baseline} is lower ({tested}){also}",
        "no evidence": f"{asked} No evidence that it is lower than the best ({tested})"
        f"{_power(found, alpha, words)}{also}",
    }[outcome]


def constant_width(found: Comparison, slope: float, model: str, words: Words) -> str:
    """State that the width of the network's intervals does not follow volatility."""
    return (
        f"{_asked_of_distribution(model, words)} Not tested: the width of its intervals does not follow "
        f"volatility (a volatility twice as high makes them {2**slope:.2f} times as wide), so that a test could "
        "not be trusted; "
        f"CRPS {found.score:.4f} against {found.baseline_score:.4f} of {found.baseline}"
    )


def _asked_of_distribution(model: str, words: Words) -> str:
    return (
        f"Distribution: is the CRPS of {model}, the error of its whole distribution, lower than that of "
        f"{words.rivals}?"
    )


def no_distribution(model: str, has_distribution: bool) -> str:
    """State that there is no distribution to compare, or no baseline of the claims."""
    why = (
        "there is no baseline with changing volatility"
        if has_distribution
        else f"{model} forecasts a point, not a distribution"
    )
    return f"Distribution: not tested: {why}"


def confidence_set(names: Sequence[str] | None, model: str) -> str:
    """State which of the models compared may be the best; empty if nothing was tested."""
    if names is None:
        return ""
    others = [name for name in names if name != model]
    first = [model] if model in names else []
    one_of = "one of " if len(names) > 1 else ""
    excluded = "" if first else f", not {model}"
    return (
        f". With {SET_LEVEL} % confidence, the best of these models is {one_of}{names_text([*first, *others])}"
        f"{excluded}"
    )


def incomplete_baselines(found: Sequence[Comparison]) -> str:
    """Name the baselines that some tickers lack, and those that an infinite CRPS leaves out."""
    partial = [one.baseline for one in found if not one.complete]
    infinite = [one.baseline for one in found if one.infinite == (one.baseline,)]
    text = f". {names_text(partial)} could not be fitted to every ticker" if partial else ""
    return text + (f". Not compared with {names_text(infinite)}, whose CRPS is infinite" if infinite else "")


def infinite_nll(found: Sequence[Comparison]) -> str:
    """Name the models whose negative log likelihood is infinite."""
    names = list(dict.fromkeys(name for one in found for name in one.infinite))
    return f". The NLL of {names_text(names)} is infinite: an outcome had a density of 0" if names else ""


def lag_of_one(found: LagCopy, model: str, words: Words) -> str:
    """State how one ticker's point forecast follows the price."""
    last, thing, step = f"the last {words.level}", words.thing, words.steps
    if found.kind == "near_last_close":
        return (
            f"Lag: the point forecast of {model} stays near {last} (its moves are "
            f"{100 * found.relative_move:.0f} % as large as the {thing}'s), as it should if the next move cannot "
            f"be predicted; plotted, it trails the {thing} by one {step.removesuffix('s')}"
        )
    at_zero = f"{round(found.at_zero, 2) + 0.0:.2f}"
    bars = f"1 {step.removesuffix('s')}" if found.peak_lag == 1 else f"{found.peak_lag} {step}"
    past = f"the {thing} changes of {bars} earlier (correlation {found.peak:.2f})"
    explains = f"{last} explains {100 * found.share:.0f} % of its variance"
    if found.kind == "shifted":
        return (
            f"Lag: the point forecast of {model} is an old {thing}, shifted: its changes follow {past}, not those "
            f"it forecasts ({at_zero}); {explains}"
        )
    return (
        f"Lag: the point forecast of {model} is no shifted {thing}: its changes are closest to {past}; with those "
        f"it forecasts the correlation is {at_zero}; {explains}"
    )


def lag_of_many(counts: Mapping[str, int], model: str, words: Words) -> str:
    """State how the point forecasts of several tickers follow their prices."""
    n = sum(counts.values())
    if n == 0:
        return f"Lag: not tested: too few cutoffs, or no finite point forecast of {model} that changes"
    descriptions = {
        "shifted": f"an old {words.thing}, shifted, in {{}}",
        "near_last_close": f"near the last {words.level} in {{}}, as it should be if the next move cannot be "
        "predicted",
        "other": "neither in {}",
    }
    parts = [text.format(counts[kind]) for kind, text in descriptions.items() if counts[kind]]
    return f"Lag: of {n} tickers, the point forecast of {model} is {', '.join(parts)}"


def _change(score: float, baseline_score: float) -> str:
    if not baseline_score > 0:
        return ""
    gap = 100 * (score / baseline_score - 1)
    return f", {abs(gap):.2f} % {'lower' if gap < 0 else 'higher'}"


def _power(found: Comparison, alpha: float, words: Words) -> str:
    """State the smallest gain that the test period could have shown."""
    gain = found.smallest_gain(alpha)
    if math.isnan(gain):
        return ""
    odds = f"{100 * POWER:.0f} % probability"
    return (
        f". These {found.n} {words.dates} show a true reduction of {gain:.2g} % with {odds}, a smaller one less "
        "often"
    )


def _is_infinite(found: Comparison, score: str) -> str:
    return f"the {score} of {names_text(found.infinite)} is infinite"


def _why_not(found: Comparison) -> str:
    if len(found.difference) == 0:
        return f"{found.n} cutoffs are too few"
    return "the difference is the same at every cutoff"


def _p_of(found: Comparison, outcome: str, alpha: float) -> str:
    test = found.worse if outcome == "worse" else found.better
    p = test.all_days.p
    if outcome == "no evidence" and p < alpha and not test.has_seen_change:
        return f"{p_text(p)}, not claimed: volatility hardly changed in the test period"
    if outcome == "no evidence" and p < alpha and not test.is_consistent:
        return f"{p_text(p)}, not claimed: the difference is not there on quiet, middle and wild days alike"
    return p_text(p) + _shared_alpha(p, outcome, alpha)


def _shared_alpha(p: float, outcome: str, alpha: float) -> str:
    """Explain a p-value that looks significant and is not."""
    if outcome == "no evidence" and p < ALPHA:
        share = f"all questions share {100 * ALPHA:.0f} %, the tests of this one {100 * alpha:.1f} %"
        return f", not significant: {share}"
    return ""
