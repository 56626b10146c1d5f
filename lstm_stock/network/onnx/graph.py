"""Nodes and constants of an ONNX graph, collected one after the other. Nothing here knows Keras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET, IR_VERSION = 17, 8
"""Versions of the operators and of the file format: those of 2022, which later runtimes read too."""

FLOAT, INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32


class Graph:
    """Collects nodes; a value of the graph is known by its name.

    Args:
        outer: The graph around this one, if this is the body of a loop: both share names and constants.
    """

    def __init__(self, outer: Graph | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = [] if outer is None else outer.constants
        self._names: list[str] = [] if outer is None else outer._names

    def name(self) -> str:
        """Return a new name."""
        self._names.append(f"v{len(self._names)}")
        return self._names[-1]

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """Add a constant."""
        array = np.ascontiguousarray(value, dtype)
        self.constants.append(numpy_helper.from_array(array.reshape(np.shape(value)), self.name()))
        return self.constants[-1].name

    def integers(self, values: Sequence[int]) -> str:
        """Add a vector of integers: axes, or a shape."""
        return self.constant(values, np.int64)

    def add(self, operator: str, inputs: Sequence[str], attributes: Mapping[str, Any] | None = None) -> str:
        """Add a node with one output."""
        return self.add_several(operator, inputs, 1, attributes)[0]

    def add_several(
        self,
        operator: str,
        inputs: Sequence[str],
        n_outputs: int,
        attributes: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Add a node with several outputs."""
        outputs = [self.name() for _ in range(n_outputs)]
        self.nodes.append(helper.make_node(operator, inputs, outputs, **(attributes or {})))
        return outputs

    def rows(self, like: str, row: Any) -> str:
        """Repeat a constant row, `(1, n)`, once for each window of `like`: shape `(batch, n)`."""
        n_windows = self.add("Slice", [self.add("Shape", [like]), self.integers([0]), self.integers([1])])
        shape = self.add("Concat", [n_windows, self.integers([1])], {"axis": 0})
        return self.add("Expand", [self.constant(row), shape])

    def leave_out_unused(self, outputs: Sequence[str]) -> None:
        """Leave out the nodes and constants on which no output depends."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.output):
                needed.update(_names_read(node))
                kept.append(node)
        self.nodes[:] = reversed(kept)
        self.constants[:] = [one for one in self.constants if one.name in needed]

    def proto(
        self, name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> onnx.GraphProto:
        """Return the graph; the body of a loop finds the constants in the graph around it."""
        return helper.make_graph(self.nodes, name, inputs, outputs)


def _names_read(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the inputs of a node, and of those in the body of a loop, which may be values outside of it."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _names_read(inner)


def value(name: str, kind: int, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """Declare an input or output; an axis of any length has a name."""
    return helper.make_tensor_value_info(name, kind, shape)
