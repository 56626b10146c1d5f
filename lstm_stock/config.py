"""The settings of a training: which there are, what they default to, and what is wrong with a user's file.

A config is read once, checked whole, and then frozen. Every fault is reported at once, with the line of the
key that must change. Nothing here knows prices or networks: the names of cells, heads, features and scalers
are only names, and the registries of higher floors hold what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lstm_stock.config_input import ConfigInput
from lstm_stock.config_sections import (
    PRICE_HEADS,
    TOKEN_HEAD,
    TOKEN_NEEDS,
    CalibrationName,
    CellName,
    DataConfig,
    EarlyStoppingConfig,
    FeatureName,
    HeadName,
    ModelConfig,
    MonitorName,
    ReduceLrConfig,
    ScalerName,
    Section,
    SplitConfig,
    TargetName,
    TargetScaleName,
    TrainingConfig,
    WindowConfig,
)
from lstm_stock.config_values import (
    Whole,
    check_distinct,
    normalise_ticker,
    wrong,
)
from lstm_stock.errors import ConfigError
from lstm_stock.tickers_file import names_a_file, read_tickers_file
from lstm_stock.yaml_text import write_yaml

__all__ = [
    "PRICE_HEADS",
    "TOKEN_HEAD",
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

MARKET_SCALE = "har_market"
"""The `target_scale` that looks at all tickers of a run, not at each alone."""

_MAX_BYTES = 256 * 1024
_TICKERS = ("data", "tickers")
_SWITCHABLE = (("training", "early_stopping"), ("training", "reduce_lr"))
_INIT_HINT = "`lstm-stock config init` writes a file to start from"


class Config(Section):
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
        description="Unit of returns: volatility known at the cutoff, by EWMA (of closes, ranges) or HAR (alone, "
        "or with the market of all tickers); or none",
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
    _read_tickers(given, Path() if path is None else path.parent)
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


def require_market(config: Config) -> None:
    """Refuse a config that looks at all tickers of a run and has only one.

    A config file need not name its tickers, and so this is asked when it is used, not when it is read.

    Raises:
        ConfigError: One ticker is no market.
    """
    tickers = config.data.tickers
    if config.target_scale == MARKET_SCALE and len(tickers) < 2:
        raise ConfigError(
            f"`target_scale: {MARKET_SCALE}` looks at all tickers of a run, and {tickers[0]} is alone",
            "name several: `--set data.tickers=mine.txt`; `--set target_scale=har` looks at each alone",
        )


def _read_tickers(given: ConfigInput, folder: Path) -> None:
    """Put the tickers of a file in its place; a name in a config file is relative to that config's folder."""
    name = given.value(_TICKERS)
    if not isinstance(name, str) or not names_a_file(name):
        return
    try:
        tickers = read_tickers_file(Path(name) if given.is_override(_TICKERS) else folder / name)
        given.replace(_TICKERS, list(tickers))
    except ConfigError as error:
        given.add_fault((_TICKERS,), error.message)
        given.complete = False


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
    return ("classic", "default", "many")


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
