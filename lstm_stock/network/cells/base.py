"""The interface of a cell: how it is built and how its network forecasts. Nothing here knows a particular cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstm_stock.config.cells import CELLS
from lstm_stock.config.registry import resolve
from lstm_stock.dataset.windows import Windows
from lstm_stock.network.architecture import Architecture, Params

if TYPE_CHECKING:
    import keras


PREDICT_BATCH = 1024
"""Windows per forward pass outside training: large enough to be fast, small enough for little memory."""


@dataclass(frozen=True)
class Cell:
    """A cell: the part of a network between the windows and the dense layers.

    Attributes:
        build: Maps a Keras tensor of windows, `(batch, look_back, n_features)`, and the architecture to one vector
            per window, `(batch, width)`.
        forecast: Maps a network (an output of `build_ensemble`), windows of one ticker and the architecture to
            `Params`, for a cell whose network outputs one step only; None where it outputs the whole horizon.
    """

    build: Callable[[Any, Architecture], Any]
    forecast: Callable[[keras.Model, Windows, Architecture], Params] | None = None


def cell_of(name: str) -> Cell:
    """Return the cell that `CELLS` has under a name; a plain function becomes a `Cell` that it builds."""
    target = resolve(CELLS[name].build)
    return target if isinstance(target, Cell) else Cell(target)
