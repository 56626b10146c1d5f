"""The registry of target scales: the volatility that the targets, log returns, are divided by."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_stock.config.registry import Target


@dataclass(frozen=True)
class ScaleSpec:
    """Facts about a target scale.

    Attributes:
        purpose: The volatility that it estimates.
        scale: Target of a subclass of `lstm_stock.dataset.scale.Scale`.
        needs_market: Whether it reads the bars of all tickers of a run.
        alternative: The most similar scale that does not need the market, named in error messages.
        is_volatility: Whether it varies with the ticker's volatility. A constant scale is allowed with the target
            `close`, and a network trained with it can forecast only its own tickers.
    """

    purpose: str
    scale: Target
    needs_market: bool = False
    alternative: str = "none"
    is_volatility: bool = True


_MODULE = "lstm_stock.dataset.scale"

DEFAULT_SCALE = "trailing_vol"

SCALES: dict[str, ScaleSpec] = {
    "trailing_vol": ScaleSpec("EWMA volatility of closes", f"{_MODULE}:TrailingVolatility"),
    "trailing_range": ScaleSpec("EWMA volatility of ranges", f"{_MODULE}:RangeVolatility"),
    "har": ScaleSpec("HAR volatility of the ticker's own bars", f"{_MODULE}:HarVolatility"),
    "lhar": ScaleSpec(
        "HAR volatility of the ticker's own bars, with trends of its returns", f"{_MODULE}:LharVolatility"
    ),
    "har_market": ScaleSpec(
        "HAR volatility of the ticker's own bars and the market",
        f"{_MODULE}:HarMarketVolatility",
        needs_market=True,
        alternative="har",
    ),
    "none": ScaleSpec(
        "standard deviation of the train returns", f"{_MODULE}:ConstantScale", is_volatility=False
    ),
}
"""In the order in which help and schema list them."""
