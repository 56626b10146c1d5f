"""Every number that decides what the verdict says."""

from __future__ import annotations

ALPHA = 0.05
"""Probability, at most, of a false claim about the network.

It holds for three groups of claims, each by itself: that something is better, that something is worse, and that
the intervals are miscalibrated."""

POINT_BASELINE = "naive"
"""The baseline that a point forecast is compared with. It is fixed beforehand, not chosen by its score."""

LEVEL = 90
"""The interval whose coverage is tested, percent."""

SKILL_LEVEL = 90
"""The bootstrap interval of a skill, percent: it leaves 5 % on each side, as the one-sided tests do."""

MAX_LOSS = 1e150
"""A loss above this is treated as infinite, since its square overflows."""

SAME = 1e-12
"""Losses that differ by less than this share of their mean differ by rounding alone."""
