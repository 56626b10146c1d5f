"""A verdict in a few words; apart from its computation, which loads scipy, so that a forecast need not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

QUESTIONS = ("point", "direction", "distribution")
"""The questions in which a network is compared with the baselines."""


def is_worse(verdict: Mapping[str, Any]) -> bool:
    """Return whether a network was worse than the baselines in a question, at the first step or the last."""
    steps = (verdict, verdict.get("last") or {})
    return any(step.get(name, {}).get("verdict") == "worse" for step in steps for name in QUESTIONS)


def short_verdict(verdict: dict[str, Any]) -> str:
    """Summarise a verdict in the few words that a list of runs has room for.

    >>> claim = {"verdict": "no evidence"}
    >>> short_verdict({"point": {"verdict": "worse"}, "direction": claim, "distribution": {"verdict": "better"}})
    'better distribution, worse point'
    >>> short_verdict({"point": claim, "direction": claim, "distribution": claim})
    'no evidence'
    >>> short_verdict({"point": claim, "calibration": {"verdict": "miscalibrated"}})
    'no evidence, miscalibrated'
    >>> short_verdict({"point": claim, "risk": {"verdict": "miscalibrated"}})
    'no evidence, wrong tail'
    >>> short_verdict({"point": claim, "last": {"step": 5, "point": {"verdict": "worse"}}})
    'worse point at step 5'
    """
    parts = []
    last = verdict.get("last", {})
    for outcome in ("better", "worse"):
        names = [name for name in QUESTIONS if verdict.get(name, {}).get("verdict") == outcome]
        later = [name for name in QUESTIONS if last.get(name, {}).get("verdict") == outcome]
        if names:
            parts.append(f"{outcome} {' and '.join(names)}")
        if later and later != names:
            parts.append(f"{outcome} {' and '.join(later)} at step {last['step']}")
    if not parts and verdict:
        parts.append("no evidence")
    for section, words in (("calibration", "miscalibrated"), ("risk", "wrong tail")):
        wrong = [one for one in (verdict, last) if one.get(section, {}).get("verdict") == "miscalibrated"]
        if wrong:
            parts.append(words if wrong[0] is verdict else f"{words} at step {last['step']}")
            break
    return ", ".join(parts) or "-"
