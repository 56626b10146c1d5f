"""What the numbers of a network's output mean, as text and as NumPy expressions, for those who use it elsewhere.

In an expression, `params` is the output for one window, `(n_members, horizon, n_params)`, and `unit` the unit of
the target at each step, `(horizon,)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lstm_stock.dataset.pooled import MIN_DF
from lstm_stock.dataset.windows import MIN_PRICE_RATIO
from lstm_stock.distributions.parametric import COMMON_DRIFT
from lstm_stock.network.heads import QUANTILES


@dataclass(frozen=True)
class Meaning:
    """The output of a head.

    Attributes:
        parameters: What each parameter of a step is.
        distribution: The distribution, in words.
        location: The value of the distribution that lies in the target's unit: its name, that of the attribute of
            the forecast, and its expression in units of the target.
        others: Likewise all other values; those that have no unit do not name `unit`.
        unit: The expression of the unit of `location`.
    """

    parameters: tuple[str, ...]
    distribution: str
    location: tuple[str, str, str]
    others: Mapping[str, tuple[str, str]]
    unit: str = "unit"

    def expressions(self, is_price: bool) -> dict[str, str]:
        """Return the expression of each value of the k-bar log return.

        Args:
            is_price: Whether the target is the price, from which the log return follows.
        """
        name, _, standard = self.location
        location = f"{self.unit} * {standard}"
        if is_price:
            location = f"np.log(np.maximum((price_offset + {location}) / last_close, {MIN_PRICE_RATIO}))"
        return {name: location} | {other: expression for other, (_, expression) in self.others.items()}

    def values(self, forecast: Any) -> dict[str, Any]:
        """Return the values of a forecast of the head, as arrays."""
        name, attribute, _ = self.location
        attributes = {name: attribute} | {other: one for other, (one, _) in self.others.items()}
        return {one: getattr(forecast, attribute) for one, attribute in attributes.items()}


def _degrees(i: int) -> str:
    return f"{MIN_DF} + np.logaddexp(0, params[..., {i}])"


_MIDDLE = len(QUANTILES) // 2

MEANINGS: dict[str, Meaning] = {
    "point": Meaning(("the forecast",), "a point", ("value", "value", "params[..., 0]"), {}),
    "gaussian": Meaning(
        ("mean", "log of the standard deviation"),
        "a normal distribution",
        ("mean", "loc", "params[..., 0]"),
        {"standard_deviation": ("scale", "unit * np.exp(params[..., 1])")},
    ),
    "student_t": Meaning(
        ("location", "log of the scale", "inverse softplus of the degrees of freedom above 2.05"),
        "a Student-t distribution with location and scale",
        ("location", "loc", "params[..., 0]"),
        {
            "scale": ("scale", "unit * np.exp(params[..., 1])"),
            "degrees_of_freedom": ("df", _degrees(2)),
        },
    ),
    "drift_t": Meaning(
        ("log of the scale", "inverse softplus of the degrees of freedom above 2.05"),
        "a Student-t distribution with location and scale, around one drift that is common to all tickers",
        (
            "location",
            "loc",
            f"{COMMON_DRIFT} * np.sqrt(np.arange(1, len(unit) + 1)) * np.exp(params[..., 0])",
        ),
        {
            "scale": ("scale", "unit * np.exp(params[..., 0])"),
            "degrees_of_freedom": ("df", _degrees(1)),
        },
    ),
    "quantile": Meaning(
        tuple(
            "median" if i == _MIDDLE else "inverse softplus of the distance to the next quantile inward"
            for i in range(len(QUANTILES))
        ),
        f"the quantiles at {', '.join(f'{one:g}' for one in QUANTILES)}",
        (
            "quantiles",
            "values",
            f"(params[..., {_MIDDLE}:{_MIDDLE + 1}] + np.concatenate(["
            f"-np.cumsum(np.logaddexp(0, params[..., {_MIDDLE - 1}::-1]), -1)[..., ::-1], "
            f"0 * params[..., :1], np.cumsum(np.logaddexp(0, params[..., {_MIDDLE + 1}:]), -1)], -1))",
        ),
        {},
        unit="unit[:, None]",
    ),
}
"""The meaning of the output of each head that can be exported."""
