"""The registry of cells: purpose, parameters, options, required settings.

Names and numbers alone: nothing here loads TensorFlow. `lstm_stock.network.cells` holds the layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lstm_stock.config.registry import Target

N_SLOTS, SLOT_WIDTH = 16, 8
"""Size of the memory of each `ntm` layer."""

TOKEN_WIDTH = 16
"""Width of the embedding of each token."""

RECURRENT_OPTIONS = ("recurrent_dropout", "zoneout", "recurrent_constraint", "kernel_constraint", "l2")
KERNEL_OPTIONS = ("kernel_constraint", "l2")


@dataclass(frozen=True)
class CellSpec:
    """Facts about a cell.

    Attributes:
        purpose: What it is for.
        paper: Who described it.
        formula: The number of parameters of a layer with m inputs and n units, as text.
        count: Maps the number of inputs and `units` to the number of parameters of all layers and the width of
            the output.
        build: Target of a function from windows `(batch, look_back, n_features)` and an `Architecture` to one
            vector per window, `(batch, width)`; or of a `lstm_stock.network.cells.base.Cell`.
        options: The regularisers among the keys of `model` that apply to it.
        head: Its own head, which no other cell has; None if it takes any of the heads without a cell.
        requires: Values that keys at the top level of a config must have.
        has_ticker: Whether it reads the ticker embedding.
        one_step: Whether the network outputs the next bar alone, and longer forecasts are simulated from it.
    """

    purpose: str
    paper: str
    formula: str
    count: Callable[[int, Sequence[int]], tuple[int, int]]
    build: Target
    options: tuple[str, ...] = RECURRENT_OPTIONS
    head: str | None = None
    requires: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    has_ticker: bool = True
    one_step: bool = False


def _stacked(
    layer: Callable[[int, int], int], width: Callable[[int], int] = lambda n: n
) -> Callable[[int, Sequence[int]], tuple[int, int]]:
    """Return the `count` of stacked layers, each with `layer(m, n)` parameters and `width(n)` outputs."""

    def count(m: int, units: Sequence[int]) -> tuple[int, int]:
        total = 0
        for n in units:
            total += layer(m, n)
            m = width(n)
        return total, m

    return count


def _lstm(m: int, n: int) -> int:
    return 4 * (m + n + 1) * n


def _ntm(m: int, n: int) -> int:
    # Both heads: key, strength, gate, three shifts, sharpening. The write head also: erase and add vectors.
    n_emitted = 2 * (SLOT_WIDTH + 6) + 2 * SLOT_WIDTH
    return _lstm(m + SLOT_WIDTH, n) + (n + 1) * n_emitted


def _attention(m: int, units: Sequence[int]) -> tuple[int, int]:
    total, n = _stacked(_lstm)(m, units)
    return total + (n + 2) * n, n


def _transformer(m: int, units: Sequence[int]) -> tuple[int, int]:
    total = 0
    for i, n in enumerate(units):
        # A projection before the first block, and before each block of another width than the last.
        total += (m + 1) * n if i == 0 or m != n else 0
        # Four square maps, a dense layer of 2n and one back to n, two layer normalisations.
        total += 4 * (n + 1) * n + (n + 1) * 2 * n + (2 * n + 1) * n + 2 * 2 * n
        m = n
    return total + 2 * m, m


CELLS: dict[str, CellSpec] = {
    "rnn": CellSpec(
        purpose="the simplest memory, to see what gates add",
        paper="Elman 1990",
        formula="(m + n + 1) n",
        count=_stacked(lambda m, n: (m + n + 1) * n),
        build="lstm_stock.network.cells.recurrent:rnn",
    ),
    "lstm": CellSpec(
        purpose="the standard: gates keep what matters for long",
        paper="Hochreiter & Schmidhuber 1997; Gers et al. 2000",
        formula="4 (m + n + 1) n",
        count=_stacked(_lstm),
        build="lstm_stock.network.cells.recurrent:lstm",
    ),
    "gru": CellSpec(
        purpose="an LSTM with two gates and one state: a quarter fewer weights",
        paper="Cho et al. 2014",
        formula="3 (m + n + 2) n",
        count=_stacked(lambda m, n: 3 * (m + n + 2) * n),
        build="lstm_stock.network.cells.recurrent:gru",
    ),
    "bilstm": CellSpec(
        purpose="reads the window from both ends; nothing after the cutoff",
        paper="Schuster & Paliwal 1997; Graves & Schmidhuber 2005",
        formula="8 (m + n + 1) n; outputs 2n",
        count=_stacked(lambda m, n: 2 * _lstm(m, n), lambda n: 2 * n),
        build="lstm_stock.network.cells.recurrent:bilstm",
    ),
    "peephole": CellSpec(
        purpose="an LSTM whose gates see the cell state: timing",
        paper="Gers & Schmidhuber 2000; Gers et al. 2002",
        formula="4 (m + n + 1) n + 3n",
        count=_stacked(lambda m, n: _lstm(m, n) + 3 * n),
        build="lstm_stock.network.cells.peephole:peephole",
    ),
    "attention": CellSpec(
        purpose="an LSTM that weighs every bar; the weights can be drawn",
        paper="Bahdanau et al. 2015; Yang et al. 2016",
        formula="LSTM's, and (n + 2) n of the last n",
        count=_attention,
        build="lstm_stock.network.cells.attention:attention",
    ),
    "transformer": CellSpec(
        purpose="self-attention, no recurrence; units are widths of blocks",
        paper="Vaswani et al. 2017",
        formula="8n^2 + 11n a block, (m + 1) n where the width changes, 2n at the end",
        count=_transformer,
        build="lstm_stock.network.cells.transformer:transformer",
        options=KERNEL_OPTIONS,
    ),
    "ntm": CellSpec(
        purpose=f"an LSTM that reads and writes a memory of {N_SLOTS} x {SLOT_WIDTH}",
        paper="Graves, Wayne & Danihelka 2014",
        formula="4 (m + n + 9) n + 44 (n + 1); outputs n + 8",
        count=_stacked(_ntm, lambda n: n + SLOT_WIDTH),
        build="lstm_stock.network.cells.ntm:ntm",
    ),
    "token": CellSpec(
        purpose="a language model of returns: tokens sampled into paths",
        paper="Bengio et al. 2003; Graves 2013",
        formula="16 per token, then LSTM's; n + 1 per token at the end",
        count=lambda _, units: _stacked(_lstm)(TOKEN_WIDTH, units),
        build="lstm_stock.network.cells.token.cell:TOKEN",
        options=(),
        head="vocabulary",
        # Tokens are one-bar returns divided by a volatility computed from closes alone.
        requires={
            "features": ("log_return",),
            "target": "log_return",
            "target_scale": "trailing_vol",
            "scaler": "none",
        },
        has_ticker=False,
        one_step=True,
    ),
}


def cells_with(option: str) -> tuple[str, ...]:
    """Return the cells that an option of `model` applies to.

    >>> "transformer" in cells_with("zoneout"), "transformer" in cells_with("l2")
    (False, True)
    """
    return tuple(name for name, spec in CELLS.items() if option in spec.options)
