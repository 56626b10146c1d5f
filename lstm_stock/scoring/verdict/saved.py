"""Verdicts of runs saved by older versions, in the terms of this one."""

from __future__ import annotations

import re
from typing import Any

OLD_KINDS = {"stays": "near_last_close", "copy": "shifted"}
"""Kinds of `lag_copy` that had another name."""


def read_verdict(saved: dict[str, Any]) -> dict[str, Any]:
    """Return a saved verdict in the terms of this version.

    Older versions tested whether the misses of adaptive intervals cluster. Such misses avoid each other by
    construction, so a fault that this test alone found is withdrawn.

    Args:
        saved: The verdict of `scores.json`; empty in a run without one.
    """
    verdict = dict(saved)
    if "lag_copy" in verdict:
        verdict["lag_copy"] = _lag_copy(verdict["lag_copy"])
    if "calibration" in verdict:
        verdict["calibration"] = _calibration(verdict["calibration"])
    if "tickers" in verdict:
        verdict["tickers"] = {name: read_verdict(one) for name, one in verdict["tickers"].items()}
    return verdict


def _lag_copy(saved: dict[str, Any]) -> dict[str, Any]:
    found = dict(saved)
    if "kind" in found:
        found["kind"] = OLD_KINDS.get(found["kind"], found["kind"])
    if "kinds" in found:
        found["kinds"] = {OLD_KINDS.get(kind, kind): n for kind, n in found["kinds"].items()}
    return found


def _calibration(saved: dict[str, Any]) -> dict[str, Any]:
    # Only of adaptive intervals was the coverage not tested while the independence of misses was.
    coverage = saved.get("tests", {}).get("coverage")  # a later version has a test for each level
    adaptive = coverage is not None and coverage["p"] is None
    if not adaptive or "independence" not in saved["faults"]:
        return saved
    faults = [name for name in saved["faults"] if name != "independence"]
    sentence = re.sub(r"; misses (come in clusters|avoid each other) \([^)]*\)", "", saved["sentence"])
    outcome = "miscalibrated" if faults else "no evidence"
    return {**saved, "verdict": outcome, "faults": faults, "sentence": sentence}
