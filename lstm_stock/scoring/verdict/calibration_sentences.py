"""The sentences of a verdict on the trained distribution and on the intervals shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lstm_stock.distributions.intervals import LEVELS
from lstm_stock.scoring.verdict.sentences import names_text, p_text
from lstm_stock.scoring.verdict.thresholds import ALPHA, LEVEL

if TYPE_CHECKING:
    from lstm_stock.distributions.intervals import Kind
    from lstm_stock.scoring.verdict.findings import CalibrationTests

QUESTION = "Calibration: do the intervals as trained contain as many outcomes as they state?"


def calibration(found: CalibrationTests) -> str:
    """State the coverage of the trained distribution, and what is wrong with it."""
    levels = names_text([str(level) for level in found.coverage])
    shares = names_text([f"{100 * share:.1f}" for share in found.coverage.values()])
    parts = [
        f"{QUESTION} {'No' if found.faults else 'No fault found'}",
        f"The {levels} % intervals contain {shares} % of the outcomes{_of_levels(found)}",
    ]
    if found.thirds is not None:
        parts.append(_of_volatility(found, found.thirds))
    if "independence" in found.results:
        parts.append(_of_misses(found))
    if not math.isnan(found.results["pit"].p):
        shape = "The shape is wrong" if "pit" in found.faults else "No fault in the shape"
        parts.append(f"{shape} (PIT, {_p('pit', found)})")
    if found.faults:
        parts.append("Do not take these probabilities as stated")
    return ". ".join(parts)


def no_calibration(n: int | None) -> str:
    """State that the distribution was not tested: there is none, or it has only `n` cutoffs."""
    why = "the forecast has no distribution" if n is None else f"{n} cutoffs are too few"
    return f"{QUESTION} Not tested: {why}"


def intervals(coverage: float | None, kind: Kind) -> str:
    """State what the 90 % interval shown covers.

    Args:
        coverage: Share of outcomes inside it; None without one.
        kind: How it was calibrated.
    """
    if coverage is None:
        return "Intervals shown: none"
    contains = f"the {LEVEL} % interval contains {100 * coverage:.1f} % of the outcomes"
    return {
        "none": f"Intervals shown: as trained; {contains}",
        "conformal": f"Intervals shown: scaled to the coverage of the val period; {contains}",
        "adaptive": f"Intervals shown: after `calibration: adaptive`, {contains}. A miss widens the next ones and "
        "a hit narrows them, so this coverage is no evidence about the network",
    }[kind]


def _of_levels(found: CalibrationTests) -> str:
    wrong = [level for level in LEVELS if f"coverage_{level}" in found.faults]
    if not wrong:
        least = min(LEVELS, key=lambda level: found.results[f"coverage_{level}"].p)
        return f" (least p at {least} %: {_p(f'coverage_{least}', found)})"
    texts = []
    for level in wrong:
        few = found.coverage[level] < level / 100
        texts.append(f"too {'few' if few else 'many'} at {level} % ({_p(f'coverage_{level}', found)})")
    return f": {names_text(texts)}"


def _of_volatility(found: CalibrationTests, thirds: Sequence[float]) -> str:
    shares = names_text([f"{100 * share:.0f}" for share in thirds])
    text = f"On quiet, middle and wild days the {LEVEL} % interval contains {shares} %"
    if math.isnan(found.results["volatility"].p):
        return text
    p = _p("volatility", found)
    if "volatility" not in found.faults:
        return f"{text}; no evidence that coverage depends on volatility ({p})"
    text += f"; coverage, of all four levels, depends on volatility ({p})"
    # A wrong level changes the test, too: only a right one leaves volatility as the reason.
    return (
        text if f"coverage_{LEVEL}" in found.faults else f"{text}: the width does not follow it as it should"
    )


def _of_misses(found: CalibrationTests) -> str:
    if "independence" not in found.faults:
        return f"No evidence that misses follow each other ({_p('independence', found)})"
    kind = "follow" if found.miss_dependence > 0 else "avoid"
    return f"Misses {kind} each other ({_p('independence', found)})"


def _p(name: str, found: CalibrationTests) -> str:
    """Format a p-value; explain one that looks significant and is not."""
    p = found.results[name].p
    if p < ALPHA and name not in found.faults:
        return f"{p_text(p)}, not significant after correction for the number of tests"
    return p_text(p)
