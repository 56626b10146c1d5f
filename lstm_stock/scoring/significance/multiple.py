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


def rejected_in_families(families: Sequence[ArrayLike], alpha: float) -> tuple[list[list[bool]], list[float]]:
    """Reject null hypotheses in families that share one significance level `alpha`.

    Every family gets an equal part of `alpha` and uses it by Holm's rule. A family that is rejected whole passes
    its part on to the others in equal parts. The probability of one false rejection or more, in all families
    together, stays below `alpha` however the tests depend: a Bonferroni graph in the sense of Bretz, Maurer,
    Brannath & Posch 2009 (Statistics in Medicine 28). A family without a test that applies gets no part.

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
    adjusted = [holm(family) for family in families]
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
