"""Every number that decides what the verdict says."""

from __future__ import annotations

ALPHA = 0.05
"""The chance, at most, that something is claimed of a network that does not have it.

It holds three times over: for all that is said to be better, for all that is said to be worse, and for what
is said against the intervals."""

POINT_BASELINE = "naive"
"""What a point forecast must beat, chosen beforehand: no baseline is better founded."""

LEVEL = 90
"""The interval whose coverage is tested, percent."""

SKILL_LEVEL = 90
"""The bootstrap interval given for a skill, percent: its ends leave 5 % on each side, as one-sided tests do."""

SAME = 1e-12
"""Losses that differ by less than this share of their mean differ by rounding only."""
