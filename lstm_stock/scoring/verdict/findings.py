"""The results that the verdict's sentences state: comparisons of losses, direction, intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lstm_stock.scoring.significance import HypothesisTest
from lstm_stock.scoring.verdict.thresholds import SKILL_LEVEL

NO_SKILL = (math.nan, math.nan, math.nan)


def untested(n: int) -> HypothesisTest:
    """Return the result of a test that does not apply to `n` observations."""
    return HypothesisTest(math.nan, math.nan, n)


@dataclass(frozen=True)
class Comparison:
    """The network against one baseline in one loss.

    Attributes:
        baseline: Name of the baseline.
        score: Mean loss of the network, or its square root.
        baseline_score: The same of the baseline.
        better: Test that the network's loss is less.
        p_worse: p-value of the test that the network's loss is greater.
        skill: Percent by which the network's loss is less, and both ends of its interval; NaN without one.
        complete: Whether the baseline has a loss wherever the network has one.
        infinite: Those of the two models that have an infinite loss, to which no test of means applies.
    """

    baseline: str
    score: float
    baseline_score: float
    better: HypothesisTest
    p_worse: float
    skill: tuple[float, float, float]
    complete: bool
    infinite: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary."""
        skill, low, high = (plain(value) for value in self.skill)
        return {
            "baseline": self.baseline,
            "score": plain(self.score),
            "baseline_score": plain(self.baseline_score),
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
    """The network's directions.

    Attributes:
        right: Share of right signs.
        expected_hit_rate: Share of right signs expected by chance.
        up: Share of rises among the outcomes.
        always: What the network always forecasts: `up`, `down`, `the same` for each ticker, `none`; empty if
            its direction changes.
        better: Test that the signs are right more often than by chance.
        p_worse: p-value of the test that they are wrong more often.
        test: Name of the test.
    """

    right: float
    expected_hit_rate: float
    up: float
    always: str
    better: HypothesisTest
    p_worse: float
    test: str


@dataclass(frozen=True)
class PointLabels:
    """Names in the sentence about the point: the model's, and the unit of its RMSE."""

    model: str
    one_ticker: bool

    @property
    def unit(self) -> str:
        """Unit of the RMSE; empty for prices."""
        return "" if self.one_ticker else " % of the price"


@dataclass(frozen=True)
class IntervalTests:
    """The tests of an interval and of the distribution that it comes from.

    Attributes:
        coverage: Share of outcomes inside the reported interval.
        calibration: How the reported interval was calibrated: `none`, `conformal` or `adaptive`.
        tested_coverage: Share of outcomes inside the interval tested: the reported one, or, if that is adaptive,
            the trained one. NaN if no test applies.
        miss_dependence: How much likelier a miss of that interval is after a miss than after a hit.
        results: Results of the tests `coverage`, `independence` and `pit`; empty if none applies.
        names: Names of these tests.
        faults: Those of them that reject.
    """

    coverage: float
    calibration: str
    tested_coverage: float = math.nan
    miss_dependence: float = 0.0
    results: Mapping[str, HypothesisTest] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[str] = ()


def plain(value: float) -> float | None:
    """Return None for a number that is not finite, since JSON has neither NaN nor infinity."""
    return float(value) if math.isfinite(value) else None
