"""The ONNX file of a network has the outputs of the Keras network, for every cell and head."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from lstm_stock.config.cells import CELLS, CellSpec
from lstm_stock.config.heads import HEADS
from lstm_stock.network.architecture import Architecture, Regularisers
from lstm_stock.network.build import build_ensemble, build_network
from lstm_stock.network.forecast import forecast_tickers
from lstm_stock.network.onnx import export
from lstm_stock.network.onnx.export import export_network, exported
from lstm_stock.network.onnx.session import OnnxNetwork, signature_of
from tests.network.test_training import TEST, TINY

RANDOM = np.random.default_rng(5)
SPEC = Architecture("rnn", (4, 8), 0.3, (6,), "student_t", look_back=5, n_features=3, horizon=2)
WINDOWS = RANDOM.normal(size=(6, 5, 3)).astype(np.float32)
EXPORTED = [name for name in CELLS if name != "token"]
HEADS_OF_ANY_CELL = [name for name in HEADS if name != "vocabulary"]


def random_network(spec: Architecture, n_members: int = 1) -> keras.Model:
    """An ensemble without a weight of zero, so that each of them matters."""
    network = build_ensemble([build_network(spec) for _ in range(n_members)])
    network.set_weights([one + RANDOM.normal(0, 0.3, one.shape) for one in network.get_weights()])
    return network


def assert_same(network: keras.Model, spec: Architecture, inputs) -> OnnxNetwork:
    converted = OnnxNetwork(export_network(network, {}), signature_of(spec))
    expected = keras.ops.convert_to_numpy(network(inputs))
    assert np.ptp(expected, axis=0).min() > 1e-4  # it depends on the window
    np.testing.assert_allclose(
        converted.predict_on_batch(inputs), expected, atol=1e-6 * np.abs(expected).max()
    )
    return converted


@pytest.mark.parametrize(
    ("cell", "head"), [*product(EXPORTED, ["student_t"]), *product(["rnn"], HEADS_OF_ANY_CELL)]
)
def test_every_cell_and_every_head_has_the_outputs_of_keras(cell, head):
    """`benchmarks/onnx_parity.py` has every pair of them."""
    spec = replace(SPEC, cell=cell, head=head)
    assert_same(random_network(spec), spec, WINDOWS)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "bilstm", "peephole", "ntm"])
def test_zoneout_after_training_too(cell):
    rules = Regularisers(recurrent_dropout=0.2, kernel_constraint=2.0, l2=0.1, zoneout=0.3)
    spec = replace(SPEC, cell=cell, regularisers=rules)
    assert_same(random_network(spec), spec, WINDOWS)


def test_members_ticker_embedding_and_shortcut():
    spec = replace(SPEC, head="drift_t", ticker_embedding=2, n_tickers=3, shortcut=True)
    ids = np.array([0, 1, 3, 2, 2, 0], np.int32)
    converted = assert_same(random_network(spec, n_members=3), spec, [WINDOWS, ids])
    assert converted.n_members == 3


@pytest.mark.parametrize("cell", ["lstm", "peephole"])
def test_a_cell_that_adds_nothing_is_not_computed(cell):
    spec = replace(SPEC, cell=cell, head="drift_t", shortcut=True)
    network = random_network(spec)
    (member,) = (layer for layer in network.layers if isinstance(layer, keras.Model))
    head = member.get_layer("head")
    head.set_weights([np.zeros_like(head.get_weights()[0]), head.get_weights()[1]])
    assert_same(network, spec, WINDOWS)
    graph = onnx.load_from_string(export_network(network, {})).graph
    assert not {node.op_type for node in graph.node} & {"LSTM", "Loop", "Scan"}
    n_weights = sum(np.prod(one.dims) for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT)
    assert n_weights == (3 + 1) * 4 + 4 + 3  # of the shortcut, the bias of the head, the units


def test_a_loaded_network_is_exported_to_the_same_bytes(tmp_path):
    network = random_network(replace(SPEC, cell="peephole"))
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert export_network(network, {}) == export_network(loaded, {})


def test_the_file_is_valid_standard_onnx_that_says_what_it_is():
    content = export_network(random_network(replace(SPEC, cell="ntm")), {"config_sha256": "12ab"})
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]
    assert {one.key: one.value for one in model.metadata_props} == {"config_sha256": "12ab"}


@pytest.fixture(scope="module")
def tiny_network():
    return random_network(TINY)


def test_both_are_compared_on_random_and_real_windows(tiny_network):
    content, parity = exported(tiny_network, TINY, TEST, {})
    assert parity.holds
    assert 0 < parity.random <= 1e-5 * parity.scale
    converted = OnnxNetwork(content, signature_of(TINY))
    (ours,), (theirs,) = (forecast_tickers(one, TINY, [TEST]) for one in (converted, tiny_network))
    np.testing.assert_allclose(ours.quantile(0.9), theirs.quantile(0.9), rtol=1e-5)
    np.testing.assert_array_equal(
        converted.predict_on_batch(TEST.inputs), converted.predict_on_batch(TEST.inputs)
    )


@pytest.mark.parametrize(("real", "part"), [(True, "real"), (False, "random")])
def test_a_difference_on_either_kind_of_window_is_refused(tiny_network, monkeypatch, real, part):
    class Wrong(OnnxNetwork):
        def predict_on_batch(self, inputs):
            params = super().predict_on_batch(inputs).copy()
            params[0 if real else -1, 0, 0, 0] += 2e-5 * np.abs(params).max()
            return params

    monkeypatch.setattr(export, "OnnxNetwork", Wrong)
    with pytest.raises(ValueError, match="its outputs would differ by"):
        exported(tiny_network, TINY, TEST, {})
    parity = export.compare(
        tiny_network, Wrong(export_network(tiny_network, {}), signature_of(TINY)), TINY, TEST
    )
    assert getattr(parity, part) == max(parity.real, parity.random)


def test_a_cell_that_simulates_its_horizon_is_not_exported():
    spec = Architecture("token", (3,), 0.0, (), "vocabulary", look_back=4, n_features=1, horizon=2)
    with pytest.raises(ValueError, match="the cell token simulates"):
        exported(build_ensemble([build_network(spec)]), spec, TEST, {})


def test_layers_without_nodes_are_named(monkeypatch):
    def cell(x, spec):
        return layers.GlobalAveragePooling1D()(layers.LSTM(spec.units[0], return_sequences=True)(x))

    def unusual(x, spec):
        return layers.LSTM(spec.units[0], activation="relu", name="rectified")(x)

    for build, complaint in (
        (cell, "its layer GlobalAveragePooling1D has no"),
        (unusual, "its layer rectified"),
    ):
        monkeypatch.setitem(CELLS, "other", CellSpec("a test", "none", "", lambda m, n: (0, 0), build))
        network = random_network(replace(SPEC, cell="other"))
        with pytest.raises(ValueError, match=complaint):
            export_network(network, {})
