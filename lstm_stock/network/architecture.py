"""The shape of a network: what every cell and head is built from. Nothing here builds anything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Regularisers:
    """What keeps the layers of a cell from learning by heart. All are off by default.

    Attributes:
        recurrent_dropout: Share of the former state dropped on its way into the gates, one mask a window.
        kernel_constraint: Longest the vector of a unit's input weights may be; None for any length.
        recurrent_constraint: The same of its weights on the former state.
        l2: Pulls each weight on inputs and former state to zero: see `SilentL2`.
        zoneout: Chance of each unit to keep its former state for one more bar: see `Zoneout`.
    """

    recurrent_dropout: float = 0.0
    kernel_constraint: float | None = None
    recurrent_constraint: float | None = None
    l2: float = 0.0
    zoneout: float = 0.0


@dataclass(frozen=True)
class Architecture:
    """The shape of one network: what `model:` in the config says, and the shape of its windows.

    Attributes:
        cell: A key of `CELLS`.
        units: Width of each layer of the cell; of a transformer, of each block.
        dropout: Share of values dropped after each of these layers in training.
        dense: Width of each dense layer before the head.
        head: A key of `HEADS`.
        look_back: Bars in a window.
        n_features: Features of a bar.
        horizon: Steps forecast.
        location_unit: What the location is output in. Adam moves every output at the same pace, and a forecast
            return is worth perhaps a tenth of its spread: in units of 0.1 the location learns as much slower.
        n_tickers: Tickers that have a code, where the network is told whose window it sees.
        ticker_embedding: Numbers learnt of each ticker; 0, and the network is not told.
        regularisers: Of the layers of the cell.
        vocabulary: Number of tokens, of the cell `token` and the head `vocabulary`.
    """

    cell: str
    units: tuple[int, ...]
    dropout: float
    dense: tuple[int, ...]
    head: str
    look_back: int
    n_features: int
    horizon: int
    location_unit: float = 1.0
    n_tickers: int = 0
    ticker_embedding: int = 0
    regularisers: Regularisers = Regularisers()
    vocabulary: int = 8

    @property
    def n_steps(self) -> int:
        """Steps that the network outputs: the horizon; one for a network that goes on from its own draws."""
        return 1 if (self.cell, self.head) == ("token", "vocabulary") else self.horizon
