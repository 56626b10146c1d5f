"""The sentences of a verdict on value at risk and expected shortfall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lstm_stock.scoring.verdict.sentences import names_text, p_text
from lstm_stock.scoring.verdict.thresholds import ALPHA

if TYPE_CHECKING:
    from lstm_stock.scoring.verdict.findings import RiskTests

QUESTION = "Risk: do losses exceed the value at risk as trained as often, and by as much, as it states?"


def risk(found: RiskTests) -> str:
    """State how often and by how much losses exceeded the value at risk, and what is wrong with it."""
    labels = list(found.exceeded)
    shares = names_text([f"{100 * share:.1f}" for share in found.exceeded.values()])
    ratios = names_text([f"{ratio:.2f}" for ratio in found.tail_ratio.values()])
    levels = names_text(labels)
    parts = [
        f"{QUESTION} {'No' if found.faults else 'No fault found'}",
        f"The value at risk at {levels} % is exceeded by {shares} % of the outcomes"
        + _outcome(found, "exceedances", found.exceeded, "too {} at {} %", ("few", "many")),
        "Averaged over all probabilities up to these, as expected shortfall is, it is exceeded "
        f"{ratios} times as often as stated"
        + _outcome(found, "shortfall", found.tail_ratio, "too {} up to {} %", ("rarely", "often")),
        _of_clusters(found),
    ]
    if found.faults:
        parts.append("Do not take these losses as stated")
    return ". ".join(parts)


def no_risk(n: int | None) -> str:
    """State that the tail was not tested: there is no distribution, or it has only `n` cutoffs."""
    why = "the forecast has no distribution" if n is None else f"{n} cutoffs are too few"
    return f"{QUESTION} Not tested: {why}"


def _outcome(
    found: RiskTests, test: str, values: Mapping[str, float], text: str, words: tuple[str, str]
) -> str:
    """Name the probabilities at which a test rejects, or give the least p-value."""
    wrong = [label for label in values if f"{test}_{label}" in found.faults]
    if not wrong:
        least = min(values, key=lambda label: found.results[f"{test}_{label}"].p)
        return f" (least p at {least} %: {_p(f'{test}_{least}', found)})"
    texts = []
    for label in wrong:
        expected = float(label) / 100 if test == "exceedances" else 1.0
        word = words[int(values[label] > expected)]
        texts.append(f"{text.format(word, label)} ({_p(f'{test}_{label}', found)})")
    return f": {names_text(texts)}"


def _of_clusters(found: RiskTests) -> str:
    names = [name for name in found.results if name.startswith("clusters_")]
    least = min(names, key=lambda name: found.results[name].p)
    at = f"at {least.removeprefix('clusters_')} %: {_p(least, found)}"
    if least in found.faults:
        return f"An exceedance changes the probability of the next ({at})"
    return f"No evidence that exceedances follow each other (least p {at})"


def _p(name: str, found: RiskTests) -> str:
    """Format a p-value; explain one that looks significant and is not."""
    p = found.results[name].p
    if p < ALPHA and name not in found.faults:
        return f"{p_text(p)}, not significant after correction for the number of tests"
    return p_text(p)
