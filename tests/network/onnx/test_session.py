"""A file that is not a network of standard operators, of the expected shapes, is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from lstm_stock.network.onnx import session
from lstm_stock.network.onnx.plain import require_plain
from lstm_stock.network.onnx.session import OnnxNetwork, Signature

SIGNATURE = Signature(look_back=4, n_features=2, has_ticker=False, horizon=3, n_params=2)
BRANCH = helper.make_graph(
    [helper.make_node("Foo", ["x"], ["y"], domain="com.example")],
    "branch",
    [],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
)


def model(nodes=(), constants=(), **changed) -> onnx.ModelProto:
    """A network of two members that outputs the sum of a window, repeated."""
    shape = changed.get("shape", ["batch", 4, 2])
    output = changed.get("output", ["batch", 2, 3, 2])
    kind = changed.get("kind", TensorProto.FLOAT)
    graph = helper.make_graph(
        [
            *nodes,
            helper.make_node("ReduceSum", ["window", "axes"], ["sum"]),
            helper.make_node("Unsqueeze", ["sum", "last"], ["row"]),
            helper.make_node("Tile", ["row", "repeats"], ["params"]),
        ],
        "sums",
        [helper.make_tensor_value_info("window", kind, shape)],
        [helper.make_tensor_value_info("params", kind, output)],
        [
            helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2]),
            helper.make_tensor("last", TensorProto.INT64, [1], [3]),
            helper.make_tensor("repeats", TensorProto.INT64, [4], [1, 2, 3, 2]),
            *constants,
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def read(proto: onnx.ModelProto, signature: Signature = SIGNATURE) -> OnnxNetwork:
    return OnnxNetwork(proto.SerializeToString(), signature)


def test_a_valid_file_is_read():
    network = read(model(shape=["batch", 4, 2]))
    windows = np.arange(16, dtype=np.float32).reshape(2, 4, 2)
    sums = np.broadcast_to([[[[28.0]]], [[[92.0]]]], (2, 2, 3, 2))
    np.testing.assert_array_equal(network.predict_on_batch(windows[..., :]), sums)
    assert network.n_members == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"shape": ["batch", 5, 2]}, "its inputs are"),
        ({"shape": [1, 4, 2]}, "its inputs are"),
        ({"output": ["batch", 2, 3, 3]}, "its outputs are|onnxruntime cannot read it"),
        ({"kind": TensorProto.DOUBLE}, "its inputs are"),
    ],
)
def test_other_shapes_and_types_are_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        read(model(**change))


@pytest.mark.parametrize(
    "changed", [{"has_ticker": True}, {"horizon": 2}, {"n_params": 3}, {"look_back": 3}, {"n_features": 1}]
)
def test_a_network_of_another_config_is_refused(changed):
    with pytest.raises(ValueError, match=r"its (in|out)puts are"):
        read(model(), replace(SIGNATURE, **changed))


def external() -> TensorProto:
    tensor = helper.make_tensor("far", TensorProto.FLOAT, [1], [1.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    return tensor


def with_operators_of_another_domain() -> onnx.ModelProto:
    proto = model([helper.make_node("Gelu", ["window"], ["unused"], domain="com.microsoft")])
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return proto


def with_function() -> onnx.ModelProto:
    proto = model()
    node = helper.make_node("Abs", ["x"], ["y"])
    proto.functions.append(
        helper.make_function("own", "F", ["x"], ["y"], [node], [helper.make_opsetid("", 17)])
    )
    return proto


def with_sparse_constant() -> onnx.ModelProto:
    proto = model()
    values = helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [3]))
    return proto


@pytest.mark.parametrize(
    ("proto", "complaint"),
    [
        (with_operators_of_another_domain(), "its operators are not standard: com.microsoft"),
        (model([helper.make_node("If", ["c"], ["z"], then_branch=BRANCH)]), "not standard: com.example"),
        (model(constants=[external()]), "some of its data is in another file"),
        (model([helper.make_node("Constant", [], ["c"], value=external())]), "in another file"),
        (with_function(), "it holds functions or a training"),
        (with_sparse_constant(), "it holds sparse constants"),
    ],
)
def test_more_than_standard_operators_and_weights_is_refused_before_the_runtime_sees_it(
    proto, complaint, monkeypatch
):
    monkeypatch.setattr(session.onnxruntime, "InferenceSession", None)
    with pytest.raises(ValueError, match=complaint):
        read(proto)


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(session, "MAX_BYTES", 10)
    with pytest.raises(ValueError, match="more than 10"):
        read(model())


VALID = model().SerializeToString()


@given(st.integers(0, len(VALID) - 1), st.integers(0, 255))
def test_a_damaged_file_raises_nothing_but_value_error(place, byte):
    damaged = VALID[:place] + bytes([byte]) + VALID[place + 1 :]
    for content in (damaged, VALID[:place]):
        try:
            require_plain(content)
        except ValueError:
            continue


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x00\xff", b"[1, 2]", VALID[:40]])
def test_what_is_no_network_is_refused(content):
    with pytest.raises(ValueError, match=r"no ONNX file|cannot read it"):
        OnnxNetwork(content, SIGNATURE)
