"""Reliability of a probability: Brier score, its decomposition, and how often what it forecasts happens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_stock.distributions.base import Array

N_BINS = 10
"""Greatest number of bins, each with about as many forecasts."""

N_RESAMPLES = 1000
"""Resamples of the consistency bars."""


@dataclass(frozen=True)
class Reliability:
    """How good a probability was.

    The Brier score is the mean squared difference between probability and outcome, 0 or 1 (Brier 1950, Monthly
    Weather Review 78). With bins b of n_b forecasts of mean f_b that came true in a share o_b, and o the share of
    all, Murphy 1973 (J. of Applied Meteorology 12) decomposes it as

        brier = reliability - resolution + uncertainty + within
        reliability = sum n_b (f_b - o_b)^2 / n,  resolution = sum n_b (o_b - o)^2 / n,  uncertainty = o (1 - o)

    The last term is what bins of unequal forecasts leave (Stephenson, Coelho & Jolliffe 2008, Weather and
    Forecasting 23). `uncertainty` is the Brier score of the share o, which nobody knew beforehand.

    Attributes:
        n: Number of forecasts.
        share: o, the share that came true.
        brier: The Brier score.
        reliability: Less is better; 0 if every forecast came true as often as stated.
        resolution: More is better; 0 if the share is the same whatever is forecast.
        uncertainty: Of the outcomes alone.
        within: The rest.
        forecast: f_b, shape `(n_bins,)`.
        observed: o_b, likewise.
        counts: n_b, likewise.
        low: Lower end of the consistency bar: the 5 % quantile of o_b if the forecasts are reliable.
        high: Its upper end, the 95 % quantile.
    """

    n: int
    share: float
    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    forecast: Array
    observed: Array
    counts: NDArray[np.int64]
    low: Array
    high: Array


def reliability(probability: ArrayLike, outcome: ArrayLike) -> Reliability:
    """Compare probabilities with outcomes.

    Consistency bars (Broecker & Smith 2007, Weather and Forecasting 22): forecasts are drawn with replacement, and
    each comes true with its own probability; the bar holds 90 % of the shares that a bin then has. Outcomes count
    as independent.

    Args:
        probability: Forecast probabilities, shape `(n,)`.
        outcome: Whether it came true, shape `(n,)`.

    Raises:
        ValueError: There is no forecast, the shapes differ, or a probability is not between 0 and 1.

    >>> found = reliability([0.2, 0.2, 0.8, 0.8], [0, 0, 1, 0])
    >>> round(found.brier, 3), round(found.reliability, 3), found.resolution, found.uncertainty
    (0.19, 0.065, 0.0625, 0.1875)
    """
    p, y = np.asarray(probability, np.float64), np.asarray(outcome, np.float64)
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        raise ValueError(
            f"`probability` and `outcome` must have one axis and one shape, got {p.shape}, {y.shape}"
        )
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("`probability` must lie between 0 and 1")
    edges = np.unique(np.quantile(p, np.arange(1, N_BINS) / N_BINS))
    which = np.searchsorted(edges, p, side="left")
    which = np.unique(which, return_inverse=True)[1]
    counts = np.bincount(which)
    forecast, observed = (np.bincount(which, weights=one) / counts for one in (p, y))
    n, share = len(p), float(y.mean())
    parts = (
        float(counts @ (forecast - observed) ** 2 / n),
        float(counts @ (observed - share) ** 2 / n),
        share * (1 - share),
    )
    brier = float(np.mean((p - y) ** 2))
    low, high = _consistency(counts, forecast)
    return Reliability(
        n, share, brier, *parts, brier - parts[0] + parts[1] - parts[2], forecast, observed, counts, low, high
    )


def _consistency(counts: NDArray[np.int64], forecast: Array) -> tuple[Array, Array]:
    # A forecast drawn from a bin comes true with the bin's mean probability.
    random = np.random.default_rng(0)
    drawn = random.multinomial(counts.sum(), counts / counts.sum(), N_RESAMPLES)
    came_true = random.binomial(drawn, np.clip(forecast, 0, 1))
    shares = np.where(drawn > 0, came_true / np.maximum(drawn, 1), forecast)
    low, high = np.quantile(shares, [0.05, 0.95], axis=0)
    return low, high
