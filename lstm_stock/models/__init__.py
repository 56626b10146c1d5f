"""The network: a cell under a head that outputs a distribution.

A cell maps windows to one vector, a head maps that vector to the parameters of a forecast distribution for each
step of the horizon, and to the loss that trains them. Nothing here reads prices, splits or fits.

    architecture   the shape of a network
    cells          from a window to one vector
    heads          from that vector to a distribution, and its loss
    network        all of it as one Keras model
    token          the cell and the head of a language model of returns
    paths          how that one goes on from its own draws
"""

from __future__ import annotations

from lstm_stock.models.architecture import Architecture, Regularisers
from lstm_stock.models.cells import CELLS, attention_weights
from lstm_stock.models.heads import HEADS, training_loss
from lstm_stock.models.network import Params, build_network, join_members, to_distribution
from lstm_stock.models.paths import Sampling, Start, forecast_paths

__all__ = [
    "CELLS",
    "HEADS",
    "Architecture",
    "Params",
    "Regularisers",
    "Sampling",
    "Start",
    "attention_weights",
    "build_network",
    "forecast_paths",
    "join_members",
    "to_distribution",
    "training_loss",
]
