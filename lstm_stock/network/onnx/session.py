"""Forecast with a network in ONNX format, by onnxruntime. Nothing here imports Keras or TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from lstm_stock.config.heads import HEADS
from lstm_stock.errors import RunError
from lstm_stock.network.architecture import Architecture, Params
from lstm_stock.network.onnx.plain import require_plain

WINDOW, TICKER, PARAMS = "window", "ticker", "params"
"""Names of the inputs and of the output."""

MAX_BYTES = 256 * 2**20
"""A larger file is refused: the default network has half a megabyte."""

RUNTIME_ERRORS = (
    errors.EPFail,
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NoModel,
    errors.NotImplemented,
    errors.RuntimeException,
)


@dataclass(frozen=True)
class Signature:
    """Shapes of the inputs and of the output of a network.

    Attributes:
        look_back: Bars per window.
        n_features: Features per bar.
        has_ticker: Whether the second input is the ids of the tickers.
        horizon: Steps forecast.
        n_params: Parameters per step.
    """

    look_back: int
    n_features: int
    has_ticker: bool
    horizon: int
    n_params: int


def signature_of(spec: Architecture) -> Signature:
    """Return the signature of the networks of an architecture."""
    n_params = HEADS[spec.head].n_params or spec.vocabulary
    return Signature(spec.look_back, spec.n_features, spec.ticker_embedding > 0, spec.n_steps, n_params)


class OnnxNetwork:
    """An ensemble of networks that onnxruntime computes on one thread of the CPU.

    One thread adds in the same order on every machine, and more would not pay for the few windows of a forecast.

    Args:
        model: The content of an ONNX file.
        signature: What it must look like.

    Raises:
        ValueError: It is no ONNX file, too large, of another signature, or more than a network of standard
            operators with its weights inside.
    """

    def __init__(self, model: bytes, signature: Signature) -> None:
        if len(model) > MAX_BYTES:
            raise ValueError(f"it has {len(model)} bytes, more than {MAX_BYTES}")
        require_plain(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # fatal: an error is raised, and need not be printed too
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except RUNTIME_ERRORS as error:
            raise ValueError(f"onnxruntime cannot read it: {error}") from error
        _check_signature(self._session, signature)

    @property
    def n_members(self) -> int:
        """Number of networks of the ensemble."""
        return int(self._session.get_outputs()[0].shape[1])

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says of itself."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def predict_on_batch(self, inputs: NDArray[np.float32] | Sequence[NDArray[Any]]) -> Params:
        """Return the parameters of the forecasts, `(n_windows, n_members, horizon, n_params)`.

        Args:
            inputs: Scaled features `(n_windows, look_back, n_features)`; with a ticker embedding a pair of these
                and the ticker ids, `(n_windows,)`.

        Raises:
            RunError: The shapes of the weights do not fit to each other.
        """
        windows, *tickers = [inputs] if isinstance(inputs, np.ndarray) else inputs
        feed = {WINDOW: np.ascontiguousarray(windows, np.float32)}
        if tickers:
            feed[TICKER] = np.ascontiguousarray(tickers[0], np.int32)
        try:
            params: Params = self._session.run([PARAMS], feed)[0]
        except RUNTIME_ERRORS as error:
            raise RunError(
                f"the network in ONNX format cannot be computed: {' '.join(str(error).split())[:200]}",
                "the file was changed after it was saved: train again",
            ) from error
        return params


def _check_signature(session: onnxruntime.InferenceSession, signature: Signature) -> None:
    """Compare names, types and shapes; an axis of any length has a name instead of a number."""
    window = (WINDOW, "tensor(float)", [None, signature.look_back, signature.n_features])
    tickers = [(TICKER, "tensor(int32)", [None])] if signature.has_ticker else []
    members = [session.get_outputs()[0].shape[1:2] or [1]][0]
    n_members = members[0] if isinstance(members[0], int) else 1
    output = (PARAMS, "tensor(float)", [None, n_members, signature.horizon, signature.n_params])
    for what, values, expected in (
        ("inputs", session.get_inputs(), [window, *tickers]),
        ("outputs", session.get_outputs(), [output]),
    ):
        found = [
            (one.name, one.type, [axis if isinstance(axis, int) else None for axis in one.shape])
            for one in values
        ]
        if found != expected:
            raise ValueError(f"its {what} are {found}, not {expected}")
