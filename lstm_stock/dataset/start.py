"""The start of a fine-tuning: what a pretrained network gives to a training on other tickers."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_stock.dataset.pooled import PooledT
from lstm_stock.dataset.scaler import Scaler


@dataclass(frozen=True)
class Start:
    """A pretrained regression, with the scaler of its inputs.

    Attributes:
        name: What the regression is called in tables, where it forecasts as it was pretrained.
        regression: The regression.
        scaler: That of the features of every ticker.
    """

    name: str
    regression: PooledT
    scaler: Scaler
