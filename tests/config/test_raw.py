from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lstm_stock.config import (
    Config,
    EarlyStoppingConfig,
    ModelConfig,
    TrainingConfig,
    WindowConfig,
    load_config,
)
from lstm_stock.errors import ConfigError

HINT = "`lstm-stock config show` prints every key with its value"
TICKER = (
    "must be a ticker: 1 to 32 letters, digits and `.-^=&_+$:`, not beginning with `.` or `-`, without `..`"
)

TOP_KEYS = "data, features, target, target_scale, window, split, scaler, model, training, calibration, seed"
HEADS = "point, gaussian, student_t, drift_t, quantile, vocabulary"
CELLS = "rnn, lstm, gru, bilstm, peephole, attention, transformer, ntm, token"
SHARE_OR_DAY = "must be a share of the bars such as 0.2, or a date such as 2020-01-31"
NO_REGRESSION = "got 'linear', must be none (or left out) with head {}; it needs head drift_t"
NO_STATE = (
    "must be 0 (or left out) with cell transformer, to which it does not apply; "
    "it applies to rnn, lstm, gru, bilstm, peephole, attention, ntm"
)
SWITCH = "got nothing, must be null to turn it off; leave the key out for the default"
WITHIN_DATA = "must be within data.start 2010-01-01 and data.end 2023-12-31"
ONE_KIND = "must be of one kind: both shares or both dates"
NO_TRAIN = "leave nothing to train on; their sum must be below 1"
NO_SCALE = "must be none (or left out) with target: close, which is a price"
SECTION = "must be a section with any of the keys"
NULL_TICKER = 'must be a ticker such as AAPL (a ticker named null takes quotes: "null")'
KEY_VALUE = "expected KEY=VALUE such as window.look_back=30"
CLOSE_HEAD = (
    "cannot forecast target close, as it gives weight to prices below zero; "
    "model.head must be point or quantile"
)

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a text as `my.yaml`, with overrides."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str, *overrides: str) -> Config:
        Path("my.yaml").write_text(text, encoding="utf-8")
        return load_config(Path("my.yaml"), overrides)

    return load_text


def faults(load: Load, text: str, *overrides: str) -> list[str]:
    """The lines of the error that a text ends in."""
    with pytest.raises(ConfigError) as caught:
        load(text, *overrides)
    assert caught.value.hint == HINT
    return caught.value.message.splitlines()


# --- what is wrong with a file ---


def test_all_faults_are_reported_in_the_order_of_lines(load: Load) -> None:
    text = """\
window: {lookback: 60, horizon: 0}
lookback: 5
widnow: 3
model:
  head: student
  units: 64
  dropout: 1.5
  dense: [a, 0]
training:
  epochs: abc
  batch_size: 1.5
  learning_rate: .nan
  epochs: 5
seed: 1e3
lr: 5
"""
    assert faults(load, text, "training.members=[1]", "model.cell=tcn") == [
        "my.yaml:1: window.horizon: got 0, must be at least 1",
        "my.yaml:1: window.lookback: unknown key; did you mean look_back?",
        "my.yaml:2: lookback: unknown key; did you mean window.look_back?",
        "my.yaml:3: widnow: unknown key; did you mean window?",
        f"my.yaml:5: model.head: got 'student', allowed: {HEADS}; did you mean student_t?",
        "my.yaml:6: model.units: got '64', must be a list such as [64]",
        "my.yaml:7: model.dropout: got 1.5, must be below 1",
        "my.yaml:8: model.dense[0]: got 'a', must be a whole number",
        "my.yaml:8: model.dense[1]: got 0, must be at least 1",
        "my.yaml:10: training.epochs: got 'abc', must be a whole number",
        "my.yaml:11: training.batch_size: got '1.5', must be a whole number",
        "my.yaml:12: training.learning_rate: got '.nan', must be a number",
        "my.yaml:13: training.epochs: given twice, first on line 10",
        "my.yaml:14: seed: got '1e3', must be a whole number",
        "my.yaml:15: lr: unknown key; did you mean training.learning_rate?",
        "--set training.members: got a list, must be a whole number",
        f"--set model.cell: got 'tcn', allowed: {CELLS}",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zzz: 1", f"zzz: unknown key; allowed: {TOP_KEYS}"),
        ("data: {ticker: [A]}", "data.ticker: unknown key; did you mean tickers?"),
        ("symbols: [A]", "symbols: unknown key; did you mean data.tickers?"),
        ("window: {Look-Back: 3}", "window.Look-Back: unknown key; did you mean look_back?"),
        ("model: {epochs: 3}", "model.epochs: unknown key; did you mean training.epochs?"),
        ("window.look_back: 3", "window.look_back: unknown key; write `look_back:` indented below `window:`"),
        ("'a b\\n': 1", f"'a b\\\\n': unknown key; allowed: {TOP_KEYS}"),
        ("seed:", "seed: got nothing, must be a whole number"),
        ("seed: {a: 1}", "seed: got a section (`key: value`), must be a whole number"),
        ("seed: 4294967296", "seed: got 4294967296, must be at most 4294967295"),
        ("seed: 1_000", "seed: got '1_000', must be a whole number"),
        ("seed: 010", "seed: got '010', must be a whole number"),
        ("seed: 1:30", "seed: got '1:30', must be a whole number"),
        ("seed: ٣", "seed: got '٣', must be a whole number"),
        ("seed: true", "seed: got 'true', must be a whole number"),
        ("seed: " + "9" * 90, f"seed: got {'9' * 37}..., must be at most 4294967295"),
        ("seed: " + "9" * 9000, f"seed: got '{'9' * 37}...', must be a whole number"),
        ("window: 5", f"window: got '5', {SECTION} look_back, horizon, season_length"),
        ("window: [5]", f"window: got a list, {SECTION} look_back, horizon, season_length"),
        ("window: null", f"window: got nothing, {SECTION} look_back, horizon, season_length"),
        ("window: {look_back: 100000}", "window.look_back: got 100000, must be at most 2520"),
        ("model: {units: []}", "model.units: got an empty list, must be a list of at least 1"),
        ("model: {units: {a: 1}}", "model.units: got a section (`key: value`), must be a list"),
        (
            "model: {units: [9, 9, 9, 9, 9, 9, 9, 9, 9]}",
            "model.units: got a list, must be a list of at most 8",
        ),
        ("model: {head: null}", f"model.head: got nothing, allowed: {HEADS}"),
        ("model: {shortcut: linear}", f"model.shortcut: {NO_REGRESSION.format('student_t')}"),
        ("model: {shortcut: linear, head: quantile}", f"model.shortcut: {NO_REGRESSION.format('quantile')}"),
        ("model: {shortcut: linear, cell: token}", f"model.shortcut: {NO_REGRESSION.format('vocabulary')}"),
        ("model: {shortcut: cubic}", "model.shortcut: got 'cubic', allowed: linear, none"),
        ("model: {head: [point]}", f"model.head: got a list, allowed: {HEADS}"),
        ("model: {dropout: -0.1}", "model.dropout: got -0.1, must be at least 0"),
        ("model: {zoneout: 1}", "model.zoneout: got 1.0, must be below 1"),
        ("model: {recurrent_dropout: null}", "model.recurrent_dropout: got nothing, must be a number"),
        ("model: {kernel_constraint: 0}", "model.kernel_constraint: got 0.0, must be above 0"),
        ("model: {kernel_constraint: off}", "model.kernel_constraint: got 'off', must be a number or null"),
        ("model: {l2: 2}", "model.l2: got 2.0, must be at most 1"),
        ("training: {learning_rate: 0}", "training.learning_rate: got 0.0, must be above 0"),
        ("training: {learning_rate: 1e999}", "training.learning_rate: got inf, must be a number"),
        (
            "training: {early_stopping: 5}",
            f"training.early_stopping: got '5', {SECTION} monitor, patience, min_delta",
        ),
        (
            "training: {early_stopping: {patience: 0}}",
            "training.early_stopping.patience: got 0, must be at least 1",
        ),
        ("training: {reduce_lr: {factor: 1}}", "training.reduce_lr.factor: got 1.0, must be below 1"),
        (
            "training: {early_stopping: {min_delta: -1}}",
            "training.early_stopping.min_delta: got -1.0, must be at least 0",
        ),
        ("training: {reduce_lr: {min_lr: 2}}", "training.reduce_lr.min_lr: got 2.0, must be at most 1"),
        ("training:\n early_stopping:\n", f"training.early_stopping: {SWITCH}"),
        ("features: log_return", "features: got 'log_return', must be a list such as [log_return]"),
        ("features: [open, close, open]", "features[2]: open is in the list twice"),
        ("data: {tickers: AAPL}", "data.tickers: got 'AAPL', must be a list such as [AAPL]"),
        ("data: {tickers: [A, b, B]}", "data.tickers[2]: B is in the list twice"),
        ("data: {tickers: [null]}", f"data.tickers[0]: got nothing, {NULL_TICKER}"),
        ("data: {tickers: [A/B]}", f"data.tickers[0]: got 'A/B', {TICKER}"),
        ("data: {start: 2010}", "data.start: got '2010', must be a date such as 2010-01-31"),
        ("data: {start: 20100101}", "data.start: got '20100101', must be a date such as 2010-01-31"),
        ("data: {start: 2010-02-30}", "data.start: got '2010-02-30', which is not a day of the calendar"),
        ("data: {start: 0201-01-01}", "data.start: got 0201-01-01, must be from 1900-01-01 to 2100-12-31"),
        ("split: {test: 20%}", f"split.test: got '20%', {SHARE_OR_DAY}"),
        ("split: {test: 20}", "split.test: got 20, must be a share of the bars, between 0 and 1, or a date"),
        ("split: {val: 2020-1-1}", "split.val: got '2020-1-1', must be a date such as 2010-01-31"),
        ("split: {test: [1]}", f"split.test: got a list, {SHARE_OR_DAY}"),
    ],
)
def test_each_fault_reports_the_value_and_the_allowed_ones(load: Load, text: str, message: str) -> None:
    (fault,) = faults(load, text)
    assert fault.partition(": ")[2] == message
    assert fault.startswith("my.yaml:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "data:\n  start: 2020-01-01\n  end: 2020-01-01",
            "my.yaml:3: data.end: start 2020-01-01 must be before end 2020-01-01",
        ),
        (
            "data:\n  start: 2024-01-01",
            "my.yaml:2: data.start: start 2024-01-01 must be before end 2023-12-31",
        ),
        (
            "split:\n  val: 0.5\n  test: 0.5",
            f"my.yaml:3: split.test: val 0.5 and test 0.5 {NO_TRAIN}",
        ),
        (
            "split:\n  val: 0.9",
            f"my.yaml:2: split.val: val 0.9 and test 0.2 {NO_TRAIN}",
        ),
        ("split:\n  test: 2020-01-01", f"my.yaml:2: split.test: val 0.16 and test 2020-01-01 {ONE_KIND}"),
        (
            "split:\n  val: 2021-01-01\n  test: 2020-01-01",
            "my.yaml:3: split.test: val starts on 2021-01-01, which must be before test starts on 2020-01-01",
        ),
        (
            "split:\n  val: 2005-01-01\n  test: 2020-01-01",
            f"my.yaml:2: split.val: val starts on 2005-01-01, {WITHIN_DATA}",
        ),
        (
            "split:\n  val: 2020-01-01\n  test: 2024-01-01",
            f"my.yaml:3: split.test: test starts on 2024-01-01, {WITHIN_DATA}",
        ),
        ("seed: 1\ntarget: close\n", f"my.yaml:2: target: head student_t {CLOSE_HEAD}"),
        ("target: close\nmodel:\n  head: gaussian", f"my.yaml:3: model.head: head gaussian {CLOSE_HEAD}"),
        ("model:\n  cell: transformer\n  zoneout: 0.1", f"my.yaml:3: model.zoneout: got 0.1, {NO_STATE}"),
        (
            "model:\n  recurrent_constraint: 3\n  cell: transformer",
            f"my.yaml:2: model.recurrent_constraint: got 3, {NO_STATE.replace('0', 'null')}",
        ),
        (
            "target: close\nmodel: {head: point}\ntarget_scale: trailing_vol",
            f"my.yaml:3: target_scale: got 'trailing_vol', {NO_SCALE}",
        ),
    ],
)
def test_conflicting_settings_are_reported_at_the_line_to_change(load: Load, text: str, message: str) -> None:
    assert faults(load, text) == [message]


def test_options_that_do_not_apply_are_reported_together(load: Load) -> None:
    text = "model:\n  cell: transformer\n  l2: 0.01\n  kernel_constraint: 2\n  zoneout: 0"
    assert load(text).model.kernel_constraint == 2
    assert faults(load, text, "model.zoneout=.1", "model.recurrent_dropout=.1", "model.cell=transformer") == [
        f"--set model.zoneout: got 0.1, {NO_STATE}",
        f"--set model.recurrent_dropout: got 0.1, {NO_STATE}",
    ]


def test_conflicting_settings_are_reported_with_other_faults(load: Load) -> None:
    assert faults(load, "target: close\nseed: x\nmodel: {head: gaussian}\ndata: {start: 2024-01-01}") == [
        "my.yaml:2: seed: got 'x', must be a whole number",
        f"my.yaml:3: model.head: head gaussian {CLOSE_HEAD}",
        "my.yaml:4: data.start: start 2024-01-01 must be before end 2023-12-31",
    ]


def test_the_target_close_has_no_scale_by_default(load: Load) -> None:
    for head in ("point", "quantile"):
        assert load(f"target: close\nmodel: {{head: {head}}}").target_scale == "none"
    assert load("target_scale: none").target_scale == "none"
    assert load("features: [open, close]").target_scale == "trailing_vol"


def test_a_syntax_error_is_reported_with_line_and_column(load: Load) -> None:
    assert faults(load, "seed: 1\nseed: 2\nmodel: @x", "seed=x") == [
        "my.yaml:3:8: expected a key or a value, got `@` (quote text that begins with it)"
    ]


@pytest.mark.parametrize(("text", "came"), [("- a\n- b", "a list"), ("hello", "'hello'")])
def test_a_file_without_keys_is_reported(load: Load, text: str, came: str) -> None:
    assert faults(load, text) == [f"my.yaml: got {came}, must be keys with values: `seed: 7`"]


def test_the_list_of_faults_is_limited(load: Load) -> None:
    lines = faults(load, "".join(f"zzz{i}: 1\n" for i in range(60)))
    assert len(lines) == 51
    assert lines[-1] == "... and 10 more"


# --- overrides ---


def test_overrides_change_the_file_and_the_last_one_wins(load: Load) -> None:
    text = "window: {look_back: 30, horizon: 2}\ntraining: {early_stopping: null, epochs: abc}\n"
    config = load(
        text,
        "window={horizon: 3}",
        "training.early_stopping.patience=4",
        "training.epochs=7",
        "training.epochs = 8",
        "model.units=[64,32]",
        "training.reduce_lr=null",
    )
    assert config.window == WindowConfig(look_back=30, horizon=3)
    assert config.training == TrainingConfig(
        epochs=8, early_stopping=EarlyStoppingConfig(patience=4), reduce_lr=None
    )
    assert config.model == ModelConfig(units=(64, 32))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("window.look_back=abc", "--set window.look_back: got 'abc', must be a whole number"),
        ("window.look_back=", "--set window.look_back: got nothing, must be a whole number"),
        ("window.lookback=3", "--set window.lookback: unknown key; did you mean window.look_back?"),
        ("lookback=3", "--set lookback: unknown key; did you mean window.look_back?"),
        (
            "window={lookback: 3}",
            "--set window: window.lookback: unknown key; did you mean window.look_back?",
        ),
        ("seed.x=3", "--set seed.x: seed: got a section (`key: value`), must be a whole number"),
        ("model.units=64,x", "--set model.units: model.units[1]: got 'x', must be a whole number"),
        ("model.units=[64, x]", "--set model.units: model.units[1]: got 'x', must be a whole number"),
        (
            "model.units=@",
            "--set model.units: expected a key or a value, got `@` (quote text that begins with it)",
        ),
        ("window={horizon: 1, horizon: 2}", "--set window: window.horizon: given twice, first on line 1"),
        ("training.early_stopping=", f"--set training.early_stopping: {SWITCH}"),
        ("target=close", f"--set target: head student_t {CLOSE_HEAD}"),
        ("seed", f"--set: got 'seed', {KEY_VALUE}"),
        ("=3", f"--set: got '=3', {KEY_VALUE}"),
        (".".join("a" * 30) + "=3", f"--set: got 'a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a...', {KEY_VALUE}"),
        ("window..x=3", f"--set: got 'window..x=3', {KEY_VALUE}"),
        ("", f"--set: got '', {KEY_VALUE}"),
        ("\udc80=3", f"--set: got '\\udc80=3', {KEY_VALUE}"),
    ],
)
def test_a_wrong_override_is_reported_with_its_key(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override])
    assert caught.value.message == message


def test_faults_in_a_file_keep_their_lines_with_overrides(load: Load) -> None:
    assert faults(load, "window:\n  horizon: x\n  look_back: y\n", "window.look_back=3", "seed=x") == [
        "my.yaml:2: window.horizon: got 'x', must be a whole number",
        "--set seed: got 'x', must be a whole number",
    ]


# --- at large ---

once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

KEYS = [
    "data",
    "tickers",
    "start",
    "split",
    "val",
    "test",
    "model",
    "units",
    "training",
    "early_stopping",
    "target",
]
trees = st.recursive(
    st.sampled_from(["null", "", "close", "0.5", "2020-01-01", "64", "ON", "x", "point"]),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), below)
    ),
    max_leaves=12,
)


def loads_or_refuses(path: Path | None, overrides: list[str]) -> None:
    """Load; any error other than ConfigError fails the test."""
    try:
        config = load_config(path, overrides)
    except ConfigError as error:
        assert error.message
        assert all(line.isprintable() for line in error.message.splitlines())
    else:
        assert isinstance(config, Config)


@once
@given(st.dictionaries(st.sampled_from(list(Config.model_fields)) | st.sampled_from(KEYS), trees, max_size=5))
def test_any_tree_loads_or_is_refused(tmp_path: Path, tree: dict[str, Any]) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(json.dumps(tree), encoding="utf-8")
    loads_or_refuses(path, [])


@once
@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
@example(b"")
@example(b"\xff\xfe")
@example(b"a: &a\n  <<: *a")
def test_any_file_loads_or_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(raw)
    loads_or_refuses(path, [])


@once
@given(
    st.lists(
        st.text(max_size=30)
        | st.builds(
            "{}={}".format,
            st.lists(st.sampled_from([*Config.model_fields, *KEYS]), min_size=1, max_size=3).map(".".join),
            st.text(max_size=20) | trees.map(json.dumps) | st.sampled_from(["{val: 0.3}", "[1, 2]", "3", ""]),
        ),
        max_size=4,
    )
)
def test_any_override_loads_or_is_refused(overrides: list[str]) -> None:
    loads_or_refuses(None, overrides)
