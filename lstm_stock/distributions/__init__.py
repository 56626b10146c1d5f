"""Forecast distributions: quantiles, probabilities and proper scores in closed form.

One object holds the forecasts of all cutoffs and steps: its parameters are arrays of one shape, usually
`(n_windows, horizon)`, and every method returns float64 arrays of that shape. An outcome `y` broadcasts against
it, with further axes in front if need be; where `y` is NaN, so is the score. Nothing here fits, samples or knows
what is forecast.

    Distribution
    ├── Normal, StudentT           density, closed forms
    ├── Binned                     a Student-t whose equally probable bins have other probabilities
    ├── QuantileFan, Empirical     jumps and straight lines: no density, exact CRPS
    ├── PointMass                  a point that claims no distribution, and so has no score of one
    ├── Direction                  a sign that claims no size
    └── Mixture                    equal shares of several of the same kind

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
]
