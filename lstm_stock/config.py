"""The settings of a training: which there are, what they default to, and what is wrong with a user's file.

A config is read once, checked whole, and then frozen. Every fault is reported at once, with the line of the
key that must change. Nothing here knows prices or networks: the names of cells, heads, features and scalers
are only names, and the registries of higher floors hold what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lstm_stock.config_input import ConfigInput
from lstm_stock.config_values import (
    DayOrNull,
    Real,
    ShareOrDay,
    Ticker,
    Whole,
    Width,
    check_distinct,
    normalise_ticker,
    wrong,
)
from lstm_stock.errors import ConfigError
from lstm_stock.yaml_text import write_yaml

__all__ = [
    "PRICE_HEADS",
    "CalibrationName",
    "CellName",
    "Config",
    "DataConfig",
    "EarlyStoppingConfig",
    "FeatureName",
    "HeadName",
    "ModelConfig",
    "MonitorName",
    "ReduceLrConfig",
    "ScalerName",
    "SplitConfig",
    "TargetName",
    "TargetScaleName",
    "TrainingConfig",
    "WindowConfig",
    "dump_yaml",
    "json_schema",
    "load_config",
    "normalise_ticker",
    "packaged_config",
    "packaged_config_names",
]

CellName: TypeAlias = Literal["lstm", "token"]
HeadName: TypeAlias = Literal["point", "gaussian", "student_t", "quantile", "vocabulary"]
TargetName: TypeAlias = Literal["log_return", "close"]
TargetScaleName: TypeAlias = Literal["trailing_vol", "trailing_range", "none"]
CalibrationName: TypeAlias = Literal["none", "conformal", "adaptive"]
ScalerName: TypeAlias = Literal["minmax", "standard", "robust", "none"]
MonitorName: TypeAlias = Literal["val_loss", "loss"]
FeatureName: TypeAlias = Literal[
    "log_return",
    "open_gap",
    "high_gap",
    "low_gap",
    "log_range",
    "log_volume_ratio",
    "log_trailing_vol",
    "log_range_vol",
    "open",
    "high",
    "low",
    "close",
    "volume",
]

TOKEN_HEAD = "vocabulary"
"""Head of the cell token, and of no other."""

TOKEN_NEEDS = {
    "features": ("log_return",),
    "target": "log_return",
    "target_scale": "trailing_vol",
    "scaler": "none",
}
"""What the cell token needs: it reads and draws one-bar returns, in units of what closes alone tell."""

PRICE_HEADS = ("point", "quantile")
"""Heads that may forecast a price level; a normal or a t would put mass below zero."""

_MAX_BYTES = 256 * 1024
_SWITCHABLE = (("training", "early_stopping"), ("training", "reduce_lr"))
_INIT_HINT = "`lstm-stock config init` writes a file to start from"

# Sections and keys stand in the order in which they are written. Upper bounds stand where a typo would hang
# the machine.


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class DataConfig(_Section):
    """Whose prices, and from when to when."""

    tickers: tuple[Ticker, ...] = Field(
        default=("AAPL",),
        min_length=1,
        max_length=2000,
        description="Tickers as Yahoo writes them; one network learns all",
    )
    start: DayOrNull = Field(
        default=date(2010, 1, 1), description="First date used, YYYY-MM-DD; null for the earliest there is"
    )
    end: DayOrNull = Field(
        default=date(2023, 12, 31), description="Last date used, YYYY-MM-DD; null for the newest there is"
    )

    @field_validator("tickers")
    @classmethod
    def _tickers_differ(cls, tickers: tuple[str, ...]) -> tuple[str, ...]:
        check_distinct(tickers, ("data", "tickers"))
        return tickers

    @field_validator("end")
    @classmethod
    def _end_is_later(cls, end: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start")
        if start is not None and end is not None and start >= end:
            raise wrong(f"start {start} must be before end {end}", ("data", "end"), ("data", "start"))
        return end


class WindowConfig(_Section):
    """What the model sees, and how far it forecasts."""

    look_back: Whole = Field(
        default=60, ge=1, le=2520, description="Bars the model sees before each forecast"
    )
    horizon: Whole = Field(default=5, ge=1, le=252, description="Bars forecast at once: steps 1 to horizon")


class SplitConfig(_Section):
    """Which bars validate and which test: train comes first, then val, then test."""

    val: ShareOrDay = Field(
        default=0.16, description="Validation: share of the bars (0 to 1), or the date on which it starts"
    )
    test: ShareOrDay = Field(
        default=0.20,
        description="Test, the newest bars: share of the bars (0 to 1), or the date on which it starts",
    )

    @field_validator("test")
    @classmethod
    def _parts_fit(cls, test: float | date, info: ValidationInfo) -> float | date:
        val, keys = info.data.get("val"), (("split", "test"), ("split", "val"))
        if val is None:
            return test
        if isinstance(val, date) and isinstance(test, date):
            if val >= test:
                raise wrong(f"val starts on {val}, which must be before test starts on {test}", *keys)
        elif isinstance(val, date) or isinstance(test, date):
            raise wrong(f"val {val} and test {test} must be of one kind: both shares or both dates", *keys)
        elif val + test >= 1:
            raise wrong(
                f"val {val:g} and test {test:g} leave nothing to train on; their sum must be below 1", *keys
            )
        return test


class ModelConfig(_Section):
    """The network."""

    cell: CellName = Field(default="lstm", description="Recurrent cell")
    units: tuple[Width, ...] = Field(
        default=(128, 64),
        min_length=1,
        max_length=8,
        description="Width of each recurrent layer, first to last",
    )
    dropout: Real = Field(
        default=0.3, ge=0, lt=1, description="Share of values dropped after each recurrent layer in training"
    )
    dense: tuple[Width, ...] = Field(
        default=(32,),
        max_length=8,
        description="Width of each dense (relu) layer before the head; may be empty",
    )
    head: HeadName = Field(
        default="student_t",
        description="What the network outputs per step: a point, a normal, a Student-t or quantiles; or the "
        "vocabulary of the cell token",
    )
    vocabulary: Whole = Field(
        default=8, ge=2, le=4096, description="Tokens that the cell token knows: bins of the one-bar return"
    )
    paths: Whole = Field(
        default=256, ge=1, le=65_536, description="Paths that the cell token draws for each forecast"
    )
    temperature: Real = Field(
        default=1.0,
        ge=0.1,
        le=10,
        description="What the cell token divides its logits by in a forecast: below 1 likely tokens get likelier",
    )

    @model_validator(mode="before")
    @classmethod
    def _tokens_have_a_head(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("cell") == "token" and "head" not in values:
            return {**values, "head": TOKEN_HEAD}
        return values

    @field_validator("head")
    @classmethod
    def _head_fits_cell(cls, head: str, info: ValidationInfo) -> str:
        cell = info.data.get("cell")
        if cell == "token" and head != TOKEN_HEAD:
            raise wrong(f"got '{head}', must be {TOKEN_HEAD} (or left out) with model.cell: token")
        if cell not in (None, "token") and head == TOKEN_HEAD:
            raise wrong(
                f"got '{head}', which only model.cell: token has", ("model", "head"), ("model", "cell")
            )
        return head


class EarlyStoppingConfig(_Section):
    """When training ends before its last epoch."""

    monitor: MonitorName = Field(default="val_loss", description="Loss that must improve")
    patience: Whole = Field(
        default=10, ge=1, le=10_000, description="Epochs without improvement before training stops"
    )


class ReduceLrConfig(_Section):
    """When the learning rate falls."""

    monitor: MonitorName = Field(default="val_loss", description="Loss that must improve")
    factor: Real = Field(default=0.1, gt=0, lt=1, description="The learning rate is multiplied by this")
    patience: Whole = Field(default=5, ge=0, le=10_000, description="Epochs without improvement before it is")


class TrainingConfig(_Section):
    """How the network is fitted."""

    epochs: Whole = Field(default=100, ge=1, le=10_000, description="Passes over the train windows, at most")
    batch_size: Whole = Field(default=32, ge=1, le=65_536, description="Windows per gradient step")
    learning_rate: Real = Field(default=0.001, gt=0, le=1, description="Step size of Adam at the start")
    ema_momentum: Real = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="Forecast with a running mean of the weights: the share of it that each batch keeps; 0 is off",
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        default=EarlyStoppingConfig(),
        description="Stop when a loss no longer improves, and keep the best weights; null: never",
    )
    reduce_lr: ReduceLrConfig | None = Field(
        default=ReduceLrConfig(),
        description="Lower the learning rate when a loss no longer improves; null: never",
    )
    members: Whole = Field(
        default=1,
        ge=1,
        le=50,
        description="Networks trained, from seed, seed + 1, ..., and averaged as a mixture",
    )


class Config(_Section):
    """All settings of one training."""

    data: DataConfig = Field(default=DataConfig(), description="Whose prices, and from when to when")
    features: tuple[FeatureName, ...] = Field(
        default=(
            "log_return",
            "open_gap",
            "high_gap",
            "low_gap",
            "log_range",
            "log_volume_ratio",
            "log_trailing_vol",
        ),
        min_length=1,
        description="What the model sees of each bar; open, high, low, close and volume are levels",
    )
    target: TargetName = Field(
        default="log_return",
        description="What is forecast for each step: the log return since the cutoff, or the close itself",
    )
    target_scale: TargetScaleName = Field(
        default="trailing_vol",
        description="Unit of returns: EWMA volatility of closes or of ranges known at the cutoff, or none",
    )
    window: WindowConfig = Field(
        default=WindowConfig(), description="What the model sees, and how far it forecasts"
    )
    split: SplitConfig = Field(
        default=SplitConfig(), description="Which bars validate and which test, in order of time"
    )
    scaler: ScalerName = Field(
        default="minmax", description="How features are scaled; fitted on train bars only, per ticker"
    )
    model: ModelConfig = Field(default=ModelConfig(), description="The network")
    training: TrainingConfig = Field(default=TrainingConfig(), description="How the network is fitted")
    calibration: CalibrationName = Field(
        default="adaptive",
        description="Stretch the intervals: to what held on val (conformal), or by each outcome since (adaptive)",
    )
    seed: Whole = Field(
        default=7, ge=0, le=2**32 - 1, description="The same seed on the same machine gives the same weights"
    )

    @model_validator(mode="before")
    @classmethod
    def _close_has_no_scale(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("target") == "close" and "target_scale" not in values:
            return {**values, "target_scale": "none"}
        return values

    @model_validator(mode="before")
    @classmethod
    def _tokens_have_one_feature(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        model = values.get("model")
        cell = model.get("cell") if isinstance(model, Mapping) else getattr(model, "cell", None)
        if cell != "token":
            return values
        return {"features": TOKEN_NEEDS["features"], "scaler": TOKEN_NEEDS["scaler"], **values}

    @field_validator("features")
    @classmethod
    def _features_differ(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        check_distinct(features, ("features",))
        return features

    @field_validator("target_scale")
    @classmethod
    def _scale_fits_target(cls, target_scale: str, info: ValidationInfo) -> str:
        if info.data.get("target") == "close" and target_scale != "none":
            raise wrong(
                f"got '{target_scale}', must be none (or left out) with target: close, which is a price"
            )
        return target_scale

    @field_validator("split")
    @classmethod
    def _split_is_within_data(cls, split: SplitConfig, info: ValidationInfo) -> SplitConfig:
        data = info.data.get("data")
        for name, day in (("val", split.val), ("test", split.test)):
            if data is None or not isinstance(day, date):
                continue
            if (data.start or date.min) >= day or day > (data.end or date.max):
                message = (
                    f"{name} starts on {day}, must be within data.start {data.start} and data.end {data.end}"
                )
                raise wrong(message, ("split", name))
        return split

    @field_validator("model")
    @classmethod
    def _head_fits_target(cls, model: ModelConfig, info: ValidationInfo) -> ModelConfig:
        if model.cell != "token" and info.data.get("target") == "close" and model.head not in PRICE_HEADS:
            message = (
                f"head {model.head} cannot forecast target close, as it gives weight to prices below zero; "
                f"model.head must be {' or '.join(PRICE_HEADS)}"
            )
            raise wrong(message, ("model", "head"), ("target",))
        return model

    @field_validator("model")
    @classmethod
    def _inputs_fit_cell(cls, model: ModelConfig, info: ValidationInfo) -> ModelConfig:
        if model.cell != "token":
            return model
        unmet = [key for key, needed in TOKEN_NEEDS.items() if info.data.get(key, needed) != needed]
        if unmet:
            needs = [f"{key}: {_in_yaml(TOKEN_NEEDS[key])}, not {_in_yaml(info.data[key])}" for key in unmet]
            message = f"cell token needs {'; '.join(needs)} (or leave it out)"
            raise wrong(message, *((key,) for key in unmet))
        return model


def _in_yaml(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else f"[{', '.join(value)}]"


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """Read a config: the defaults, changed by a YAML file, changed by overrides.

    Args:
        path: The file, or the bare name of a packaged config (`classic`) where no such file exists; None for
            the defaults alone.
        overrides: `KEY=VALUE` each, key dotted, value in YAML: `model.units=[64, 32]`. The last one wins.

    Raises:
        ConfigError: The file cannot be read, or something in it or in an override is wrong. The message holds
            one line for each fault, all of them, with the file and line where it stands.
    """
    given = ConfigInput(Config().model_dump())
    if path is not None:
        given.add_file(*_read(path))
    for number, text in enumerate(overrides):
        given.add_override(number, text)
    given.settle_empty_sections(_SWITCHABLE)
    config = None
    if given.complete:
        try:
            config = Config.model_validate(given.tree)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                given.add_error(detail)
    if config is None or given.has_faults:
        raise given.error()
    return config


def _read(path: Path) -> tuple[str, bytes]:
    """Return the name to show and the bytes of a config file or a packaged config."""
    try:
        if str(path) in packaged_config_names() and not path.is_file():
            return f"{path} (packaged)", packaged_config(str(path)).encode()
        if path.is_dir():
            raise ConfigError(f"{path} is a folder, expected a YAML file", _INIT_HINT)
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        names = ", ".join(packaged_config_names())
        raise ConfigError(
            f"no config file {path}", f"packaged ones go by their name: {names}; {_INIT_HINT}"
        ) from None
    except OSError as error:
        raise ConfigError(f"config file {path} cannot be read: {error.strerror}", _INIT_HINT) from None
    except ValueError as error:  # A path with a NUL in it.
        raise ConfigError(f"{str(path)!r} is no path: {error}", _INIT_HINT) from None
    if len(raw) > _MAX_BYTES:
        raise ConfigError(
            f"{path} is larger than {_MAX_BYTES // 1024} KiB; a config has a hundred lines", _INIT_HINT
        )
    return str(path), raw


def dump_yaml(config: Config) -> str:
    """Write every key with its value; `load_config` on it gives an equal config."""
    return write_yaml(config.model_dump())


def json_schema() -> str:
    """Write the JSON Schema that lets an editor check and complete a config file."""
    import json  # Only this needs it.

    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_without_titles(Config.model_json_schema()),
        "title": "lstm-stock config",
    }
    return json.dumps(schema, indent=2) + "\n"


def _without_titles(node: Any) -> Any:
    # Pydantic repeats every key as a title, which an editor would show before the description.
    if isinstance(node, dict):
        return {key: _without_titles(value) for key, value in node.items() if key != "title"}
    return [_without_titles(item) for item in node] if isinstance(node, list) else node


def packaged_config_names() -> tuple[str, ...]:
    """Name the configs that come with the package."""
    return ("classic", "default")


def packaged_config(name: str) -> str:
    """Return the YAML text of a packaged config, comments and all.

    Raises:
        ConfigError: There is none of this name.
    """
    from importlib.resources import files  # Most commands do without.

    if name not in packaged_config_names():
        names = ", ".join(packaged_config_names())
        raise ConfigError(f"no packaged config {name!r}, expected one of: {names}", _INIT_HINT)
    return files("lstm_stock").joinpath("configs", f"{name}.yaml").read_text(encoding="utf-8")
