"""The results that the verdict's sentences are written from: comparisons, direction, intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lstm_stock.scoring.significance import HypothesisTest
from lstm_stock.scoring.verdict.thresholds import SKILL_LEVEL

NO_SKILL = (math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Comparison:
    """The network against one baseline in one loss.

    Attributes:
        baseline: Its name.
        ours: The network's mean loss, its root if asked.
        theirs: The baseline's.
        better: The test that the network's loss is less.
        p_worse: p-value of its being greater.
        skill: Percent of the loss gained on the baseline, and the ends of its interval; NaN where there is
            none.
        complete: Whether the baseline has forecast wherever the network has.
    """

    baseline: str
    ours: float
    theirs: float
    better: HypothesisTest
    p_worse: float
    skill: tuple[float, float, float]
    complete: bool

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary."""
        skill, low, high = (plain(value) for value in self.skill)
        return {
            "baseline": self.baseline,
            "score": plain(self.ours),
            "baseline_score": plain(self.theirs),
            "skill": skill,
            f"skill_lo_{SKILL_LEVEL}": low,
            f"skill_hi_{SKILL_LEVEL}": high,
            "statistic": plain(self.better.statistic),
            "p": plain(self.better.p),
            "p_worse": plain(self.p_worse),
            "n": self.better.n,
        }


@dataclass(frozen=True)
class DirectionTest:
    """The network's directions: share right, share that luck would get right, and the test on both sides."""

    right: float
    expected_hit_rate: float
    up: float
    always: str
    better: HypothesisTest
    p_worse: float
    test: str


@dataclass(frozen=True)
class PointLabels:
    """What a sentence about the point calls things."""

    model: str
    one_ticker: bool

    @property
    def unit(self) -> str:
        """What the RMSE is in."""
        return "" if self.one_ticker else " % of the price"


def plain(value: float) -> float | None:
    """Return None for what does not apply, as JSON has no NaN."""
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True)
class Interval:
    """What a sentence about the interval tells besides p-values.

    Attributes:
        coverage: Share of outcomes inside.
        calibration: How it was stretched.
        miss_dependence: By how much likelier a miss is after a miss than after a hit.
        tests: Names of the tests of `coverage` and `independence`.
    """

    coverage: float
    calibration: str
    miss_dependence: float
    tests: Mapping[str, str]
