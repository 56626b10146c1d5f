"""The settings that a network is built from. Nothing here builds a network or imports Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lstm_stock.config.cells import CELLS

Params: TypeAlias = NDArray[np.float32]
"""Parameters of the forecast distributions: shape `(n_windows, n_members, horizon, n_params)`."""


@dataclass(frozen=True)
class Regularisers:
    """Regularisation of the layers of a cell; all off by default.

    Attributes:
        recurrent_dropout: Share of the previous state dropped on its way into the gates; one mask per window.
        kernel_constraint: Maximum norm of the input weights of each unit; None is off.
        recurrent_constraint: Maximum norm of the recurrent weights of each unit; None is off.
        l2: Strength of the L2 penalty on input and recurrent weights: see `SilentL2`.
        zoneout: Probability that a unit keeps its previous state at a bar: see `Zoneout`.
    """

    recurrent_dropout: float = 0.0
    kernel_constraint: float | None = None
    recurrent_constraint: float | None = None
    l2: float = 0.0
    zoneout: float = 0.0


@dataclass(frozen=True)
class Sampling:
    """How a cell that forecasts one bar at a time draws its paths; other cells ignore it.

    Attributes:
        n_paths: Number of paths per window.
        temperature: Divisor of the logits: below 1 likely tokens become likelier, above 1 all become alike
            (Ackley, Hinton & Sejnowski 1985, Cognitive Science 9).
        seed: Seed of the random numbers. All windows use the same numbers, so that the forecast of a window does
            not depend on the other windows in the call.
    """

    n_paths: int = 256
    temperature: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Architecture:
    """Everything that decides what one network looks like and how it forecasts.

    Attributes:
        cell: A key of `lstm_stock.config.cells.CELLS`.
        units: Width of each layer of the cell, or of each block of a transformer.
        dropout: Dropout rate after each of these layers.
        dense: Width of each dense layer before the head.
        head: A key of `lstm_stock.config.heads.HEADS`.
        look_back: Bars per window.
        n_features: Features per bar.
        horizon: Steps to forecast.
        location_unit: Unit of the location that the network outputs. Adam moves every output at the same speed,
            and the mean of a return is about a tenth of its standard deviation: with a unit of 0.1 the location
            learns ten times as slowly.
        n_tickers: Number of tickers with an id of their own; used only with `ticker_embedding`.
        ticker_embedding: Width of the ticker embedding; 0 for a network that does not see the ticker.
        regularisers: Regularisation of the layers of the cell.
        shortcut: Whether the output is a linear map of the last bar plus that of the head, which starts at zero.
        vocabulary: Number of tokens, for cells and heads that use tokens.
        sampling: How paths are drawn, for cells that forecast one bar at a time.
        fused: Whether LSTM layers are `FusedLSTM`, which trains faster. The weights are the same, and a trained
            network is saved with layers of Keras.
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
    shortcut: bool = False
    vocabulary: int = 8
    sampling: Sampling = Sampling()
    fused: bool = False

    @property
    def n_steps(self) -> int:
        """Steps that the network outputs: the horizon, or 1 for a cell that forecasts one bar at a time."""
        return 1 if CELLS[self.cell].one_step else self.horizon
