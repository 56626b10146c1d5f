"""Cells: what maps a window to one vector. To add one, write a function and one entry in `CELLS`.

What is known of a cell without building it (its parameters, the options that apply) is an entry of the same name
in `lstm_stock.config.cells`.

    recurrent     rnn, lstm, gru, bilstm
    peephole      an LSTM whose gates see the cell state
    attention     an LSTM whose states are weighed
    transformer   causal self-attention
    ntm           an LSTM with a memory to read and write
    stacking      layers on top of each other, with their regularisers
    zoneout       a regulariser of any recurrent cell
    penalty       a regulariser of weights
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.attention import attention, attention_weights
from lstm_stock.network.cells.ntm import ntm
from lstm_stock.network.cells.peephole import peephole
from lstm_stock.network.cells.recurrent import bilstm, gru, lstm, rnn
from lstm_stock.network.cells.transformer import transformer
from lstm_stock.network.token import token

__all__ = ["CELLS", "attention_weights"]

CELLS: dict[str, Callable[[Any, Architecture], Any]] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
    "bilstm": bilstm,
    "peephole": peephole,
    "attention": attention,
    "transformer": transformer,
    "ntm": ntm,
    "token": token,
}
