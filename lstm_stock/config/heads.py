"""The registry of heads: what a network outputs for each step of the horizon."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_stock.config.registry import Target


@dataclass(frozen=True)
class HeadSpec:
    """Facts about a head.

    Attributes:
        purpose: The distribution that it forecasts.
        n_params: Parameters of the distribution for each step; None for one per token of `model.vocabulary`.
        head: Target of a `lstm_stock.network.heads.Head`.
        loss: Name of the loss that it is trained with.
        forecasts_prices: Whether it can forecast a price level; a normal or a Student-t gives weight to prices
            below zero.
        has_regression: Whether its parameters are those of `lstm_stock.dataset.pooled.PooledT`, so that a network
            can start from that regression.
        has_common_drift: Whether the location is one drift, the same for all forecasts.
    """

    purpose: str
    n_params: int | None
    head: Target
    loss: str
    forecasts_prices: bool = False
    has_regression: bool = False
    has_common_drift: bool = False


_MODULE = "lstm_stock.network.heads"
NLL = "negative log likelihood"

HEADS: dict[str, HeadSpec] = {
    "point": HeadSpec(
        "a point without an interval", 1, f"{_MODULE}:POINT", "squared error", forecasts_prices=True
    ),
    "gaussian": HeadSpec("a normal distribution", 2, f"{_MODULE}:GAUSSIAN", NLL),
    "student_t": HeadSpec("a Student-t distribution", 3, f"{_MODULE}:STUDENT_T", NLL),
    "drift_t": HeadSpec(
        "a Student-t distribution around one small drift, the same for all tickers",
        2,
        f"{_MODULE}:DRIFT_T",
        NLL,
        has_regression=True,
        has_common_drift=True,
    ),
    "quantile": HeadSpec("13 quantiles", 13, f"{_MODULE}:QUANTILE", "pinball loss", forecasts_prices=True),
    "vocabulary": HeadSpec(
        "the probability of each token",
        None,
        "lstm_stock.network.cells.token.head:VOCABULARY",
        "cross-entropy",
    ),
}
