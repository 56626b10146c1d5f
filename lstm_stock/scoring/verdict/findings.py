"""What is judged, and the results that the sentences of a verdict state."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lstm_stock.config.targets import OF_PRICES, Words
from lstm_stock.distributions.base import Array
from lstm_stock.distributions.intervals import Kind
from lstm_stock.scoring.significance import (
    ConsistentTest,
    HypothesisTest,
    smallest_consistent_gain,
    smallest_gain,
)
from lstm_stock.scoring.verdict.thresholds import MIN_WIDTH_SLOPE, POWER, SKILL_LEVEL

NO_SKILL = (math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Subject:
    """The network that is judged.

    Attributes:
        model: Its name in the forecast table; all others are baselines.
        calibration: How its intervals were calibrated.
        followers: The baselines whose volatility follows the market. Only about these does a verdict claim
            anything: a test of mean losses does not hold its size against the others. None: all baselines.
        words: What the series are called.
    """

    model: str
    calibration: Kind = "none"
    followers: Collection[str] | None = None
    words: Words = OF_PRICES

    def is_follower(self, baseline: str) -> bool:
        """Whether the distribution of a baseline is compared with the network's."""
        return baseline != self.model and (self.followers is None or baseline in self.followers)


def untested(n: int) -> HypothesisTest:
    """Return the result of a test that does not apply to `n` observations."""
    return HypothesisTest(math.nan, math.nan, n)


@dataclass(frozen=True)
class Comparison:
    """The network against one baseline in one loss.

    Attributes:
        baseline: Name of the baseline.
        step: Step of the forecasts.
        score: Mean loss of the network, or its square root.
        baseline_score: The same of the baseline.
        difference: Loss of the network less that of the baseline, by date, shape `(n,)`; empty if not tested.
        volatility: Mean log trailing volatility of each date as a volatility, shape `(n,)`; None if the difference
            need not be there on quiet, middle and wild days alike.
        better: Test that the network's loss is less; on all days and, if there is a volatility, on each third.
        worse: Test that the network's loss is greater, likewise.
        skill: Percent by which the network's score is less, and both ends of its interval; NaN without one.
        root: Whether the scores are roots of mean losses.
        complete: Whether the baseline has a loss wherever the network has one.
        infinite: Those of the two models that have an infinite loss, to which no test of means applies.
    """

    baseline: str
    step: int
    score: float
    baseline_score: float
    difference: Array = field(repr=False)
    volatility: Array | None = field(repr=False)
    better: ConsistentTest
    worse: ConsistentTest
    skill: tuple[float, float, float]
    root: bool
    complete: bool
    infinite: tuple[str, ...] = ()

    def smallest_gain(self, alpha: float) -> float:
        """Return the least true skill, percent, that the test at level `alpha` finds with probability `POWER`.

        NaN where nothing was tested, or where no skill below 100 % would have been found.
        """
        if alpha <= 0 or math.isnan(self.better.p) or not self.difference.any():
            return math.nan
        if self.volatility is None:
            gain = smallest_gain(self.difference, alpha, POWER, self.step)
        else:
            gain = smallest_consistent_gain(self.difference, self.volatility, alpha, POWER, self.step)
        mean = self.baseline_score**2 if self.root else self.baseline_score
        share = gain / mean if mean > 0 else math.nan
        if not share < 1:
            return math.nan
        return 100 * (1 - math.sqrt(1 - share)) if self.root else 100 * share

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
            "statistic": plain(self.better.all_days.statistic),
            "p": plain(self.better.all_days.p),
            "p_worse": plain(self.worse.all_days.p),
            "p_thirds": None if self.better.thirds is None else [plain(p) for p in self.better.thirds],
            "volatility_ratio": plain(self.better.volatility_ratio),
            "n": self.n,
        }

    @property
    def n(self) -> int:
        """Number of dates."""
        return self.better.all_days.n


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
class StepTests:
    """The comparisons of one step, before they share a significance level.

    Attributes:
        step: The step.
        point: The point forecast against its baseline; None where one of the two has none.
        direction: The directions.
        crps: The CRPS against each baseline of the claims; empty if the network forecasts no distribution.
        nll: The negative log likelihood, likewise; reported, not part of a claim.
        has_distribution: Whether the network forecasts a distribution.
        width_slope: Slope of the log width of the network's intervals on log trailing volatility; NaN if unknown.
        confidence_set: Models that cannot be distinguished from the best by CRPS; None if there is no such set.
    """

    step: int
    point: Comparison | None
    direction: DirectionTest
    crps: Sequence[Comparison]
    nll: Sequence[Comparison]
    has_distribution: bool
    width_slope: float
    confidence_set: Sequence[str] | None

    @property
    def follows_volatility(self) -> bool:
        """Whether the width of the network's intervals follows volatility; true if that is unknown."""
        return not self.width_slope < MIN_WIDTH_SLOPE


@dataclass(frozen=True)
class CalibrationTests:
    """The tests of the distribution as trained.

    Attributes:
        coverage: Share of outcomes inside each interval, by level; of all outcomes.
        thirds: Share of outcomes inside the 90 % interval in the quiet, middle and wild third of the days, by
            trailing volatility; None if that is unknown.
        miss_dependence: How much likelier a miss of the 90 % interval is after a miss than after a hit.
        results: Results of the tests: `coverage_50` ... `coverage_95`, `volatility`, `independence`, `pit`.
        names: Names of these tests.
        faults: Those of them that reject.
    """

    coverage: Mapping[int, float]
    thirds: Sequence[float] | None
    miss_dependence: float
    results: Mapping[str, HypothesisTest]
    names: Mapping[str, str]
    faults: Sequence[str]


@dataclass(frozen=True)
class RiskTests:
    """The tests of the tail of the distribution as trained, by its probability in percent: `1`, `2.5`, `5`.

    Attributes:
        exceeded: Share of losses beyond the value at risk.
        tail_ratio: How often it is exceeded, relative to what is stated, on average over lower probabilities.
        results: Results of the tests that may find a fault: `exceedances_1`, `clusters_1`, `shortfall_1`, ...
        joint: Exceedances and clusters in one test, `conditional_coverage_1`, ...; reported only.
        faults: Those of `results` that reject.
    """

    exceeded: Mapping[str, float]
    tail_ratio: Mapping[str, float]
    results: Mapping[str, HypothesisTest]
    joint: Mapping[str, HypothesisTest]
    faults: Sequence[str]


def plain(value: float) -> float | None:
    """Return None for a number that is not finite, since JSON has neither NaN nor infinity."""
    return float(value) if math.isfinite(value) else None
