"""Every number that decides what the verdict says."""

from __future__ import annotations

ALPHA = 0.05
"""Probability, at most, of a false claim about the network.

It holds for three groups of claims, each by itself: that something is better, that something is worse, and that
the forecasts are miscalibrated."""

POINT_BASELINE = "naive"
"""The baseline that a point forecast is compared with. It is fixed beforehand, not chosen by its score."""

LEVEL = 90
"""The interval whose clusters of misses, and whose coverage on quiet and wild days, are reported, percent."""

SKILL_LEVEL = 90
"""The bootstrap interval of a skill, percent: it leaves 5 % on each side, as the one-sided tests do."""

SET_LEVEL = 90
"""The model confidence set holds the best model with this probability, percent."""

POWER = 0.8
"""The smallest gain that a test period can show is the one found with this probability."""

MIN_WIDTH_SLOPE = 1 / 3
"""Least slope of the log width of intervals on log trailing volatility with which a network can be called better.

Against a network of almost constant width no test of mean losses holds its size. The slope of the true volatility
is about 0.8; in 700 days of it 5 % of the slopes are below 0.6, in 250 days below 0.3."""

MAX_LOSS = 1e150
"""A loss above this is treated as infinite, since its square overflows."""

SAME = 1e-12
"""Losses that differ by less than this share of their mean differ by rounding alone."""
