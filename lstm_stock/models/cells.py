"""Cells: what maps a window to one vector. To add one, write a function and one entry in `CELLS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import layers

from lstm_stock.models.architecture import Architecture
from lstm_stock.models.token import token


def lstm(x: Any, shape: Architecture) -> Any:
    """Stack LSTM layers, each followed by dropout; the last one returns its final state only.

    Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, as Keras has it. A layer of n units on
    m inputs has `4 (m + n + 1) n` parameters.
    """
    for i, units in enumerate(shape.units):
        is_last = i == len(shape.units) - 1
        x = layers.LSTM(units, return_sequences=not is_last, name=f"lstm_{i + 1}")(x)
        x = layers.Dropout(shape.dropout, name=f"dropout_{i + 1}")(x)
    return x


CELLS: dict[str, Callable[[Any, Architecture], Any]] = {"lstm": lstm, "token": token}
