"""Every cell: what it computes, its parameters, regularisers and gradients, and that it trains and is saved."""

from __future__ import annotations

from dataclasses import fields, replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from lstm_stock import config
from lstm_stock.config import cells
from lstm_stock.config.cells import CELLS
from lstm_stock.config.heads import HEADS
from lstm_stock.config.size import count_params, with_cell
from lstm_stock.errors import ConfigError
from lstm_stock.network.architecture import Architecture, Regularisers
from lstm_stock.network.build import build_ensemble, build_network
from lstm_stock.network.cells.attention import attention_weights
from lstm_stock.network.cells.ntm import Addressing, TuringCell, address
from lstm_stock.network.cells.peephole import PeepholeCell
from lstm_stock.network.cells.stacking import SilentL2, Zoneout
from lstm_stock.network.cells.transformer import (
    CausalAttention,
    HeadsMaxNorm,
    Positions,
    attention,
    sinusoids,
)
from lstm_stock.network.heads import head_of
from lstm_stock.workflow.forecast import architecture_of

TINY = Architecture("lstm", (3,), 0.1, (), "point", look_back=5, n_features=2, horizon=1)
LIMIT = 0.4
ALL_ON = Regularisers(0.3, LIMIT, LIMIT, 0.01, 0.2)
KERNEL_ON = Regularisers(kernel_constraint=LIMIT, l2=0.01)
WINDOWS = np.random.default_rng(0).normal(size=(7, 5, 2)).astype(np.float32)


def seeded(seed: int = 0) -> np.random.Generator:
    keras.utils.set_random_seed(seed)
    return np.random.default_rng(seed)


def randomise(layer: keras.layers.Layer, random: np.random.Generator, scale: float = 0.5) -> None:
    """Set every weight to a random value, also those that start at 0."""
    layer.set_weights([random.normal(0, scale, w.shape).astype(w.dtype) for w in layer.get_weights()])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# --- specs and config ---


def test_heads_have_as_many_parameters_as_their_specs_say_and_options_are_config_keys():
    for name, head in HEADS.items():
        n_params = len(head_of(name).start(TINY))
        assert n_params == (TINY.vocabulary if head.n_params is None else head.n_params)
    options = {field.name for field in fields(Regularisers)}
    assert options == set(cells.RECURRENT_OPTIONS) < set(config.ModelConfig.model_fields)


def test_the_config_reaches_the_regularisers():
    model = {"recurrent_dropout": 0.1, "kernel_constraint": 2, "recurrent_constraint": 3, "l2": 0.2}
    settings = config.Config(model={**model, "zoneout": 0.4, "cell": "gru"})
    assert architecture_of(settings).regularisers == Regularisers(0.1, 2, 3, 0.2, 0.4)
    assert architecture_of(config.Config()).regularisers == Regularisers()


# --- parameters ---


@pytest.mark.parametrize(("cell", "units"), [*((cell, (4, 3)) for cell in CELLS), ("transformer", (3, 3, 5))])
def test_parameters_follow_the_formula(cell, units):
    head, n_features = ("vocabulary", 1) if cell == "token" else ("student_t", 2)
    spec = replace(TINY, cell=cell, units=units, dense=(2,), head=head, horizon=2, n_features=n_features)
    features = ("log_return", "open_gap")[:n_features]
    model = config.ModelConfig(units=units, dense=(2,))
    settings = config.Config(features=features, window=config.WindowConfig(horizon=2), model=model)
    assert build_network(spec).count_params() == count_params(with_cell(settings, cell))


def test_parameters_of_one_layer_by_hand():
    counts = {cell: facts.count(7, (64,))[0] for cell, facts in CELLS.items()}
    assert counts == {
        "rnn": 72 * 64,
        "lstm": 4 * 72 * 64,
        "gru": 3 * 73 * 64,
        "bilstm": 8 * 72 * 64,
        "peephole": 4 * 72 * 64 + 3 * 64,
        "attention": 4 * 72 * 64 + 66 * 64,
        "transformer": 8 * 64 + 8 * 64 * 64 + 11 * 64 + 2 * 64,
        "ntm": 4 * 80 * 64 + 44 * 65,
        "token": 4 * 81 * 64,
    }


# --- what each cell computes ---


def test_the_lstm_without_regularisers_is_kerass_own_stack_from_the_same_seed():
    spec = replace(TINY, units=(4, 3))
    seeded(3)
    network = build_network(spec)
    seeded(3)
    x = inputs = keras.Input((5, 2))
    x = layers.LSTM(4, return_sequences=True)(x)
    x = layers.Dropout(0.1)(x)
    x = layers.LSTM(3)(x)
    x = layers.Dropout(0.1)(x)
    plain = keras.Model(inputs, layers.Dense(1)(x))
    for ours, theirs in zip(network.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(network(WINDOWS)[:, 0], plain(WINDOWS))
    names = [layer.name for layer in network.layers]
    assert names[:5] == ["window", "lstm_1", "dropout_1", "lstm_2", "dropout_2"]
    assert type(network.get_layer("lstm_1")) is layers.LSTM


def test_an_lstm_with_peepholes_of_zero_is_an_lstm():
    seeded()
    ours, theirs = layers.RNN(PeepholeCell(3)), layers.LSTM(3)
    ours(WINDOWS), theirs(WINDOWS)
    theirs.set_weights(ours.get_weights()[:3])
    np.testing.assert_allclose(ours(WINDOWS), theirs(WINDOWS), atol=1e-6)


def test_peepholes_follow_their_equations():
    random = seeded()
    layer = layers.RNN(PeepholeCell(3))
    layer(WINDOWS)
    randomise(layer, random)
    w, u, b, p = layer.get_weights()
    h = c = np.zeros((7, 3))
    for x in np.moveaxis(WINDOWS, 1, 0):
        i, f, candidate, o = np.split(x @ w + h @ u + b, 4, axis=-1)
        f, i = sigmoid(f + p[1] * c), sigmoid(i + p[0] * c)
        c = f * c + i * np.tanh(candidate)
        h = sigmoid(o + p[2] * c) * np.tanh(c)
    np.testing.assert_allclose(layer(WINDOWS), h, atol=1e-6)


def test_a_bilstm_is_an_lstm_from_each_end():
    seeded()
    network = build_network(replace(TINY, cell="bilstm"))
    pair = network.get_layer("bilstm_1")
    there, back = layers.LSTM(3), layers.LSTM(3)
    there(WINDOWS), back(WINDOWS)
    there.set_weights(pair.get_weights()[:3])
    back.set_weights(pair.get_weights()[3:])
    expected = np.concatenate([there(WINDOWS), back(WINDOWS[:, ::-1])], axis=-1)
    np.testing.assert_allclose(pair(WINDOWS), expected, atol=1e-6)


def test_a_bilstm_takes_every_regulariser_both_ways():
    seeded()
    pair = build_network(replace(TINY, cell="bilstm", regularisers=ALL_ON)).get_layer("bilstm_1")
    assert [type(each.cell) for each in (pair.forward_layer, pair.backward_layer)] == [Zoneout, Zoneout]
    first, second = (np.asarray(pair(WINDOWS, training=True)) for _ in range(2))
    assert (first != second).any(axis=0).all()


def test_attention_weights_sum_to_one_and_weigh_the_states():
    random = seeded()
    members = [build_network(replace(TINY, cell="attention")) for _ in range(2)]
    for member in members:
        randomise(member, random)
    weights = attention_weights(build_ensemble(members), WINDOWS)
    assert weights.shape == (7, 2, 5)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    assert weights.std(axis=-1).min() > 1e-3
    inner = keras.Model(members[1].input, members[1].get_layer("lstm_1").output)
    vector = keras.Model(members[1].input, members[1].get_layer("attention_vector").output)
    states = np.asarray(inner(WINDOWS))
    np.testing.assert_allclose(vector(WINDOWS), np.einsum("wt,wtn->wn", weights[:, 1], states), atol=1e-6)
    w, b, v = members[1].get_weights()[3:6]
    scores = np.exp(np.tanh(states @ w + b) @ v)[..., 0]
    np.testing.assert_allclose(weights[:, 1], scores / scores.sum(axis=1, keepdims=True), atol=1e-6)


def test_a_network_without_attention_has_no_weights_to_show():
    with pytest.raises(ConfigError, match="the network has no attention weights") as caught:
        attention_weights(build_ensemble([build_network(TINY)]), WINDOWS)
    assert caught.value.hint == "train one with `model.cell: attention`"


def test_a_transformer_does_not_look_ahead_but_back():
    seeded()
    network = build_network(replace(TINY, cell="transformer", units=(4, 6)))
    states = keras.Model(network.input, network.get_layer("encoded").output)
    other = WINDOWS.copy()
    other[:, 3:] += 1
    before, after = np.asarray(states(WINDOWS)), np.asarray(states(other))
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert np.abs(before[:, 3:] - after[:, 3:]).min(axis=-1).max() > 1e-3
    other = WINDOWS.copy()
    other[:, 0] += 1
    assert np.abs(states(other) - before)[:, -1].max() > 1e-3
    last = keras.Model(network.input, network.get_layer("last_state").output)
    np.testing.assert_array_equal(last(WINDOWS), before[:, -1])


@pytest.mark.parametrize("width", [3, 6, 8])
def test_causal_attention_follows_its_equation(width):
    random = seeded()
    layer = attention(width, Regularisers(), "attention")
    x = random.normal(size=(2, 4, width)).astype(np.float32)
    layer(x, x)
    assert sum(w.size for w in layer.get_weights()) == 4 * (width + 1) * width
    randomise(layer, random)
    kernels = [w.reshape(width, width) for w in layer.get_weights()[::2]]
    biases = [b.reshape(width) for b in layer.get_weights()[1::2]]
    query, key, value = (x @ w + b for w, b in zip(kernels[:3], biases[:3], strict=True))
    d = width // layer.num_heads
    mixed = np.zeros_like(x)
    for head in (slice(start, start + d) for start in range(0, width, d)):
        for t in range(4):
            scores = np.exp(np.einsum("bn,bsn->bs", query[:, t, head], key[:, : t + 1, head]) / np.sqrt(d))
            weights = scores / scores.sum(axis=1, keepdims=True)
            mixed[:, t, head] = np.einsum("bs,bsn->bn", weights, value[:, : t + 1, head])
    np.testing.assert_allclose(layer(x, x, use_causal_mask=True), mixed @ kernels[3] + biases[3], atol=1e-5)
    older = CausalAttention(layer.num_heads)(query, key, value)
    np.testing.assert_allclose(older, mixed, atol=1e-5)


def test_attention_kernels_start_like_those_of_dense_layers():
    seeded()
    width = 64
    layer = attention(width, Regularisers(), "attention")
    layer.build((None, 4, width), (None, 4, width))
    for kernel in layer.get_weights()[::2]:  # uniform up to sqrt(6 / (fan_in + fan_out))
        assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / (2 * width)), rel=0.01)
        assert kernel.std() == pytest.approx(np.sqrt(2 / (2 * width)), rel=0.05)


def test_attention_kernels_are_constrained_unit_by_unit():
    random = seeded()
    width, limit = 8, 1.5
    layer = attention(width, Regularisers(kernel_constraint=limit), "attention")
    layer.build((None, 4, width), (None, 4, width))
    for variable in layer.trainable_variables[::2]:
        kernel = random.normal(size=variable.shape).astype(np.float32)
        expected = kernel.reshape(width, width)
        expected = expected * np.minimum(1, limit / np.linalg.norm(expected, axis=0))
        assert isinstance(variable.constraint, HeadsMaxNorm)
        np.testing.assert_allclose(variable.constraint(kernel), expected.reshape(kernel.shape), rtol=1e-5)


def test_attention_layers_of_older_runs_are_read():
    saved = {
        "module": "lstm_stock.models.cells.transformer",
        "class_name": "CausalAttention",
        "config": {"n_heads": 2, "name": "block_1_attention"},
        "registered_name": "lstm_stock>CausalAttention",
    }
    layer = keras.saving.deserialize_keras_object(saved)
    assert (type(layer), layer.n_heads, layer.name) == (CausalAttention, 2, "block_1_attention")


def test_positions_are_the_sinusoids_of_the_paper():
    table = sinusoids(50, 5)
    assert table.shape == (50, 5)
    assert table[7, 0] == pytest.approx(np.sin(7))
    assert table[7, 3] == pytest.approx(np.cos(7 / 10_000 ** (2 / 5)))
    np.testing.assert_allclose(Positions()(np.zeros((1, 50, 5), np.float32))[0], table, atol=1e-5)


# --- the Turing machine ---


def numpy_address(memory, previous, key, beta, gate, shifts, gamma):
    """Graves et al. 2014, equations 5 to 9, slot by slot."""
    n = len(memory)
    cosines = [key @ row / (np.linalg.norm(key) * np.linalg.norm(row)) for row in memory]
    content = np.exp(beta * np.array(cosines))
    content /= content.sum()
    mixed = gate * content + (1 - gate) * previous
    shifted = [
        sum(mixed[j] * {0: shifts[1], 1: shifts[2], n - 1: shifts[0]}.get((i - j) % n, 0) for j in range(n))
        for i in range(n)
    ]
    powered = np.array(shifted) ** gamma
    return powered / powered.sum()


def addressed(memory, previous, *parameters):
    addressing = Addressing(*(np.atleast_1d(np.float32(each))[None] for each in parameters))
    return np.asarray(address(np.float32(memory)[None], np.float32(previous)[None], addressing))[0]


def test_a_head_finds_its_slots_by_the_papers_equations():
    random = seeded()
    memory = random.normal(size=(5, 3))
    previous = np.array([0.1, 0.6, 0.1, 0.1, 0.1])
    parameters = (memory[2] + 0.1, 3.0, 0.4, [0.2, 0.1, 0.7], 2.5)
    np.testing.assert_allclose(
        addressed(memory, previous, *parameters), numpy_address(memory, previous, *parameters), atol=1e-5
    )
    # The slot most like the key; then one slot forward and one back, in the circle, from the previous weights.
    assert addressed(memory, previous, memory[3], 50.0, 1.0, [0, 1, 0], 1.0).argmax() == 3
    first = [1.0, 0, 0, 0, 0]
    np.testing.assert_allclose(
        addressed(memory, first, memory[3], 9.0, 0, [0, 0, 1], 1.0), [0, 1, 0, 0, 0], atol=1e-6
    )
    np.testing.assert_allclose(
        addressed(memory, first, memory[3], 9.0, 0, [1, 0, 0], 1.0), [0, 0, 0, 0, 1], atol=1e-6
    )


def test_a_turing_machine_erases_adds_and_reads():
    random = seeded()
    cell = TuringCell(layers.LSTMCell(3), n_slots=4, slot_width=2)
    cell.build((None, 2))
    randomise(cell, random)
    states = cell.get_initial_state(batch_size=7)
    memory = np.full((7, 4, 2), 1e-6)
    for x in np.moveaxis(WINDOWS, 1, 0):
        before = [np.asarray(state) for state in states]
        output, states = cell(x, states)
        h, _, flat, read, written_at, read_at = (np.asarray(state) for state in states)
        np.testing.assert_allclose(written_at.sum(axis=-1), 1, atol=1e-6)
        np.testing.assert_allclose(read_at.sum(axis=-1), 1, atol=1e-6)
        controller, _ = cell.controller(np.concatenate([x, before[3]], axis=-1), before[:2])
        np.testing.assert_allclose(h, controller, atol=1e-6)
        emitted = np.asarray(cell.heads(h))
        erase, add = sigmoid(emitted[:, -4:-2]), np.tanh(emitted[:, -2:])
        memory = memory * (1 - written_at[..., None] * erase[:, None]) + written_at[..., None] * add[:, None]
        np.testing.assert_allclose(flat.reshape(7, 4, 2), memory, atol=1e-6)
        np.testing.assert_allclose(read, np.einsum("bi,bim->bm", read_at, memory), atol=1e-6)
        np.testing.assert_array_equal(output, np.concatenate([h, read], axis=-1))
    assert [state.shape[1] for state in states] == cell.state_size
    assert output.shape[1] == cell.output_size


# --- regularisers ---


@pytest.mark.parametrize("training", [False, True])
def test_zoneout_of_zero_is_none_and_of_one_keeps_the_first_state(training):
    seeded()
    plain, none, full = (
        layers.LSTM(3),
        layers.RNN(Zoneout(layers.LSTMCell(3), 0)),
        layers.RNN(Zoneout(layers.LSTMCell(3), 1)),
    )
    for layer in (plain, none, full):
        layer(WINDOWS)
        layer.set_weights(plain.get_weights())
    np.testing.assert_allclose(none(WINDOWS, training=training), plain(WINDOWS), atol=1e-6)
    np.testing.assert_array_equal(full(WINDOWS, training=training), np.zeros((7, 3)))
    start = [np.full((7, 3), 0.3, np.float32), np.full((7, 3), 0.4, np.float32)]
    np.testing.assert_array_equal(full(WINDOWS, initial_state=start, training=training), start[0])


def test_zoneout_keeps_units_in_training_and_their_mean_afterwards():
    random = seeded()
    inner = layers.LSTMCell(400)
    cell = Zoneout(inner, 0.3)
    cell.build((None, 2))
    x, h, c = (random.normal(size=(5, n)).astype(np.float32) for n in (2, 400, 400))
    _, updated = inner(x, [h, c])
    _, mean = cell(x, [h, c])
    output, kept = cell(x, [h, c], training=True)
    np.testing.assert_array_equal(output, kept[0])
    for old, new, expected, got in zip([h, c], updated, mean, kept, strict=True):
        np.testing.assert_allclose(expected, 0.3 * old + 0.7 * np.asarray(new), atol=1e-6)
        is_old, is_new = np.asarray(got) == old, np.asarray(got) == np.asarray(new)
        assert (is_old | is_new).all()
        assert is_old.mean() == pytest.approx(0.3, abs=0.05)
    assert ((np.asarray(kept[0]) == h) != (np.asarray(kept[1]) == c)).any()  # h and c have independent draws


def test_recurrent_dropout_inside_another_cell_has_one_mask_for_all_bars():
    """With h = 1 + m h, a unit whose mask is 0 stays at 1, and one whose mask is 2 goes 1, 3, 7, 15, 31."""
    seeded()
    layer = layers.RNN(Zoneout(layers.SimpleRNNCell(60, activation=None, recurrent_dropout=0.5), 0))
    layer(WINDOWS)
    layer.set_weights([np.zeros((2, 60)), np.eye(60), np.ones(60)])
    first, second = (np.asarray(layer(WINDOWS, training=True)) for _ in range(2))
    assert set(np.unique(first)) == {1, 31}
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer(WINDOWS), np.full((7, 60), 5))


def test_the_controller_of_a_turing_machine_draws_new_dropout_masks_per_batch():
    seeded()
    layer = layers.RNN(TuringCell(layers.LSTMCell(20, recurrent_dropout=0.5), 4, 2))
    first, second = (np.asarray(layer(WINDOWS, training=True)) for _ in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer(WINDOWS), layer(WINDOWS))


def test_masks_come_from_the_seed():
    outputs = []
    for seed in (1, 1, 2):
        seeded(seed)
        layer = layers.RNN(Zoneout(PeepholeCell(3, recurrent_dropout=0.5), 0.5))
        layer(WINDOWS)
        layer.set_weights([np.full(w.shape, 0.3) for w in layer.get_weights()])
        outputs.append(np.asarray(layer(WINDOWS, training=True)))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0], outputs[2])


def test_the_penalty_moves_weights_and_not_the_loss():
    weights = tf.Variable([[1.0, -2.0], [3.0, 1e4]])
    with tf.GradientTape() as tape:
        value = SilentL2(0.01)(weights)
    assert float(value) == 0
    np.testing.assert_allclose(tape.gradient(value, weights), 0.02 * weights.numpy(), rtol=1e-6)
    network = build_network(replace(TINY, regularisers=Regularisers(l2=0.5)))
    assert [float(loss) for loss in network.losses] == [0, 0]


# --- gradients ---


@pytest.fixture
def float64():
    before = keras.config.dtype_policy()
    keras.config.set_floatx("float64")  # of windows
    keras.config.set_dtype_policy("float64")  # of layers
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(before)


GRADIENTS = {
    "peephole": lambda: layers.RNN(PeepholeCell(3)),
    "zoneout": lambda: layers.RNN(Zoneout(layers.GRUCell(3), 0.3)),
    "ntm": lambda: layers.RNN(TuringCell(Zoneout(layers.LSTMCell(3), 0.3), 4, 2)),
    "attention": lambda: build_network(replace(TINY, cell="attention")),
    "transformer": lambda: build_network(replace(TINY, cell="transformer", units=(4,))),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_those_of_central_differences(name, float64):
    """The slope along a random direction of each weight, and of the windows."""
    random = seeded()
    layer = GRADIENTS[name]()
    x = tf.Variable(WINDOWS[:3].astype(np.float64))
    layer(x)
    randomise(layer, random)

    def value() -> tf.Tensor:
        return tf.reduce_sum(tf.sin(tf.cast(layer(x), tf.float64)))

    variables = [x, *(weight.value for weight in layer.trainable_variables)]
    with tf.GradientTape() as tape:
        total = value()
    gradients = tape.gradient(total, variables)
    step = 1e-6
    for variable, gradient in zip(variables, gradients, strict=True):
        at = variable.numpy()
        direction = random.normal(size=at.shape)
        ends = []
        for sign in (1, -1):
            variable.assign(at + sign * step * direction)
            ends.append(float(value()))
        variable.assign(at)
        slope = (ends[0] - ends[1]) / (2 * step)
        assert slope == pytest.approx(float(np.sum(gradient * direction)), rel=1e-5, abs=1e-8)


# --- trained, saved and loaded ---


@pytest.fixture(scope="module")
def trained():
    """One network of all cells with all their regularisers, after one epoch of `fit`, and its weights before."""
    seeded()
    rules = {cell: ALL_ON if "zoneout" in CELLS[cell].options else KERNEL_ON for cell in CELLS}
    rules["attention"] = Regularisers()
    rules["bilstm"] = replace(
        KERNEL_ON, recurrent_constraint=LIMIT
    )  # tracing its loops with zoneout takes long
    members = [build_network(replace(TINY, cell=cell, regularisers=rules[cell])) for cell in CELLS]
    before = [[weight.copy() for weight in member.get_weights()] for member in members]
    network = build_ensemble(members)
    network.compile(optimizer="sgd", loss="mse")
    network.optimizer.build(network.trainable_variables)
    y = np.ones((7, len(CELLS), 1, 1))
    history = network.fit(WINDOWS, y, batch_size=7, verbose=0).history
    return network, members, before, history


def test_every_weight_of_every_cell_learns(trained):
    _, members, before, history = trained
    assert np.isfinite(history["loss"]).all()
    for member, weights in zip(members, before, strict=True):
        for variable, old in zip(member.trainable_variables, weights, strict=True):
            assert np.isfinite(variable.numpy()).all()
            if "key/bias" not in variable.path:  # adds the same to all scores, which softmax does not see
                assert not np.array_equal(variable.numpy(), old), variable.path


def test_weights_keep_their_maximum_norm(trained):
    _, members, _, _ = trained
    for cell, member in zip(CELLS, members, strict=True):
        kernels = [each.numpy() for each in member.trainable_variables if each.constraint is not None]
        assert len(kernels) == {"attention": 0, "bilstm": 4, "transformer": 7, "token": 0}.get(cell, 2)
        for kernel in kernels:
            columns = (
                kernel.reshape(-1, 3) if kernel.ndim == 3 else kernel
            )  # of attention, one head of width 3
            assert np.linalg.norm(columns, axis=0).max() <= LIMIT + 1e-5


def test_every_cell_survives_saving_in_safe_mode(trained, tmp_path):
    network, members, _, _ = trained
    copy = build_ensemble([keras.Model.from_config(member.get_config()) for member in members])
    copy.set_weights(network.get_weights())
    copy.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    expected = np.asarray(network(WINDOWS))
    assert expected.shape == (7, len(CELLS), 1, 1)
    np.testing.assert_array_equal(loaded(WINDOWS), expected)
