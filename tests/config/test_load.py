from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import lstm_stock.config
from lstm_stock.config import (
    Config,
    DataConfig,
    EarlyStoppingConfig,
    ModelConfig,
    ReduceLrConfig,
    ScalerName,
    SplitConfig,
    TrainingConfig,
    WindowConfig,
    dump_yaml,
    json_schema,
    load_config,
    load_saved_config,
    packaged_config,
    packaged_config_names,
)
from lstm_stock.config.cells import CELLS
from lstm_stock.config.features import FEATURES
from lstm_stock.config.heads import HEADS
from lstm_stock.errors import ConfigError

OF_PRICES = [name for name, spec in FEATURES.items() if not spec.of_values]

ROOT = Path(__file__).parents[2]
TICKER = (
    "must be a ticker: 1 to 32 letters, digits and `.-^=&_+$:`, not beginning with `.` or `-`, without `..`"
)

NO_TRAIN = "leave nothing to train on; their sum must be below 1"

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a text as `my.yaml`, with overrides."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str, *overrides: str) -> Config:
        Path("my.yaml").write_text(text, encoding="utf-8")
        return load_config(Path("my.yaml"), overrides)

    return load_text


# --- what is there ---


def test_defaults_match_the_design() -> None:
    config = load_config(None)
    assert config == Config()
    assert config.data == DataConfig(tickers=("AAPL",), start=date(2010, 1, 1), end=date(2023, 12, 31))
    assert config.features == tuple(FEATURES)[:7]
    assert (config.target, config.target_scale, config.scaler, config.seed) == (
        "log_return",
        "trailing_vol",
        "minmax",
        7,
    )
    assert config.window == WindowConfig(look_back=60, horizon=5)
    assert config.split == SplitConfig(val=0.16, test=0.2)
    assert config.model == ModelConfig(
        cell="lstm", units=(128, 64), dropout=0.3, dense=(32,), head="student_t"
    )
    assert config.training == TrainingConfig(
        epochs=100,
        batch_size=32,
        learning_rate=0.001,
        early_stopping=EarlyStoppingConfig(monitor="val_loss", patience=10, min_delta=0.0001),
        reduce_lr=ReduceLrConfig(
            monitor="val_loss", factor=0.1, patience=5, min_delta=0.0001, min_lr=0.00001
        ),
        members=1,
    )


def test_a_config_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().seed = 8  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        Config().window.look_back = 8  # type: ignore[misc]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "window:\nmodel:\n", "window: {}\n"])
def test_an_empty_file_gives_the_defaults(load: Load, text: str) -> None:
    assert load(text) == Config()


def test_a_saved_run_keeps_the_meaning_that_it_had_before_a_key_existed(tmp_path: Path) -> None:
    text = """
training:
  early_stopping:
    monitor: val_loss
    patience: 10
  reduce_lr:
    monitor: val_loss
    factor: 0.1
    patience: 5
    min_lr: 0.003
"""
    file = tmp_path / "config.yaml"
    file.write_text(text)
    saved = load_saved_config(file).training
    assert saved.early_stopping == EarlyStoppingConfig(min_delta=0)
    assert saved.reduce_lr == ReduceLrConfig(min_delta=0.0001, min_lr=0.003)
    new = load_config(file).training
    assert new.early_stopping == EarlyStoppingConfig()
    file.write_text("training: {early_stopping: null, reduce_lr: null}")
    assert load_saved_config(file) == load_config(file)
    file.write_text(dump_yaml(Config()))
    assert load_saved_config(file) == Config()


def test_a_file_holds_only_what_it_changes(load: Load) -> None:
    config = load(
        "data: {tickers: [brk-b, ON]}\nwindow:\n  look_back: +30\n"
        "training: {learning_rate: 1e-2, reduce_lr: null}\nmodel:\n  units: [64]\n"
        "  dense: []\n  dropout: .5\nsplit: {val: 2018-01-02, test: 2020-01-02}\n"
    )
    assert config.data == DataConfig(tickers=("BRK-B", "ON"))
    assert config.window == WindowConfig(look_back=30)
    assert config.training == TrainingConfig(learning_rate=0.01, reduce_lr=None)
    assert config.model == ModelConfig(units=(64,), dense=(), dropout=0.5)
    assert config.split == SplitConfig(val=date(2018, 1, 2), test=date(2020, 1, 2))


ODD_TICKERS = [
    "ON",
    "NO",
    "Y",
    "TRUE",
    "NULL",
    "1E5",
    "1:30",
    "0700.HK",
    "^GSPC",
    "M&M.NS",
    "EURUSD=X",
    "012",
]


@pytest.mark.parametrize("ticker", ODD_TICKERS)
def test_a_ticker_stays_text(load: Load, ticker: str) -> None:
    assert load(f"data:\n  tickers:\n    - {ticker}\n").data.tickers == (ticker,)
    assert load("", f"data.tickers=[{ticker}]").data.tickers == (ticker,)
    config = Config(data=DataConfig(tickers=(ticker,)))
    assert load(dump_yaml(config)) == config
    assert yaml.safe_load(dump_yaml(config))["data"]["tickers"] == [ticker]


# --- files that cannot be read ---


def test_unreadable_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.yaml")
    assert caught.value.message == f"no config file {tmp_path / 'none.yaml'}"
    assert caught.value.hint == (
        "packaged configs have the names classic, default, finetune, many, universal, values; "
        "`lstm-stock config init` writes a file to start from"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert caught.value.message == f"{tmp_path} is a folder, expected a YAML file"
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "file" / "x.yaml")
    assert (
        caught.value.message == f"config file {tmp_path / 'file' / 'x.yaml'} cannot be read: Not a directory"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(Path("a\0b"))
    assert caught.value.message.startswith(r"'a\x00b' is not a path: ")


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    path.write_bytes(b"#" * 300_000)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.message == f"{path} is larger than 256 KiB; a config has a hundred lines"


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK\x03\x04\x00\x00")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert (
        caught.value.message
        == f"{path}:1:3: the character '\\x03' is not allowed in YAML; is this a text file?"
    )


# --- what is written ---


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


tickers = st.from_regex(r"\A[A-Z0-9^][A-Z0-9.=&_+$:^-]{0,12}\Z").filter(
    lambda text: ".." not in text and any(map(str.isalnum, text))
) | st.sampled_from(ODD_TICKERS)
shares = st.floats(0.0001, 0.49)
rates = st.floats(1e-12, 1, exclude_max=True)
widths = st.integers(1, 4096)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    target = draw(st.sampled_from(["log_return", "close"]))
    start, val, test, end = sorted(
        draw(st.lists(st.dates(date(1900, 1, 1), date(2100, 12, 31)), min_size=4, max_size=4, unique=True))
    )
    of_cells = {spec.head for spec in CELLS.values()}
    heads = ("point", "quantile") if target == "close" else [name for name in HEADS if name not in of_cells]
    head = draw(st.sampled_from(heads))
    shortcuts = ["none", "linear"] if HEADS[head].has_regression else ["none"]
    stopping = st.builds(
        EarlyStoppingConfig, monitor=st.sampled_from(["val_loss", "loss"]), patience=st.integers(1, 10_000)
    )
    reducing = st.builds(ReduceLrConfig, factor=rates, patience=st.integers(0, 10_000))
    return Config(
        data=DataConfig(
            tickers=tuple(draw(st.lists(tickers, min_size=1, max_size=30, unique=True))), start=start, end=end
        ),
        features=tuple(draw(st.lists(st.sampled_from(OF_PRICES), min_size=1, unique=True))),
        target=target,
        target_scale="none"
        if target == "close"
        else draw(st.sampled_from(["none", "trailing_vol", "trailing_range", "har", "lhar"])),
        window=WindowConfig(look_back=draw(st.integers(1, 2520)), horizon=draw(st.integers(1, 252))),
        split=draw(
            st.builds(SplitConfig, val=shares, test=shares) | st.just(SplitConfig(val=val, test=test))
        ),
        scaler=draw(st.sampled_from(get_args(ScalerName))),
        model=ModelConfig(
            units=tuple(draw(st.lists(widths, min_size=1, max_size=8))),
            dropout=draw(st.floats(0, 1, exclude_max=True)),
            dense=tuple(draw(st.lists(widths, max_size=8))),
            head=head,
            shortcut=draw(st.sampled_from(shortcuts)),
        ),
        training=TrainingConfig(
            epochs=draw(st.integers(0, 10_000)),
            weight_decay=draw(st.floats(0, 1)),
            learning_rate=draw(rates),
            early_stopping=draw(optional(stopping)),
            reduce_lr=draw(optional(reducing)),
            members=draw(st.integers(1, 50)),
        ),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def with_lists(value: Any) -> Any:
    """The value as YAML knows it: no tuples."""
    if isinstance(value, dict):
        return {key: with_lists(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@once
@given(configs())
def test_a_config_round_trips_through_yaml(load: Load, config: Config) -> None:
    text = dump_yaml(config)
    assert load(text) == config
    # Another reader sees the same values: nothing in it is text to us and something else to others.
    assert yaml.safe_load(text) == with_lists(config.model_dump())


def test_the_dump_has_every_key_in_the_order_of_the_schema() -> None:
    written = yaml.safe_load(dump_yaml(Config()))
    schema = json.loads(json_schema())

    def check(values: dict[str, Any], node: dict[str, Any]) -> None:
        assert list(values) == list(node["properties"])
        for key, value in values.items():
            if isinstance(value, dict):
                field = node["properties"][key]
                reference = field.get("$ref") or field["anyOf"][0]["$ref"]
                check(value, schema["$defs"][reference.rpartition("/")[2]])

    check(written, schema)
    assert list(written) == list(Config.model_fields)


# --- the files that come with it ---


@pytest.mark.parametrize("name", packaged_config_names())
def test_the_top_level_copies_are_the_packaged_configs(name: str) -> None:
    assert (ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8") == packaged_config(name)
    assert packaged_config(name).splitlines()[0] == "# yaml-language-server: $schema=schema.json"


def test_a_folder_does_not_hide_a_packaged_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "classic").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("classic")).target == "close"


def test_packaged_configs_are_listed_and_every_config_loads() -> None:
    folder = Path(lstm_stock.config.__file__).parent / "packaged"
    assert sorted(path.stem for path in folder.glob("*.yaml")) == list(packaged_config_names())
    for path in (ROOT / "configs").glob("*.yaml"):
        assert isinstance(load_config(path), Config)


def test_the_default_file_shows_every_key_with_its_default() -> None:
    assert load_config(ROOT / "configs" / "default.yaml") == Config()
    written, expected = (yaml.safe_load(text) for text in (packaged_config("default"), dump_yaml(Config())))
    assert written == expected


def test_the_classic_file_holds_only_the_tutorial_recipe() -> None:
    given_keys = yaml.safe_load(packaged_config("classic"))
    assert given_keys == {
        "features": ["open", "high", "low", "close", "volume"],
        "target": "close",
        "target_scale": "none",
        "window": {"horizon": 1},
        "model": {"head": "point"},
        "training": {"ema_momentum": 0, "early_stopping": {"min_delta": 0}, "reduce_lr": {"min_lr": 0}},
        "calibration": "none",
    }
    assert load_config(ROOT / "configs" / "classic.yaml").split == Config().split


def test_a_packaged_config_is_found_by_name_where_no_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("default")) == Config()
    assert load_config(Path("classic"), ["seed=3"]).window.horizon == 1
    with pytest.raises(ConfigError) as caught:
        load_config(Path("classic"), ["target_scale=trailing_vol"])
    assert caught.value.message.startswith("--set target_scale: got 'trailing_vol', must be none")
    with pytest.raises(ConfigError) as caught:
        load_config(Path("classic"), ["model={head: gaussian}", "seed=x"])
    assert len(caught.value.message.splitlines()) == 2
    Path("classic").write_text("seed: 5", encoding="utf-8")
    assert load_config(Path("classic")) == Config(seed=5)


def test_an_unknown_packaged_config_is_reported() -> None:
    with pytest.raises(ConfigError) as caught:
        packaged_config("modern")
    assert (
        caught.value.message
        == "no packaged config 'modern', expected one of: classic, default, finetune, many, universal, values"
    )


def test_the_schema_file_is_current() -> None:
    assert (ROOT / "configs" / "schema.json").read_text(encoding="utf-8") == json_schema()


def test_the_schema_describes_every_key_and_forbids_others() -> None:
    schema = json.loads(json_schema())
    sections = [schema, *schema["$defs"].values()]
    assert len(sections) == 8
    for section in sections:
        assert section["additionalProperties"] is False
        for key, field in section["properties"].items():
            assert len(field["description"]) > 10, key
            assert "default" in field, key
            assert "title" not in field, key
    assert schema["$defs"]["SplitConfig"]["properties"]["val"]["anyOf"] == [
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "string", "format": "date"},
    ]
    units = schema["$defs"]["ModelConfig"]["properties"]["units"]
    assert (units["items"], units["minItems"]) == ({"type": "integer", "minimum": 1, "maximum": 4096}, 1)


# --- from Python ---


def test_python_values_are_checked_like_text() -> None:
    assert WindowConfig(look_back=3).look_back == 3
    for section, key, value, message in [
        (WindowConfig, "look_back", True, "got True, must be a whole number"),
        (WindowConfig, "look_back", 3.0, "got 3.0, must be a whole number"),
        (ModelConfig, "dropout", float("nan"), "got nan, must be a number"),
        (DataConfig, "tickers", ["a/b"], f"got 'a/b', {TICKER}"),
        (
            SplitConfig,
            "val",
            0.9,
            f"val 0.9 and test 0.2 {NO_TRAIN}",
        ),
    ]:
        with pytest.raises(ValidationError) as caught:
            section.model_validate({key: value})
        assert message in [error["msg"] for error in caught.value.errors()]


def test_reading_a_config_loads_nothing_heavy() -> None:
    code = (
        "import sys; from lstm_stock.config import load_config; load_config(None);"
        "print([name for name in ('numpy', 'pandas', 'keras', 'difflib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- a file of tickers ---


def test_tickers_can_be_the_name_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "mine.txt").write_text("\ufeffmsft, ^gspc # two\n\n# none\nMSFT\nBRK-B\n", "utf-8")
    (tmp_path / "my.yaml").write_text("data: {tickers: lists/mine.txt}\n", "utf-8")
    monkeypatch.chdir(tmp_path / "lists")
    expected = ("MSFT", "^GSPC", "BRK-B")
    assert load_config(tmp_path / "my.yaml").data.tickers == expected  # beside the config
    assert load_config(None, ["data.tickers=mine.txt"]).data.tickers == expected  # from where the user is
    assert load_config(tmp_path / "my.yaml", ["data.tickers=[A]"]).data.tickers == ("A",)
    dumped = tmp_path / "resolved.yaml"
    dumped.write_text(dump_yaml(load_config(tmp_path / "my.yaml")), "utf-8")
    assert load_config(dumped).data.tickers == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"# none\n", "has no ticker"),
        (b"\xff\xfe\x00", "is not a text file"),
    ],
)
def test_a_bad_tickers_file_is_reported_with_its_line(tmp_path: Path, text: bytes | None, fault: str) -> None:
    if text is not None:
        (tmp_path / "mine.txt").write_bytes(text)
    path = tmp_path / "my.yaml"
    path.write_text("seed: 1\ndata:\n  tickers: mine.txt\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.message == f"{path}:3: data.tickers: the tickers file {tmp_path / 'mine.txt'} {fault}"


def test_a_bad_ticker_in_a_file_is_reported_with_its_index(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("A\nB/C\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(None, [f"data.tickers={tmp_path / 'mine.txt'}"])
    assert caught.value.message.startswith(f"--set data.tickers: data.tickers[1]: got 'B/C', {TICKER}")


def test_words_of_an_override_are_a_list_without_brackets_which_shells_read() -> None:
    config = load_config(None, ["data.tickers=msft, AAPL", "model.units=64,32", "features=log_return"])
    assert config.data.tickers == ("MSFT", "AAPL")
    assert (config.model.units, config.features) == ((64, 32), ("log_return",))
    with pytest.raises(ConfigError, match=r"model.units.*must be a whole number"):
        load_config(None, ["model.units=64,a"])


def test_a_single_ticker_of_a_file_is_not_a_list(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("data: {tickers: AAPL}", "utf-8")
    with pytest.raises(ConfigError, match=r"got 'AAPL', must be a list such as \[AAPL\]"):
        load_config(tmp_path / "my.yaml")


def test_a_tickers_file_inside_a_list_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"a file of tickers replaces the whole list: `tickers: mine.txt`"):
        load_config(None, ["data.tickers=[mine.txt]"])


# --- covariates -------------------------------------------------------------------------------------------------


def test_features_of_covariates_are_named_by_ticker_and_feature():
    config = load_config(
        None, ["data.covariates=[^vix, 0700.hk]", "features=[^vix.log_close, 0700.HK.trend_2]"]
    )
    assert config.data.covariates == ("^VIX", "0700.HK")
    assert config.features == ("^VIX.log_close", "0700.HK.trend_2")
    assert Config().data.covariates == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "data:\n  covariates: [^VIX]\n",
            ":2: data.covariates[0]: no feature of the covariate ^VIX is in features; add one, such as ^VIX.log_",
        ),
        (
            "features: [log_return,\n  ^VIX.log_close]\n",
            ":2: features[1]: got ^VIX.log_close, but data.covariates has no",
        ),
        (
            "features: [^VXI.log_close]\ndata: {covariates: [^VIX]}\n",
            ":1: features[0]: got ^VXI.log_close, but data.covariates has ^VIX; did you mean ^VIX?",
        ),
        (
            "features: [^VIX.log_clos]\ndata: {covariates: [^VIX]}\n",
            ":1: features[0]: got '^VIX.log_clos', allowed: ^VIX.log_close, ^VIX.log_close_change",
        ),
        ("features: [^VIX.log_clos]\ndata: {covariates: [^VIX]}\n", "; did you mean ^VIX.log_close?"),
        ("features: [a b.log_close]\n", ":1: features[0]: got 'a b', must be a ticker"),
        ("data: {covariates: [^VIX, ^vix]}\n", ":1: data.covariates[1]: ^VIX is in the list twice"),
        ("data: {covariates: ^VIX}\n", ":1: data.covariates: got '^VIX', must be a list such as [^VIX]"),
        (
            "features: [^VIX.trend_2, ^vix.trend_2]\ndata: {covariates: [^VIX]}\n",
            "^VIX.trend_2 is in the list twice",
        ),
    ],
)
def test_faults_of_covariates_name_the_line(tmp_path, text, expected):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert expected in caught.value.message
