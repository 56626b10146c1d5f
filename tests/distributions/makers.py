"""Random distributions of every kind, for tests of properties that all have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from lstm_stock.distributions import (
    Binned,
    Empirical,
    Mixture,
    Normal,
    QuantileFan,
    StudentT,
    TransformedT,
)
from lstm_stock.distributions.transformed import knots_of

LEVELS = np.array([0.05, 0.2, 0.5, 0.8, 0.95])

SHAPE = (3, 2)


def random_fan(random):
    return QuantileFan(LEVELS, random.normal(size=(*SHAPE, len(LEVELS))))


def random_normal(random):
    return Normal(random.normal(size=SHAPE), np.exp(random.normal(size=SHAPE)))


def random_t(random, least_df=1.5):
    return StudentT(
        random.normal(size=SHAPE), np.exp(random.normal(size=SHAPE)), least_df + random.exponential(3, SHAPE)
    )


def random_empirical(random, n_samples=9):
    loc, scale = random.normal(size=SHAPE), np.exp(random.normal(size=SHAPE))
    return Empirical(random.normal(size=(n_samples, SHAPE[1])), SHAPE[0], loc, scale)


def random_binned(random, n_bins=7):
    probability = random.dirichlet(np.ones(n_bins), SHAPE)
    return Binned(probability, random.normal(size=SHAPE), np.exp(random.normal(size=SHAPE)))


def random_transformed(random, n_knots=9):
    df = 2.5 + random.exponential(3)
    slope = np.exp(0.7 * random.normal(size=(*SHAPE, n_knots - 1)))
    values = np.cumsum(slope * np.diff(knots_of(df, n_knots)), axis=-1)
    values = np.concatenate([np.zeros((*SHAPE, 1)), values], axis=-1)
    return TransformedT(df, values - values[..., n_knots // 2, None] + random.normal(size=(*SHAPE, 1)))


SINGLE = {"normal": random_normal, "student_t": random_t, "fan": random_fan, "empirical": random_empirical}

MAKERS = {
    **SINGLE,
    "binned": random_binned,
    "transformed": random_transformed,
    "normals": lambda random: Mixture([random_normal(random) for _ in range(3)]),
    "student_ts": lambda random: Mixture([random_normal(random), random_t(random), random_t(random)]),
    "fans": lambda random: Mixture([random_fan(random) for _ in range(3)]),
    "empiricals": lambda random: Mixture([random_empirical(random), random_empirical(random, 4)]),
    "piecewise": lambda random: Mixture([random_empirical(random), random_fan(random)]),
}

SMOOTH = ("normal", "student_t", "binned", "transformed", "normals", "student_ts")

every_distribution = pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)

seeds = st.integers(0, 2**32 - 1)

probabilities = st.floats(0.001, 0.999)
