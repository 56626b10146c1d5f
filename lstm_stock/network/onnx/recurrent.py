"""The ONNX nodes of recurrent layers.

LSTM, GRU and simple recurrent layers are operators of ONNX, which a runtime computes fastest. Any other cell is
the body of a loop over bars, `Scan`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from keras import activations, layers, ops

from lstm_stock.network.cells.ntm import MIN_NORM, MIN_WEIGHT, N_SHIFTS, TuringCell
from lstm_stock.network.cells.peephole import PeepholeCell
from lstm_stock.network.cells.stacking import Zoneout, initial_state
from lstm_stock.network.onnx.graph import FLOAT, Graph, value

Step: TypeAlias = tuple[str, list[str]]
"""The output of a cell at one bar, and its new states."""


def lstm(graph: Graph, layer: Any, x: str) -> str:
    """`keras.layers.LSTM`: Keras orders the gates i, f, g, o, and ONNX i, o, f, g."""
    return _operator(graph, "LSTM", layer, x, [0, 3, 1, 2])


def gru(graph: Graph, layer: Any, x: str) -> str:
    """`keras.layers.GRU` with the reset gate after the matrix product; both order the gates z, r, h."""
    _require(layer.reset_after, layer)
    return _operator(graph, "GRU", layer, x, [0, 1, 2])


def simple_rnn(graph: Graph, layer: Any, x: str) -> str:
    """`keras.layers.SimpleRNN`."""
    return _operator(graph, "RNN", layer, x, [0])


def bidirectional(graph: Graph, layer: Any, x: str) -> str:
    """`keras.layers.Bidirectional`, its outputs concatenated."""
    _require(layer.merge_mode == "concat", layer)
    both = [RECURRENT[type(one)](graph, one, x) for one in (layer.forward_layer, layer.backward_layer)]
    return graph.add("Concat", both, {"axis": -1})


def _operator(graph: Graph, operator: str, layer: Any, x: str, order: Sequence[int]) -> str:
    """Add an operator of ONNX that is a whole layer; `order` is that of its gates."""
    _require_usual(layer)

    def gates_first(weights: Any) -> Any:
        blocks = np.split(ops.convert_to_numpy(weights), len(order), axis=-1)
        return np.concatenate([blocks[i] for i in order], axis=-1)

    cell = layer.cell
    bias = np.atleast_2d(gates_first(cell.bias))  # that of a GRU has a second row, for the recurrent product
    both = bias if len(bias) == 2 else np.concatenate([bias, np.zeros_like(bias)])
    attributes: dict[str, Any] = {"hidden_size": layer.units}
    if layer.go_backwards:
        attributes["direction"] = "reverse"
    if operator == "GRU":
        attributes["linear_before_reset"] = 1
    weights = [gates_first(one).T[None] for one in (cell.kernel, cell.recurrent_kernel)]
    by_bar = graph.add("Transpose", [x], {"perm": [1, 0, 2]})
    constants = [graph.constant(one) for one in (*weights, both.reshape(1, -1))]
    every, last = graph.add_several(operator, [by_bar, *constants], 2, attributes)
    if not layer.return_sequences:
        return graph.add("Squeeze", [last, graph.integers([0])])
    without_direction = graph.add("Squeeze", [every, graph.integers([1])])
    return graph.add("Transpose", [without_direction], {"perm": [1, 0, 2]})


def loop(graph: Graph, layer: Any, x: str) -> str:
    """`keras.layers.RNN` around a cell: a loop over bars."""
    cell = layer.cell
    first = [ops.convert_to_numpy(one) for one in initial_state(cell, 1)]
    body = Graph(graph)
    before, bar = [body.name() for _ in first], body.name()
    output, after = add_cell(body, cell, bar, before)
    # A state is handed on under a name of its own, also where it is the output.
    after = [body.add("Identity", [one]) for one in after]

    def states(names: Sequence[str]) -> list[Any]:
        return [value(name, FLOAT, ["batch", one.shape[1]]) for name, one in zip(names, first, strict=True)]

    proto = body.proto(
        f"{layer.name}_bar",
        [*states(before), value(bar, FLOAT, ["batch", "inputs"])],
        [*states(after), value(output, FLOAT, ["batch", "outputs"])],
    )
    backwards = int(layer.go_backwards)
    attributes = {
        "body": proto,
        "num_scan_inputs": 1,
        "scan_input_axes": [1],
        "scan_output_axes": [1],
        "scan_input_directions": [backwards],
        "scan_output_directions": [backwards],
    }
    inputs = [*(graph.rows(x, one) for one in first), x]
    every = graph.add_several("Scan", inputs, len(first) + 1, attributes)[-1]
    if layer.return_sequences:
        return every
    newest = graph.constant(0 if backwards else -1, np.int64)
    return graph.add("Gather", [every, newest], {"axis": 1})


def add_cell(body: Graph, cell: Any, x: str, states: Sequence[str]) -> Step:
    """Add one bar of a cell: inputs `(batch, m)` and states to the output and the new states."""
    if type(cell) not in CELLS:
        raise ValueError(f"its cell {type(cell).__name__} has no ONNX nodes")
    return CELLS[type(cell)](body, cell, x, states)


def lstm_cell(body: Graph, cell: Any, x: str, states: Sequence[str], peepholes: Any = None) -> Step:
    """`keras.layers.LSTMCell`, and with `peepholes` of shape `(3, n)` a `PeepholeCell`."""
    _require_usual(cell)
    h, c = states
    i, f, g, o = _gates(body, _linear(body, x, cell.kernel, cell.bias), h, cell.recurrent_kernel, 4)
    seen = [None] * 3 if peepholes is None else [body.constant(one) for one in peepholes]

    def gate(gate_input: str, state: str, weight: str | None) -> str:
        if weight is not None:
            gate_input = body.add("Add", [gate_input, body.add("Mul", [weight, state])])
        return body.add("Sigmoid", [gate_input])

    kept = body.add("Mul", [gate(f, c, seen[1]), c])
    new = body.add("Add", [kept, body.add("Mul", [gate(i, c, seen[0]), body.add("Tanh", [g])])])
    h = body.add("Mul", [gate(o, new, seen[2]), body.add("Tanh", [new])])
    return h, [h, new]


def peephole_cell(body: Graph, cell: Any, x: str, states: Sequence[str]) -> Step:
    """`PeepholeCell`: the gates i and f see the previous cell state, o the new one."""
    return lstm_cell(body, cell, x, states, ops.convert_to_numpy(cell.peepholes))


def gru_cell(body: Graph, cell: Any, x: str, states: Sequence[str]) -> Step:
    """`keras.layers.GRUCell` with the reset gate after the matrix product."""
    _require_usual(cell)
    _require(cell.reset_after, cell)
    (h,) = states
    bias, recurrent_bias = ops.convert_to_numpy(cell.bias)
    z, r, candidate = _split(body, _linear(body, x, cell.kernel, bias), 3)
    h_z, h_r, h_candidate = _split(body, _linear(body, h, cell.recurrent_kernel, recurrent_bias), 3)
    z = body.add("Sigmoid", [body.add("Add", [z, h_z])])
    r = body.add("Sigmoid", [body.add("Add", [r, h_r])])
    candidate = body.add("Tanh", [body.add("Add", [candidate, body.add("Mul", [r, h_candidate])])])
    h = _blend(body, z, h, candidate)
    return h, [h]


def simple_cell(body: Graph, cell: Any, x: str, states: Sequence[str]) -> Step:
    """`keras.layers.SimpleRNNCell`."""
    _require_usual(cell)
    (gates,) = _gates(body, _linear(body, x, cell.kernel, cell.bias), states[0], cell.recurrent_kernel, 1)
    h = body.add("Tanh", [gates])
    return h, [h]


def zoneout_cell(body: Graph, cell: Any, x: str, states: Sequence[str]) -> Step:
    """`Zoneout` after training: each state is the mean of the previous and the new one, weighted by its rate."""
    _, updated = add_cell(body, cell.cell, x, states)
    rate = body.constant(cell.rate)
    blended = [_blend(body, rate, old, new) for old, new in zip(states, updated, strict=True)]
    return blended[0], blended


def turing_cell(body: Graph, cell: Any, x: str, states: Sequence[str]) -> Step:
    """`TuringCell`: the steps of its `call`."""
    *inner, flat, read, written_at, read_at = states
    n_slots, width = cell.n_slots, cell.slot_width
    memory = body.add("Reshape", [flat, body.integers([-1, n_slots, width])])
    h, inner = add_cell(body, cell.controller, body.add("Concat", [x, read], {"axis": -1}), inner)
    emitted = _linear(body, h, cell.heads.kernel, cell.heads.bias)
    widths = body.integers(2 * [width, 1, 1, N_SHIFTS, 1] + [width, width])
    parts = body.add_several("Split", [emitted, widths], 12, {"axis": -1})
    written_at = _address(body, memory, written_at, parts[:5])
    weights = body.add("Unsqueeze", [written_at, body.integers([2])])
    erase = _middle(body, body.add("Sigmoid", [parts[10]]))
    add = _middle(body, body.add("Tanh", [parts[11]]))
    kept = body.add("Sub", [body.constant(1), body.add("Mul", [weights, erase])])
    memory = body.add("Add", [body.add("Mul", [memory, kept]), body.add("Mul", [weights, add])])
    read_at = _address(body, memory, read_at, parts[5:10])
    weighted = body.add("Mul", [body.add("Unsqueeze", [read_at, body.integers([2])]), memory])
    read = body.add("ReduceSum", [weighted, body.integers([1])], {"keepdims": 0})
    flat = body.add("Reshape", [memory, body.integers([-1, n_slots * width])])
    return body.add("Concat", [h, read], {"axis": -1}), [*inner, flat, read, written_at, read_at]


def _address(body: Graph, memory: str, previous: str, emitted: Sequence[str]) -> str:
    """Return the weights of a head: `lstm_stock.network.cells.ntm.address`."""
    key, strength, gate, shifts, sharpening = emitted
    unit_key = _middle(body, _unit(body, body.add("Tanh", [key])))
    products = body.add("Mul", [_unit(body, memory), unit_key])
    cosines = body.add("ReduceSum", [products, body.integers([-1])], {"keepdims": 0})
    scaled = body.add("Mul", [body.add("Softplus", [strength]), cosines])
    content = body.add("Softmax", [scaled], {"axis": -1})
    mixed = _blend(body, body.add("Sigmoid", [gate]), content, previous)
    shares = body.add_several("Split", [body.add("Softmax", [shifts], {"axis": -1})], N_SHIFTS, {"axis": -1})
    moved = [_roll(body, mixed, -1), mixed, _roll(body, mixed, 1)]
    shifted = body.add(
        "Sum", [body.add("Mul", [share, one]) for share, one in zip(shares, moved, strict=True)]
    )
    power = body.add("Add", [body.constant(1), body.add("Softplus", [sharpening])])
    powered = body.add("Pow", [body.add("Max", [shifted, body.constant(MIN_WEIGHT)]), power])
    return body.add("Div", [powered, body.add("ReduceSum", [powered, body.integers([-1])])])


def _unit(body: Graph, x: str) -> str:
    """Divide vectors along the last axis by their norm."""
    squares = body.add("ReduceSum", [body.add("Mul", [x, x]), body.integers([-1])])
    return body.add("Div", [x, body.add("Sqrt", [body.add("Add", [squares, body.constant(MIN_NORM**2)])])])


def _roll(body: Graph, x: str, by: int) -> str:
    """Move `(batch, n)` along its last axis, in a circle."""
    border, axis = body.integers([-by]), body.integers([1])
    start, end = body.integers([0]), body.integers([np.iinfo(np.int64).max])
    head, tail = body.add("Slice", [x, start, border, axis]), body.add("Slice", [x, border, end, axis])
    return body.add("Concat", [tail, head], {"axis": -1})


def _middle(body: Graph, x: str) -> str:
    """Reshape `(batch, n)` to `(batch, 1, n)`."""
    return body.add("Unsqueeze", [x, body.integers([1])])


def _blend(body: Graph, share: str, one: str, other: str) -> str:
    """Return `share * one + (1 - share) * other`."""
    rest = body.add("Sub", [body.constant(1), share])
    return body.add("Add", [body.add("Mul", [share, one]), body.add("Mul", [rest, other])])


def _linear(body: Graph, x: str, kernel: Any, bias: Any) -> str:
    """Return `x kernel + bias`."""
    weights = body.constant(ops.convert_to_numpy(kernel))
    return body.add("Add", [body.add("MatMul", [x, weights]), body.constant(ops.convert_to_numpy(bias))])


def _gates(body: Graph, from_inputs: str, h: str, recurrent_kernel: Any, n: int) -> list[str]:
    """Return the sums inside each of n gates."""
    weights = body.constant(ops.convert_to_numpy(recurrent_kernel))
    return _split(body, body.add("Add", [from_inputs, body.add("MatMul", [h, weights])]), n)


def _split(body: Graph, x: str, n: int) -> list[str]:
    return [x] if n == 1 else body.add_several("Split", [x], n, {"axis": -1})


def _require_usual(layer: Any) -> None:
    """Refuse activations other than tanh and sigmoid, and layers without bias."""
    _require(layer.activation is activations.tanh and layer.use_bias, layer)
    gate = getattr(layer, "recurrent_activation", activations.sigmoid)
    _require(gate is activations.sigmoid, layer)


def _require(holds: bool, layer: Any) -> None:
    if not holds:
        raise ValueError(f"its layer {layer.name} has settings without ONNX nodes")


RECURRENT: dict[type, Callable[[Graph, Any, str], str]] = {
    layers.LSTM: lstm,
    layers.GRU: gru,
    layers.SimpleRNN: simple_rnn,
    layers.RNN: loop,
    layers.Bidirectional: bidirectional,
}
"""The nodes of each recurrent layer: windows `(batch, look_back, m)` to its output."""

CELLS: dict[type, Callable[[Graph, Any, str, Sequence[str]], Step]] = {
    layers.LSTMCell: lstm_cell,
    layers.GRUCell: gru_cell,
    layers.SimpleRNNCell: simple_cell,
    PeepholeCell: peephole_cell,
    Zoneout: zoneout_cell,
    TuringCell: turing_cell,
}
"""The nodes of one bar of each cell."""
