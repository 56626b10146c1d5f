"""The shape of a network: what every cell and head is built from. Nothing here builds anything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """The shape of one network: what `model:` in the config says, and the shape of its windows.

    Attributes:
        cell: A key of `CELLS`.
        units: Width of each recurrent layer.
        dropout: Share of values dropped after each recurrent layer in training.
        dense: Width of each dense layer before the head.
        head: A key of `HEADS`.
        look_back: Bars in a window.
        n_features: Features of a bar.
        horizon: Steps forecast.
        location_unit: What the location is output in. Adam moves every output at the same pace, and a forecast
            return is worth perhaps a tenth of its spread: in units of 0.1 the location learns as much slower.
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
    vocabulary: int = 8

    @property
    def n_steps(self) -> int:
        """Steps that the network outputs: the horizon; one for a network that goes on from its own draws."""
        return 1 if (self.cell, self.head) == ("token", "vocabulary") else self.horizon
