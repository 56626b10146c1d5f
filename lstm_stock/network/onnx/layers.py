"""The ONNX nodes of each layer that is not recurrent, by its Keras class.

A layer without an entry cannot be exported. Its converter takes the graph, the layer, and the names of the inputs
that the layer was called with; it returns the name of the output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import activations, ops
from keras import layers as keras_layers

from lstm_stock.network.cells.transformer import Positions, sinusoids
from lstm_stock.network.onnx.graph import Graph
from lstm_stock.network.onnx.recurrent import RECURRENT
from lstm_stock.network.onnx.session import WINDOW

ACTIVATIONS = {activations.linear: None, activations.relu: "Relu", activations.tanh: "Tanh"}
"""The operator of each activation of a dense layer."""

MASKED = -1e9
"""What Keras adds to the score of a bar that attention must not see."""


def dense(graph: Graph, layer: Any, x: str) -> str:
    """`Dense`, on the last axis; what a layer of one row per window multiplies by zero is not computed."""
    if layer.activation not in ACTIVATIONS:
        raise ValueError(f"its layer {layer.name} has another activation than {', '.join(_names())}")
    kernel = ops.convert_to_numpy(layer.kernel)
    if layer.use_bias and not kernel.any() and len(layer.output.shape) == 2:
        x = graph.rows(WINDOW, ops.convert_to_numpy(layer.bias)[None])
    else:
        x = graph.add("MatMul", [x, graph.constant(kernel)])
        if layer.use_bias:
            x = graph.add("Add", [x, graph.constant(ops.convert_to_numpy(layer.bias))])
    operator = ACTIVATIONS[layer.activation]
    return x if operator is None else graph.add(operator, [x])


def _names() -> list[str]:
    return [one.__name__ for one in ACTIVATIONS]


def dropout(_graph: Graph, _layer: Any, x: str) -> str:
    """`Dropout`, which does nothing after training."""
    return x


def softmax(graph: Graph, layer: Any, x: str) -> str:
    """`Softmax`."""
    return graph.add("Softmax", [x], {"axis": layer.axis})


def dot_over_bars(graph: Graph, layer: Any, both: Sequence[str]) -> str:
    """`Dot` over axis 1: `(batch, look_back, m)` and `(batch, look_back, n)` to `(batch, m, n)`."""
    if layer.axes != 1 or layer.normalize:
        raise ValueError(f"its layer {layer.name} multiplies over other axes than the bars")
    return graph.add("MatMul", [graph.add("Transpose", [both[0]], {"perm": [0, 2, 1]}), both[1]])


def flatten(graph: Graph, _layer: Any, x: str) -> str:
    """`Flatten`."""
    return graph.add("Flatten", [x], {"axis": 1})


def reshape(graph: Graph, layer: Any, x: str) -> str:
    """`Reshape`."""
    return graph.add("Reshape", [x, graph.integers([-1, *layer.target_shape])])


def cropping(graph: Graph, layer: Any, x: str) -> str:
    """`Cropping1D`: leave out the first and the last bars."""
    first, n_last = layer.cropping
    last = -n_last if n_last else np.iinfo(np.int64).max
    return graph.add("Slice", [x, graph.integers([first]), graph.integers([last]), graph.integers([1])])


def add(graph: Graph, _layer: Any, terms: Sequence[str]) -> str:
    """`Add`."""
    return graph.add("Sum", list(terms))


def concatenate(graph: Graph, layer: Any, parts: Sequence[str]) -> str:
    """`Concatenate`."""
    return graph.add("Concat", list(parts), {"axis": layer.axis})


def rescaling(graph: Graph, layer: Any, x: str) -> str:
    """`Rescaling`."""
    scaled = graph.add("Mul", [x, graph.constant(layer.scale)])
    return graph.add("Add", [scaled, graph.constant(layer.offset)])


def embedding(graph: Graph, layer: Any, ids: str) -> str:
    """`Embedding`."""
    return graph.add("Gather", [graph.constant(ops.convert_to_numpy(layer.embeddings)), ids])


def repeat_vector(graph: Graph, layer: Any, x: str) -> str:
    """`RepeatVector`: `(batch, n)` to `(batch, look_back, n)`."""
    one_bar = graph.add("Unsqueeze", [x, graph.integers([1])])
    return graph.add("Tile", [one_bar, graph.integers([1, layer.n, 1])])


def layer_normalization(graph: Graph, layer: Any, x: str) -> str:
    """`LayerNormalization` over the last axis."""
    weights = [graph.constant(ops.convert_to_numpy(one)) for one in (layer.gamma, layer.beta)]
    return graph.add("LayerNormalization", [x, *weights], {"axis": -1, "epsilon": layer.epsilon})


def positions(graph: Graph, layer: Any, x: str) -> str:
    """`Positions`."""
    _, look_back, width = layer.input.shape
    return graph.add("Add", [x, graph.constant(sinusoids(look_back, width))])


def attention(graph: Graph, layer: Any, query: str, value: str, use_causal_mask: bool = False) -> str:
    """`MultiHeadAttention` of a window with itself, whose bars see themselves and earlier ones."""
    n_heads, width, look_back = layer.num_heads, layer.key_dim, layer.output.shape[1]
    if query != value or not use_causal_mask:
        raise ValueError(f"its layer {layer.name} is no causal self-attention")

    def by_head(part: Any, perm: Sequence[int]) -> str:
        """Project to `(batch, look_back, n_heads, width)` and permute."""
        kernel, bias = (ops.convert_to_numpy(one) for one in (part.kernel, part.bias))
        flat = graph.add("MatMul", [query, graph.constant(kernel.reshape(len(kernel), -1))])
        flat = graph.add("Add", [flat, graph.constant(bias.ravel())])
        heads = graph.add("Reshape", [flat, graph.integers([-1, look_back, n_heads, width])])
        return graph.add("Transpose", [heads], {"perm": list(perm)})

    queries, keys = by_head(layer.query_dense, (0, 2, 1, 3)), by_head(layer.key_dense, (0, 2, 3, 1))
    values = by_head(layer.value_dense, (0, 2, 1, 3))
    scaled = graph.add("Mul", [queries, graph.constant(1 / math.sqrt(width))])
    scores = graph.add("MatMul", [scaled, keys])
    later = graph.constant(np.triu(np.full((look_back, look_back), MASKED), k=1))
    shares = graph.add("Softmax", [graph.add("Add", [scores, later])], {"axis": -1})
    mixed = graph.add("Transpose", [graph.add("MatMul", [shares, values])], {"perm": [0, 2, 1, 3]})
    joined = graph.add("Reshape", [mixed, graph.integers([-1, look_back, n_heads * width])])
    kernel, bias = (ops.convert_to_numpy(one) for one in (layer.output_dense.kernel, layer.output_dense.bias))
    output = graph.add("MatMul", [joined, graph.constant(kernel.reshape(n_heads * width, -1))])
    return graph.add("Add", [output, graph.constant(bias)])


CONVERTERS: dict[type, Callable[..., str]] = {
    **RECURRENT,
    keras_layers.Dense: dense,
    keras_layers.Dropout: dropout,
    keras_layers.Softmax: softmax,
    keras_layers.Dot: dot_over_bars,
    keras_layers.Flatten: flatten,
    keras_layers.Reshape: reshape,
    keras_layers.Cropping1D: cropping,
    keras_layers.Add: add,
    keras_layers.Concatenate: concatenate,
    keras_layers.Rescaling: rescaling,
    keras_layers.Embedding: embedding,
    keras_layers.RepeatVector: repeat_vector,
    keras_layers.LayerNormalization: layer_normalization,
    keras_layers.MultiHeadAttention: attention,
    Positions: positions,
}
"""The converter of each layer, by its class; that of a subclass may compute something else."""
