"""Refuse an ONNX file that is more than a network of standard operators with its weights inside.

A runtime reads weights from other files, or calls operators of other libraries, if an ONNX file names them. So the
file is scanned before the runtime sees it. The scan reads the encoding of Protocol Buffers
(protobuf.dev/programming-guides/encoding): to import the package `onnx` takes longer than a forecast.
"""

from __future__ import annotations

from collections.abc import Iterator

STANDARD_DOMAINS = (b"", b"ai.onnx")

# Numbers of fields in `onnx.proto` (github.com/onnx/onnx).
_MODEL_GRAPH, _MODEL_OPSET, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 8, 20, 25
_OPSET_DOMAIN = 1
_GRAPH_NODE, _GRAPH_CONSTANT, _GRAPH_SPARSE = 1, 5, 15
_NODE_ATTRIBUTE, _NODE_DOMAIN = 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_TENSOR_EXTERNAL = (13, 14)

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def require_plain(model: bytes) -> None:
    """Check an ONNX file.

    Raises:
        ValueError: It names operators that are not standard, data outside the file, functions, sparse constants or
            a training; or it is no encoding of fields.
    """
    for number, content in _fields(memoryview(model)):
        if number == _MODEL_GRAPH:
            _check_graph(content)
        elif number == _MODEL_OPSET:
            _check_domain(content, _OPSET_DOMAIN)
        elif number in (_MODEL_TRAINING, _MODEL_FUNCTIONS):
            raise ValueError("it holds functions or a training")


def _check_graph(graph: memoryview) -> None:
    for number, content in _fields(graph):
        if number == _GRAPH_NODE:
            _check_domain(content, _NODE_DOMAIN)
            for kind, attribute in _fields(content):
                if kind == _NODE_ATTRIBUTE:
                    _check_attribute(attribute)
        elif number == _GRAPH_CONSTANT:
            _check_tensor(content)
        elif number == _GRAPH_SPARSE:
            raise ValueError("it holds sparse constants")


def _check_attribute(attribute: memoryview) -> None:
    for number, content in _fields(attribute):
        if number in _ATTRIBUTE_GRAPHS:
            _check_graph(content)
        elif number in _ATTRIBUTE_TENSORS:
            _check_tensor(content)
        elif number in _ATTRIBUTE_SPARSE:
            raise ValueError("it holds sparse constants")


def _check_tensor(tensor: memoryview) -> None:
    if any(number in _TENSOR_EXTERNAL for number, _ in _fields(tensor)):
        raise ValueError("some of its data is in another file")


def _check_domain(message: memoryview, field: int) -> None:
    for number, content in _fields(message):
        if number == field and bytes(content) not in STANDARD_DOMAINS:
            raise ValueError(f"its operators are not standard: {bytes(content).decode(errors='replace')}")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and the content of each field; the content of a number is empty."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind, length = key & 7, 0
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("it is no ONNX file")
        if at + length > len(message):
            raise ValueError("it is no ONNX file, or cut off")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Read a number, 7 bits a byte, and return it with the place after it."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        number |= (message[at] & 0x7F) << shift
        at += 1
        if message[at - 1] < 0x80:
            return number, at
    raise ValueError("it is no ONNX file, or cut off")
