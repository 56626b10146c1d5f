"""Many questions, one promise: the chance of even one false answer stays below a level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lstm_stock.scoring.significance.base import Array, probability


def holm(p: ArrayLike) -> Array:
    """Adjust p-values so that those below a level may all be believed at that level, however they depend.

    Holm 1979 (Scandinavian Journal of Statistics 6): the i-th smallest of m counts `m - i + 1` times, and no
    adjusted value is less than a smaller one's. A test that did not apply (NaN) stays NaN and is not counted.

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
    """Say which null hypotheses are rejected when families of them share one level `alpha`.

    Every family gets an equal part of `alpha` and uses it by Holm's rule. A family rejected whole hands its
    part on to the others in equal parts, so that the chance of one false rejection or more, in all families
    together, stays below `alpha` however the tests depend: a Bonferroni graph in the sense of Bretz, Maurer,
    Brannath & Posch 2009 (Statistics in Medicine 28). A family without a test that applies gets no part.

    Args:
        families: p-values of each; NaN where a test does not apply.
        alpha: The level they share.

    Returns:
        For each family, whether each of its hypotheses is rejected; and the level that it was tested at.

    Raises:
        ValueError: `alpha` is not between 0 and 1.

    >>> rejected_in_families([[0.02], [0.001, 0.5]], alpha=0.05)  # the first hands on its part
    ([[True], [True, False]], [0.025, 0.05])
    """
    probability("alpha", alpha)
    adjusted = [holm(family) for family in families]
    asked = [bool((~np.isnan(each)).any()) for each in adjusted]
    levels = [alpha / max(sum(asked), 1) if one else 0.0 for one in asked]
    open_ = [i for i, one in enumerate(asked) if one]
    while True:
        whole = [i for i in open_ if bool((adjusted[i] < levels[i])[~np.isnan(adjusted[i])].all())]
        if not whole:
            break
        done = whole[0]
        open_.remove(done)
        for i in open_:
            levels[i] += levels[done] / len(open_)
    return [(each < level).tolist() for each, level in zip(adjusted, levels, strict=True)], levels
