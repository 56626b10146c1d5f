"""Layers on top of each other, with the regularisers that the config asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
from keras import layers

from lstm_stock.models.architecture import Architecture, Regularisers
from lstm_stock.models.cells.penalty import SilentL2
from lstm_stock.models.cells.zoneout import Zoneout

MakeLayer: TypeAlias = Callable[[int, bool, str], Any]
"""Makes a layer from its width, whether it outputs every bar (or only the last one), and its name."""


def stack(x: Any, shape: Architecture, make: MakeLayer, name: str, every_bar: bool = False) -> Any:
    """Stack layers, each followed by dropout, and return the output at the last bar, or at every bar.

    Args:
        x: Windows, `(batch, look_back, n_features)`.
        shape: Widths and dropout.
        make: Makes one layer.
        name: Layers are called `<name>_1`, `<name>_2`, ...
        every_bar: Whether the top layer outputs every bar, as those below it do.
    """
    for i, units in enumerate(shape.units):
        is_last = i == len(shape.units) - 1
        x = make(units, every_bar or not is_last, f"{name}_{i + 1}")(x)
        x = layers.Dropout(shape.dropout, name=f"dropout_{i + 1}")(x)
    return x


def recurrent(rules: Regularisers, cell: Callable[..., Any], layer: Callable[..., Any] | None) -> MakeLayer:
    """Return what makes one recurrent layer.

    Args:
        rules: How it is regularised.
        cell: A Keras cell, such as `LSTMCell`.
        layer: Keras's layer of that cell, which is faster than `RNN` around the cell but has no zoneout; None if
            there is none.
    """

    def make(units: int, every_bar: bool, name: str) -> Any:
        options = recurrent_options(rules)
        if layer is not None and rules.zoneout == 0:
            return layer(units, return_sequences=every_bar, name=name, **options)
        return layers.RNN(zoned(cell(units, **options), rules), return_sequences=every_bar, name=name)

    return make


def zoned(cell: Any, rules: Regularisers) -> Any:
    """Return the cell with zoneout around it, if that is asked for."""
    return Zoneout(cell, rules.zoneout) if rules.zoneout > 0 else cell


def recurrent_options(rules: Regularisers) -> dict[str, Any]:
    """Return the arguments of a Keras cell or recurrent layer that regularise it."""
    return {
        **kernel_options(rules),
        "recurrent_regularizer": _penalty(rules),
        "recurrent_constraint": _longest(rules.recurrent_constraint),
        "recurrent_dropout": rules.recurrent_dropout,
    }


def kernel_options(rules: Regularisers) -> dict[str, Any]:
    """Return the arguments of any Keras layer with a kernel that regularise it."""
    return {
        "kernel_regularizer": _penalty(rules),
        "kernel_constraint": _longest(rules.kernel_constraint),
    }


def _penalty(rules: Regularisers) -> SilentL2 | None:
    return SilentL2(rules.l2) if rules.l2 > 0 else None


def _longest(length: float | None) -> keras.constraints.Constraint | None:
    """Bound the length of each column of a kernel: the weights of one unit, in an LSTM of one gate of it.

    Srebro & Shraibman 2005 (COLT); Srivastava et al. 2014 (JMLR 15), section 5.1.
    """
    return None if length is None else keras.constraints.MaxNorm(length, axis=0)
