"""Multiple testing: the probability of one false rejection or more stays below a significance level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lstm_stock.distributions.base import Array, probability_of


def holm(p: ArrayLike) -> Array:
    """Adjust p-values for their number, however the tests depend.

    Holm 1979 (Scandinavian Journal of Statistics 6): the i-th smallest of m is multiplied by `m - i + 1`, and the
    adjusted values keep the order. A test that does not apply (NaN) stays NaN and is not counted.

    Args:
        p: Shape `(m,)`.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, np.float64)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p)[: int(np.sum(~np.isnan(p)))]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def hommel(p: ArrayLike) -> Array:
    """Adjust p-values for their number, by closed testing with Simes' test.

    Hommel 1988 (Biometrika 75): a hypothesis is rejected if Simes 1986 (Biometrika 73) rejects every set of
    hypotheses that contains it. Simes rejects a set of m if `m p_(j) / j` is less than the significance level for
    any j, p_(j) its j-th smallest p-value. The adjusted values are never more than Holm's.

    Unlike Holm's rule it has a condition: Simes' inequality. That holds for independent tests, and for one-sided
    tests with normal statistics whose correlations are 0 or more (Sarkar 1998, Annals of Statistics 26). The tests
    of one forecast against several others are such a case in practice: its losses are in every differential.
    A test that does not apply (NaN) stays NaN and is not counted.

    Args:
        p: Shape `(m,)`.

    >>> hommel([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p, np.float64)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p)[: int(np.sum(~np.isnan(p)))]
    p, m = p[order], len(order)
    most = p
    # Of the sets of `size` hypotheses with a given member, Simes' p is greatest with the greatest other p-values.
    for size in range(2, m + 1):
        first = m - size  # the greatest `size` p-values start here
        of_others = np.min(size * p[first + 1 :] / np.arange(2, size + 1))
        of_set = np.minimum(size * p, of_others)
        of_set[first:] = of_set[first]
        most = np.maximum(most, of_set)
    adjusted[order] = most
    return adjusted


def rejected_in_families(families: Sequence[ArrayLike], alpha: float) -> tuple[list[list[bool]], list[float]]:
    """Reject null hypotheses in families that share one significance level `alpha`.

    Every family gets an equal part of `alpha` and uses it by Hommel's rule. A family that is rejected whole passes
    its part on to the others in equal parts. The probability of one false rejection or more, in all families
    together, stays below `alpha` if `hommel`'s condition holds within each family, however the families depend.
    A family without a test that applies gets no part.

    This is a shortcut of a closed test (Marcus, Peritz & Gabriel 1976, Biometrika 63). That one rejects a set of
    hypotheses with members in k families if Simes rejects the members in one of them at `alpha / k`, which has
    level `alpha` by Bonferroni's inequality, and a hypothesis if every set that contains it is rejected. If a
    family is rejected whole at its part, every set with members in it is rejected. Sets of the other families
    remain, with members in one family fewer, so that the part of each is greater. The closed test may reject
    more than the shortcut, never less.

    Args:
        families: p-values of each family; NaN where a test does not apply.
        alpha: The significance level that they share.

    Returns:
        For each family, whether each of its hypotheses is rejected; and the significance level of each family.

    Raises:
        ValueError: `alpha` is not between 0 and 1.

    >>> rejected_in_families([[0.02], [0.001, 0.5]], alpha=0.05)  # the first passes its part on
    ([[True], [True, False]], [0.025, 0.05])
    """
    probability_of(alpha, "alpha")
    adjusted = [hommel(family) for family in families]
    applies = [bool((~np.isnan(each)).any()) for each in adjusted]
    alphas = [alpha / max(sum(applies), 1) if one else 0.0 for one in applies]
    remaining = [i for i, one in enumerate(applies) if one]
    while True:
        whole = [i for i in remaining if bool((adjusted[i] < alphas[i])[~np.isnan(adjusted[i])].all())]
        if not whole:
            break
        done = whole[0]
        remaining.remove(done)
        for i in remaining:
            alphas[i] += alphas[done] / len(remaining)
    return [(each < own).tolist() for each, own in zip(adjusted, alphas, strict=True)], alphas
