from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from lstm_stock.scoring.significance import holm, hommel, rejected_in_families


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12))
def test_holm_agrees_with_another_implementation(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-12)


def test_holm_does_not_count_what_was_not_tested():
    np.testing.assert_array_equal(holm([0.02, np.nan, 0.04]), [0.04, np.nan, 0.04])
    assert holm([]).shape == (0,)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12))
def test_hommel_agrees_with_another_implementation(p):
    np.testing.assert_allclose(hommel(p), multipletests(p, method="hommel")[1], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_hommel_lies_between_the_p_value_and_holm_and_keeps_the_order(p):
    adjusted = hommel(p)
    assert (adjusted <= holm(p) + 1e-12).all()
    assert (adjusted >= p).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


def test_hommel_does_not_count_what_was_not_tested():
    np.testing.assert_array_equal(hommel([0.02, np.nan, 0.04]), [0.04, np.nan, 0.04])
    assert hommel([]).shape == (0,)


def closed_test(families: list[list[float]], alpha: float) -> list[list[bool]]:
    """Test every set of hypotheses: reject those of which every set that contains them is rejected."""
    members = [(f, p) for f, family in enumerate(families) for p in family]
    kept = set()
    for size in range(1, len(members) + 1):
        for chosen in itertools.combinations(range(len(members)), size):
            parts = [
                sorted(members[i][1] for i in chosen if members[i][0] == f) for f in range(len(families))
            ]
            parts = [part for part in parts if part]
            simes = [min(len(part) * p / (j + 1) for j, p in enumerate(part)) for part in parts]
            if min(simes) >= alpha / len(parts):
                kept.update(chosen)
    rejected = iter(i not in kept for i in range(len(members)))
    return [[next(rejected) for _ in family] for family in families]


def test_families_reject_nothing_that_the_closed_test_does_not():
    random, found, agreed = np.random.default_rng(5), 0, 0
    for _ in range(300):
        sizes = random.integers(1, 4, random.integers(1, 4))
        families = [(0.1 * random.random(size) ** random.integers(1, 4)).tolist() for size in sizes]
        shortcut, _ = rejected_in_families(families, 0.05)
        closed = closed_test(families, 0.05)
        ours, all_of_them = list(itertools.chain(*shortcut)), list(itertools.chain(*closed))
        assert all(one or not other for one, other in zip(all_of_them, ours, strict=True)), families
        found += sum(ours)
        agreed += ours == all_of_them
    assert found > 500  # the comparison is about something
    assert agreed > 250  # and the shortcut loses little


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_hommel_keeps_its_level_for_statistics_that_share_losses(correlation):
    random = np.random.default_rng(6)
    shared, own = random.standard_normal((2000, 1)), random.standard_normal((2000, 5))
    p = stats.norm.sf(math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own)
    wrong = np.mean([hommel(row).min() < 0.05 for row in p])
    assert wrong < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_one_family_is_hommel(p):
    rejected, levels = rejected_in_families([p], 0.05)
    assert rejected[0] == (hommel(p) < 0.05).tolist()
    assert levels == [0.05]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-4, 1), min_size=2, max_size=5))
def test_families_of_one_are_holm(p):
    rejected, _ = rejected_in_families([[value] for value in p], 0.05)
    assert [one[0] for one in rejected] == (holm(p) < 0.05).tolist()


def test_a_family_hands_on_its_level_only_when_it_is_rejected_whole():
    half, levels = rejected_in_families([[0.001, 0.9], [0.03]], 0.05)
    assert half == [[True, False], [False]]
    assert levels == [0.025, 0.025]
    whole, levels = rejected_in_families([[0.001, 0.002], [0.03]], 0.05)
    assert whole == [[True, True], [True]]
    assert levels == [0.025, 0.05]
    assert rejected_in_families([[np.nan], [], [0.04]], 0.05) == ([[False], [], [True]], [0.0, 0.0, 0.05])


def test_families_keep_their_level_whatever_is_true():
    """Two true nulls among false ones: a false rejection in at most 5 % of draws, but for chance."""
    random, wrong = np.random.default_rng(0), 0
    for _ in range(4000):
        true = random.random(3)
        rejected, _ = rejected_in_families([[1e-6, true[0]], [true[1]], [1e-6, true[2]]], 0.05)
        wrong += rejected[0][1] or rejected[1][0] or rejected[2][1]
    assert wrong / 4000 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)
