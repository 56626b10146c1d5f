"""Write a Keras network as an ONNX file, and compare the outputs of both.

The nodes are written layer by layer: a general converter traces the network with TensorFlow, which takes 4 to 40
seconds, and makes loops of layers that ONNX has as one operator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from onnx import helper

from lstm_stock.config.cells import CELLS
from lstm_stock.dataset.windows import Windows
from lstm_stock.network.architecture import Architecture
from lstm_stock.network.cells.base import PREDICT_BATCH
from lstm_stock.network.forecast import Network
from lstm_stock.network.onnx.graph import FLOAT, INT32, IR_VERSION, OPSET, Graph, value
from lstm_stock.network.onnx.layers import CONVERTERS
from lstm_stock.network.onnx.session import PARAMS, TICKER, WINDOW, OnnxNetwork, signature_of

TOLERANCE = 1e-5
"""Largest difference of the outputs, as a share of the largest output."""

N_REAL = 256
"""Largest number of real windows on which both are compared; random windows fill the batch."""


@dataclass(frozen=True)
class Parity:
    """The difference between the outputs of a network and of its ONNX file.

    Attributes:
        random: Largest absolute difference on random windows.
        real: Largest absolute difference on real windows.
        scale: Largest absolute output of the network.
    """

    random: float
    real: float
    scale: float

    @property
    def holds(self) -> bool:
        """Whether both differences are at most `TOLERANCE` of the scale."""
        return max(self.random, self.real) <= TOLERANCE * self.scale


def exported(
    network: keras.Model, spec: Architecture, windows: Windows, metadata: Mapping[str, str]
) -> tuple[bytes, Parity]:
    """Export an ensemble, and compare it with its ONNX file on random and real windows.

    Args:
        network: An output of `build_ensemble`.
        spec: Its architecture.
        windows: Real windows.
        metadata: What the file says of itself: text by name.

    Returns:
        The content of the file, and the differences.

    Raises:
        ValueError: The network cannot be exported, or the differences are too large.
    """
    if CELLS[spec.cell].one_step:
        raise ValueError(f"the cell {spec.cell} simulates longer forecasts than its network outputs")
    content = export_network(network, metadata)
    parity = compare(network, OnnxNetwork(content, signature_of(spec)), spec, windows)
    if not parity.holds:
        difference = max(parity.random, parity.real)
        raise ValueError(f"its outputs would differ by {difference:.1e} of up to {parity.scale:.1e}")
    return content, parity


def export_network(network: keras.Model, metadata: Mapping[str, str]) -> bytes:
    """Return the ONNX file of an ensemble, which has the same inputs and the same output `Params`.

    Args:
        network: An output of `build_ensemble`.
        metadata: What the file says of itself: text by name.

    Raises:
        ValueError: A layer has no ONNX nodes.
    """
    graph = Graph()
    names = [WINDOW, TICKER][: len(network.inputs)]
    members = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    axis = graph.integers([1])
    outputs = [graph.add("Unsqueeze", [_add_network(graph, one, names), axis]) for one in members]
    graph.nodes.append(helper.make_node("Concat", outputs, [PARAMS], axis=1))
    graph.leave_out_unused([PARAMS])
    inputs = [
        value(name, kind, ["batch", *one.shape[1:]])
        for name, kind, one in zip(names, (FLOAT, INT32), network.inputs, strict=False)
    ]
    proto = graph.proto("lstm_stock", inputs, [value(PARAMS, FLOAT, ["batch", *network.output_shape[1:]])])
    proto.initializer.extend(graph.constants)
    model = helper.make_model(
        proto,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="lstm-stock",
    )
    helper.set_model_props(model, dict(metadata))
    return bytes(model.SerializeToString(deterministic=True))


def _add_network(graph: Graph, network: keras.Model, inputs: Sequence[str]) -> str:
    """Add the nodes of one network, layer by layer, and return the name of its output."""

    def converter(layer: Any) -> Any:
        if type(layer) not in CONVERTERS:
            raise ValueError(f"its layer {type(layer).__name__} has no ONNX nodes")
        return partial(_add_layer, graph, layer)

    # Keras calls, for each layer in turn, what `converter` returns, with names in the place of tensors.
    output: str = network._run_through_graph(list(inputs), operation_fn=converter)
    return output


def _add_layer(
    graph: Graph,
    layer: Any,
    *inputs: Any,
    training: bool | None = None,
    mask: Any = None,
    use_causal_mask: bool = False,
) -> str:
    """Add the nodes of one layer, called with these inputs and keywords of Keras."""
    if mask is not None or training:
        raise ValueError(f"its layer {layer.name} has a mask, or is called in training mode")
    return CONVERTERS[type(layer)](graph, layer, *inputs, *([use_causal_mask] if use_causal_mask else []))


def compare(network: keras.Model, onnx_network: Network, spec: Architecture, windows: Windows) -> Parity:
    """Compare the outputs of a network and of its ONNX file, in one batch of `PREDICT_BATCH` windows.

    A batch of that size is what the network forecast before: TensorFlow need not trace it again.

    Args:
        network: An output of `build_ensemble`.
        onnx_network: Its ONNX file.
        spec: Its architecture.
        windows: Real windows, of which the newest `N_REAL` count.
    """
    random = np.random.default_rng(0)
    newest = replace(windows, cutoffs=windows.cutoffs[-N_REAL:])
    n_real = len(newest)
    # Twice as wide as standardised features.
    x = random.normal(0, 2, (PREDICT_BATCH, spec.look_back, spec.n_features)).astype(np.float32)
    x[:n_real] = newest.inputs
    inputs: Any = x
    if spec.ticker_embedding:
        ids = random.integers(0, spec.n_tickers + 1, PREDICT_BATCH).astype(np.int32)
        ids[:n_real] = newest.ticker_ids
        inputs = [x, ids]
    expected = network.predict_on_batch(inputs)
    difference = np.abs(onnx_network.predict_on_batch(inputs) - expected)
    return Parity(
        random=float(difference[n_real:].max()),
        real=float(difference[:n_real].max()),
        scale=float(np.abs(expected).max()),
    )
