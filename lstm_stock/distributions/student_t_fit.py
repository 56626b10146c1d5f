"""Maximum-likelihood fits of one Student-t to a sample: with free, and with fixed degrees of freedom.

They are two algorithms: the free fit searches within bounds on all parameters; the fixed fit is unbounded and
converges to 1e-12, and saved scales depend on its last digits.
"""

from __future__ import annotations

import numpy as np

from lstm_stock.distributions.base import Array
from lstm_stock.distributions.parametric import REFERENCE_DF

MIN_DF, MAX_DF = 1.05, 1e4
"""Bounds of the degrees of freedom: the mean exists above 1, and above 10,000 a Student-t is almost normal."""

MIN_SCALE = 0.05
"""Least fitted scale, in standard deviations of the sample."""

MAX_ROUNDS = 200
"""Rounds of reweighting."""

TINY = 1e-300
"""Least divisor, for samples whose values are all equal."""


def fit_student_t(sample: Array, drift: float | None = None) -> tuple[float, float, float]:
    """Fit degrees of freedom, location and scale, and return them in this order.

    Degrees of freedom and scale have bounds: where many values are equal, as the returns of a ticker that rarely
    trades, the likelihood grows without bound as the scale approaches 0.

    Args:
        sample: Shape `(n,)`, all finite.
        drift: The location in units of the scale, where it is not fitted.

    Raises:
        ValueError: The sample is empty or does not vary.
    """
    from scipy import optimize, special

    unit = float(np.std(sample)) if len(sample) else 0.0
    if unit == 0 or not np.isfinite(unit):
        raise ValueError(f"a Student-t cannot be fitted to {len(sample)} values that do not vary")
    centre = float(np.median(sample)) if drift is None else 0.0
    shift = 0.0 if drift is None else drift
    x = (sample - centre) / unit

    def loss(params: Array) -> tuple[float, Array]:
        """Mean negative log likelihood, and its gradient, in log df, location and log scale."""
        df, scale = np.exp(params[0]), np.exp(params[2])
        z = (x - params[1]) / scale - shift
        square = z * z
        log_term, weight = np.log1p(square / df), _weight(square, df)
        value = special.betaln(0.5, df / 2) + np.log(df) / 2 + params[2] + (df + 1) / 2 * log_term.mean()
        peak = special.digamma((df + 1) / 2) - special.digamma(df / 2) - 1 / df
        by_df = -(peak - log_term.mean() + (weight * square).mean() / df) / 2
        by_loc = -(weight * z).mean() / scale
        return float(value), np.array([by_df * df, by_loc, 1 - (weight * z * (z + shift)).mean()])

    bounds = [
        (np.log(MIN_DF), np.log(MAX_DF)),
        (-1.0, 1.0) if drift is None else (0.0, 0.0),
        (np.log(MIN_SCALE), np.log(3.0)),
    ]
    start = np.array([np.log(6.0), 0.0, np.log(0.8)])
    found = optimize.minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500},
    ).x
    scale = unit * float(np.exp(found[2]))
    return float(np.exp(found[0])), centre + unit * float(found[1]) + shift * scale, scale


def student_t_variance(sample: Array) -> float:
    """Return the variance of the Student-t with `REFERENCE_DF` degrees of freedom that fits best.

    Location and scale are found by iterative reweighting (Lange, Little & Taylor 1989, Journal of the American
    Statistical Association 84, p. 882): outliers get small weights.

    Args:
        sample: Shape `(n,)`, n at least 1, all finite.
    """
    df = REFERENCE_DF
    loc, square = float(np.median(sample)), float(np.var(sample))
    squares = (sample - loc) ** 2
    for _ in range(MAX_ROUNDS):
        before = square
        weight = _weight(squares / max(square, TINY), df)
        loc = float((weight * sample).sum() / weight.sum())
        squares = (sample - loc) ** 2
        square = float(np.mean(weight * squares))
        if abs(square - before) <= 1e-12 * before:
            break
    return square * df / (df - 2)


def _weight(square: Array, df: float) -> Array:
    """Return the weights of values in the likelihood equations; `square` is `((x - loc) / scale)^2`, `(n,)`."""
    return (df + 1) / (df + square)
