"""`Config`: all settings of one training, the rules between sections, and the JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from lstm_stock.config.cells import CELLS
from lstm_stock.config.covariates import COVARIATE_FEATURES, is_covariate_feature, split_feature
from lstm_stock.config.features import FEATURES, VALUE_FEATURES, feature_columns
from lstm_stock.config.fields import Int, check_distinct, fault
from lstm_stock.config.heads import HEADS
from lstm_stock.config.scales import DEFAULT_SCALE, SCALES
from lstm_stock.config.sections import (
    CalibrationName,
    DataConfig,
    FeatureName,
    ModelConfig,
    ScalerName,
    Section,
    SplitConfig,
    TargetName,
    TargetScaleName,
    TrainingConfig,
    WindowConfig,
    cell_spec,
)
from lstm_stock.config.targets import TARGETS, Words
from lstm_stock.errors import ConfigError

REGRESSION = "pooled_t"
"""Name of the regression over all tickers in tables: as a baseline, or as a network that is no more than it."""

FINE_TUNED = "finetuned"
"""Name of a pretrained regression, fitted further, in tables."""


class Config(Section):
    """All settings of one training."""

    data: DataConfig = Field(default=DataConfig(), description="Tickers and dates")
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
        description="Inputs of the network per bar; open, high, low, close and volume are levels, ^VIX.log_close "
        "is a feature of the covariate ^VIX",
    )
    target: TargetName = Field(
        default="log_return",
        description="Quantity forecast for each step: the log return since the cutoff, or the close; of a series "
        "of values the log ratio or the difference to the last one",
    )
    target_scale: TargetScaleName = Field(
        default=DEFAULT_SCALE,
        description="Volatility that returns are divided by: EWMA of closes, EWMA of ranges, HAR, HAR with trends "
        "of returns (lhar), or HAR with the market of all tickers; none uses a constant",
    )
    window: WindowConfig = Field(default=WindowConfig(), description="Length of a window and of a forecast")
    split: SplitConfig = Field(
        default=SplitConfig(), description="First bars of val and test, in order of time"
    )
    scaler: ScalerName = Field(
        default="minmax",
        description="Scaling of the features, fitted on train bars only: per ticker, or to mean 0 and deviation 1 "
        "over all tickers (pooled)",
    )
    model: ModelConfig = Field(default=ModelConfig(), description="Architecture of the network")
    training: TrainingConfig = Field(default=TrainingConfig(), description="Training of the network")
    calibration: CalibrationName = Field(
        default="adaptive",
        description="Scaling of the intervals: by their coverage on val (conformal), or after each outcome "
        "from the first of val on (adaptive); none leaves them as trained",
    )
    seed: Int = Field(
        default=7, ge=0, le=2**32 - 1, description="The same seed on the same machine gives the same weights"
    )

    @model_validator(mode="before")
    @classmethod
    def _dependent_defaults(cls, values: Any) -> Any:
        """Set what the target and the cell require, where the user did not: `close` has no scale."""
        if not isinstance(values, Mapping):
            return values
        target = values.get("target")
        no_scale = {"target_scale": _constant_scales()[0]} if _needs_constant_scale(target) else {}
        features = {"features": VALUE_FEATURES} if _is_of_values(target) else {}
        spec = cell_spec(values.get("model"))
        return {**({} if spec is None else spec.requires), **no_scale, **features, **values}

    @field_validator("features")
    @classmethod
    def _features_differ(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        check_distinct(features, ("features",))
        return features

    @field_validator("features")
    @classmethod
    def _features_fit_covariates(cls, features: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        data = info.data.get("data")
        if data is None:
            return features
        named = {i: split_feature(one)[0] for i, one in enumerate(features) if is_covariate_feature(one)}
        for i, ticker in named.items():
            if ticker not in data.covariates:
                listed = ", ".join(data.covariates) or "no ticker"
                message = (
                    f"got {features[i]}, but data.covariates has {listed}{_intended(ticker, data.covariates)}"
                )
                raise fault(message, ("features", i))
        for i, ticker in enumerate(data.covariates):
            if ticker not in named.values():
                example = f"{ticker}.{next(iter(COVARIATE_FEATURES))}"
                message = f"no feature of the covariate {ticker} is in features; add one, such as {example}"
                raise fault(message, ("data", "covariates", i))
        return features

    @field_validator("target")
    @classmethod
    def _target_fits_features(cls, target: str, info: ValidationInfo) -> str:
        of_values = TARGETS[target].of_values
        strangers = [
            name
            for name in info.data.get("features", ())
            if (name in VALUE_FEATURES) != of_values  # a feature of a covariate is one of prices
        ]
        if strangers:
            kinds = ("a series of values", "prices") if of_values else ("prices", "a series of values")
            message = (
                f"target {target} is of {kinds[0]}, but {', '.join(strangers)} in features "
                f"{'is' if len(strangers) == 1 else 'are'} of {kinds[1]}"
            )
            raise fault(message, ("target",), ("features",))
        return target

    @field_validator("target_scale")
    @classmethod
    def _scale_fits_target(cls, target_scale: str, info: ValidationInfo) -> str:
        target = info.data.get("target")
        if _needs_constant_scale(target) and SCALES[target_scale].is_volatility:
            allowed = " or ".join(_constant_scales())
            which = "which is a price" if target == "close" else "of a series of values"
            raise fault(
                f"got '{target_scale}', must be {allowed} (or left out) with target: {target}, {which}"
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
                raise fault(message, ("split", name))
        return split

    @field_validator("model")
    @classmethod
    def _settings_fit_cell(cls, model: ModelConfig, info: ValidationInfo) -> ModelConfig:
        requires = CELLS[model.cell].requires
        unmet = [key for key, needed in requires.items() if info.data.get(key, needed) != needed]
        if unmet:
            needs = [f"{key}: {_in_yaml(requires[key])}, not {_in_yaml(info.data[key])}" for key in unmet]
            message = f"cell {model.cell} needs {'; '.join(needs)} (or leave it out)"
            raise fault(message, *((key,) for key in unmet))
        return model

    @field_validator("model")
    @classmethod
    def _head_fits_target(cls, model: ModelConfig, info: ValidationInfo) -> ModelConfig:
        if info.data.get("target") == "close" and not HEADS[model.head].forecasts_prices:
            names = [name for name, head in HEADS.items() if head.forecasts_prices]
            message = (
                f"head {model.head} cannot forecast target close, as it gives weight to prices below zero; "
                f"model.head must be {' or '.join(names)}"
            )
            raise fault(message, ("model", "head"), ("target",))
        return model

    @property
    def is_regression(self) -> bool:
        """Whether the network is the regression over all tickers alone, without a contribution of the cell."""
        return self.model.shortcut == "linear" and self.training.epochs == 0

    @property
    def model_name(self) -> str:
        """The name of the network in tables and verdicts: its cell, or that of the regression if it is no more."""
        if not self.is_regression:
            return self.model.cell
        return REGRESSION if self.model.start is None else FINE_TUNED

    @property
    def of_values(self) -> bool:
        """Whether it is a config of series of values, not of prices."""
        return TARGETS[self.target].of_values

    @property
    def words(self) -> Words:
        """What its series are called."""
        return TARGETS[self.target].words

    @property
    def needs_market(self) -> bool:
        """Whether the target scale or a feature reads the bars of all tickers of a run."""
        return SCALES[self.target_scale].needs_market or bool(self.market_features)

    @property
    def market_features(self) -> list[str]:
        """The features that read the bars of all tickers of a run."""
        return [name for name in self.features if name in FEATURES and FEATURES[name].needs_market]

    @property
    def needs_sessions(self) -> bool:
        """Whether a feature depends on the session that is forecast; a series of values has none."""
        return not self.of_values and any(
            name in FEATURES and FEATURES[name].by_step for name in self.features
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The inputs of the network per bar: features, those that depend on the session once for each step."""
        return feature_columns(self.features, self.window.horizon)

    @property
    def market_user(self) -> str:
        """What needs the market, as it stands in YAML."""
        if SCALES[self.target_scale].needs_market:
            return f"target_scale: {self.target_scale}"
        return f"features: [{', '.join(self.market_features)}]"

    @property
    def without_market(self) -> str:
        """How to change the config so that it uses each ticker alone."""
        alternative = SCALES[self.target_scale].alternative
        parts = [f"set `target_scale: {alternative}`"] if SCALES[self.target_scale].needs_market else []
        if self.market_features:
            parts.append(f"leave {', '.join(self.market_features)} out of `features`")
        return " and ".join(parts)


def _intended(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # loaded for a fault alone

    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; add {word} to it"


def _is_of_values(target: object) -> bool:
    return isinstance(target, str) and target in TARGETS and TARGETS[target].of_values


def _needs_constant_scale(target: object) -> bool:
    return target == "close" or _is_of_values(target)


def _constant_scales() -> list[str]:
    """Return the target scales that do not vary, for targets that are no returns."""
    return [name for name, spec in SCALES.items() if not spec.is_volatility]


def _in_yaml(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else f"[{', '.join(value)}]"


def require_market(config: Config) -> None:
    """Raise an error if a config needs the market and has only one ticker.

    Checked when a config is used, not when it is read, since a config file need not name its tickers.

    Raises:
        ConfigError: There is only one ticker.
    """
    tickers = config.data.tickers
    if config.needs_market and len(tickers) < 2:
        raise ConfigError(
            f"`{config.market_user}` needs several tickers, but {tickers[0]} is the only one",
            f"name several: `--set data.tickers=mine.txt`; or {config.without_market}, which uses each ticker "
            "alone",
        )


def json_schema() -> str:
    """Return the JSON Schema of config files, with which editors check and complete them."""
    import json  # other commands do without

    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_without_titles(Config.model_json_schema()),
        "title": "lstm-stock config",
    }
    return json.dumps(schema, indent=2) + "\n"


def _without_titles(node: Any) -> Any:
    # pydantic repeats every key as a title, which editors show before the description.
    if isinstance(node, dict):
        return {key: _without_titles(value) for key, value in node.items() if key != "title"}
    return [_without_titles(item) for item in node] if isinstance(node, list) else node
