"""Forecast distributions: quantiles, probabilities and proper scores in closed form.

One object holds the forecasts of all cutoffs and steps: its parameters are arrays of one shape, usually
`(n_windows, horizon)`, and every method returns float64 arrays of that shape. An outcome `y` broadcasts against
it and may have further axes in front; where `y` is NaN, so is the score. Nothing here samples.

    Distribution
    ├── Normal, StudentT           parametric: a density, closed forms
    ├── Binned                     the bins of a Student-t with other probabilities
    ├── TransformedT               a Student-t on a bent scale: skewed
    ├── QuantileFan, Empirical     piecewise linear cdf with jumps: no density, exact CRPS
    ├── PointForecast              a point without a distribution: CRPS and log score are NaN
    ├── SignForecast               a sign without a size: every score is NaN
    └── Mixture                    an equal mixture of several of the same kind

`intervals` takes central intervals from a distribution and calibrates them; `student_t_fit` fits a Student-t.

Every CRPS is `E|X - y| - E|X - X'|/2`, X and X' independent draws of the forecast (Gneiting & Raftery
2007, Journal of the American Statistical Association 102, eq. 21). Less is better, and the unit is that of `y`.
"""

from __future__ import annotations

from lstm_stock.distributions.base import Distribution
from lstm_stock.distributions.binned import Binned
from lstm_stock.distributions.mixture import Mixture
from lstm_stock.distributions.parametric import Normal, StudentT
from lstm_stock.distributions.piecewise import Empirical, QuantileFan
from lstm_stock.distributions.point import PointForecast, SignForecast
from lstm_stock.distributions.transformed import TransformedT

__all__ = [
    "Binned",
    "Distribution",
    "Empirical",
    "Mixture",
    "Normal",
    "PointForecast",
    "QuantileFan",
    "SignForecast",
    "StudentT",
    "TransformedT",
]
