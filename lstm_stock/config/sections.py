"""The sections of a config: their keys, defaults and limits, and the rules between the keys of a section."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from lstm_stock.config.cells import CELLS, CellSpec, cells_with
from lstm_stock.config.covariates import COVARIATE_FEATURES
from lstm_stock.config.features import FEATURES
from lstm_stock.config.fields import (
    Bool,
    Float,
    Int,
    LayerWidth,
    OptionalDate,
    OptionalFloat,
    OptionalInt,
    OptionalNetworks,
    ShareOrDate,
    Ticker,
    check_distinct,
    fault,
    parse_ticker,
)
from lstm_stock.config.heads import HEADS
from lstm_stock.config.interval import INTERVALS
from lstm_stock.config.registry import OneOf, OneOfOrDotted
from lstm_stock.config.scales import SCALES
from lstm_stock.config.targets import TARGETS

CellName: TypeAlias = Annotated[str, OneOf(CELLS)]
HeadName: TypeAlias = Annotated[str, OneOf(HEADS)]
TargetName: TypeAlias = Annotated[str, OneOf(TARGETS)]
TargetScaleName: TypeAlias = Annotated[str, OneOf(SCALES)]
CalibrationName: TypeAlias = Literal["none", "conformal", "adaptive"]
ScalerName: TypeAlias = Literal["minmax", "standard", "robust", "pooled", "none"]
MonitorName: TypeAlias = Literal["val_loss", "loss"]
ShortcutName: TypeAlias = Literal["linear", "none"]
PrecisionName: TypeAlias = Literal["float32", "mixed_bfloat16"]
IntervalName: TypeAlias = Annotated[str, OneOf(INTERVALS)]
FeatureName: TypeAlias = Annotated[str, OneOfOrDotted(FEATURES, COVARIATE_FEATURES, parse_ticker)]

# The order of the keys is the order in which a config is written. Upper bounds catch typos that would exhaust the
# machine.


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys forbidden."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def _or_a_file(schema: dict[str, Any]) -> None:
    """Allow the name of a file instead of the list in the JSON Schema."""
    described = {key: schema.pop(key) for key in ("default", "description")}
    as_list = dict(schema)
    schema.clear()
    schema |= {"anyOf": [as_list, {"type": "string", "pattern": r"\.[tT][xX][tT]$"}], **described}


class DataConfig(Section):
    """Tickers and dates."""

    tickers: tuple[Ticker, ...] = Field(
        default=("AAPL",),
        min_length=1,
        max_length=2000,
        description="Tickers as Yahoo spells them, or the name of a .txt file of them; one network learns all",
        json_schema_extra=_or_a_file,
    )
    start: OptionalDate = Field(
        default=date(2010, 1, 1), description="First date used, YYYY-MM-DD; null: the earliest in the store"
    )
    end: OptionalDate = Field(
        default=date(2023, 12, 31), description="Last date used, YYYY-MM-DD; null: the newest in the store"
    )
    interval: IntervalName | None = Field(
        default=None,
        description="Time from bar to bar; null: a day, or what the store has of tickers without daily bars",
    )
    covariates: tuple[Ticker, ...] = Field(
        default=(),
        max_length=100,
        description="Tickers whose values are inputs of every ticker, as features named `^VIX.log_close`",
    )

    @field_validator("tickers", "covariates")
    @classmethod
    def _tickers_differ(cls, tickers: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        check_distinct(tickers, ("data", str(info.field_name)))
        return tickers

    @property
    def all_tickers(self) -> tuple[str, ...]:
        """Tickers and covariates, each once."""
        return tuple(dict.fromkeys((*self.tickers, *self.covariates)))

    @field_validator("end")
    @classmethod
    def _end_is_later(cls, end: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start")
        if start is not None and end is not None and start >= end:
            raise fault(f"start {start} must be before end {end}", ("data", "end"), ("data", "start"))
        return end


class WindowConfig(Section):
    """Length of a window and of a forecast."""

    look_back: Int = Field(
        default=60, ge=1, le=2520, description="Bars that the network sees before each forecast"
    )
    horizon: Int = Field(default=5, ge=1, le=252, description="Bars forecast at once: steps 1 to horizon")
    season_length: OptionalInt = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Values per season, of a series of values alone; 1: none; null: by its interval, such as 24 "
        "of hours, 7 of days, 12 of months",
    )


class SplitConfig(Section):
    """First bars of val and test; train, val and test follow each other in time."""

    val: ShareOrDate = Field(
        default=0.16, description="Validation: share of the bars (0 to 1), or its first date"
    )
    test: ShareOrDate = Field(
        default=0.20,
        description="Test, the newest bars: share of the bars (0 to 1), or its first date",
    )

    @field_validator("test")
    @classmethod
    def _val_and_test_fit(cls, test: float | date, info: ValidationInfo) -> float | date:
        val, keys = info.data.get("val"), (("split", "test"), ("split", "val"))
        if val is None:
            return test
        if isinstance(val, date) and isinstance(test, date):
            if val >= test:
                raise fault(f"val starts on {val}, which must be before test starts on {test}", *keys)
        elif isinstance(val, date) or isinstance(test, date):
            raise fault(f"val {val} and test {test} must be of one kind: both shares or both dates", *keys)
        elif val + test >= 1:
            raise fault(
                f"val {val:g} and test {test:g} leave nothing to train on; their sum must be below 1", *keys
            )
        return test


class ModelConfig(Section):
    """Architecture of the network."""

    cell: CellName = Field(
        default="lstm", description="Recurrent cell or encoder; `lstm-stock models` lists them"
    )
    units: tuple[LayerWidth, ...] = Field(
        default=(128, 64),
        min_length=1,
        max_length=8,
        description="Width of each layer of the cell, or of each block of a transformer",
    )
    dropout: Float = Field(default=0.3, ge=0, lt=1, description="Dropout rate after each of these layers")
    recurrent_dropout: Float = Field(
        default=0,
        ge=0,
        lt=1,
        description="Dropout rate of the previous state, one mask per window; 0 is off",
    )
    zoneout: Float = Field(
        default=0,
        ge=0,
        lt=1,
        description="Probability that a unit keeps its previous state at a bar in training; 0 is off",
    )
    kernel_constraint: OptionalFloat = Field(
        default=None, gt=0, description="Max-norm constraint on each unit's input weights; null is off"
    )
    recurrent_constraint: OptionalFloat = Field(
        default=None, gt=0, description="Max-norm constraint on each unit's recurrent weights; null is off"
    )
    l2: Float = Field(
        default=0,
        ge=0,
        le=1,
        description="L2 penalty on the weights of these layers, not part of the reported losses; 0 is off",
    )
    dense: tuple[LayerWidth, ...] = Field(
        default=(32,),
        max_length=8,
        description="Width of each dense (relu) layer before the head; may be empty",
    )
    ticker_embedding: Int = Field(
        default=0,
        ge=0,
        le=64,
        description="Width of the ticker embedding, an input at every bar; 0 is off",
    )
    head: HeadName = Field(
        default="student_t",
        description="Output per step: a point, a normal, a Student-t, one around a common drift, or quantiles; "
        "the vocabulary is for the cell token alone",
    )
    shortcut: ShortcutName = Field(
        default="none",
        description="linear: the output is a regression on the last bar, fitted first, plus what the cell adds, "
        "at first nothing; needs head drift_t",
    )
    start: OptionalNetworks = Field(
        default=None,
        description="Pretrained networks to fine-tune: universal, or a folder of `pretrain`; the shortcut starts "
        "from theirs, and features and covariates are theirs; null is off",
    )
    vocabulary: Int = Field(
        default=8, ge=2, le=4096, description="Number of tokens of the cell token: bins of the one-bar return"
    )
    paths: Int = Field(
        default=256, ge=1, le=65_536, description="Simulated paths per forecast of the cell token"
    )
    temperature: Float = Field(
        default=1.0,
        ge=0.1,
        le=10,
        description="Divisor of the logits of the cell token in a forecast; below 1 favours likely tokens",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_head_of_cell(cls, values: Any) -> Any:
        spec = cell_spec(values)
        return values if spec is None or spec.head is None else {"head": spec.head, **values}

    @field_validator("head")
    @classmethod
    def _head_fits_cell(cls, head: str, info: ValidationInfo) -> str:
        cell = info.data.get("cell")
        if cell is None:
            return head
        required = CELLS[cell].head
        if required is not None and head != required:
            raise fault(f"got '{head}', must be {required} (or left out) with model.cell: {cell}")
        owner = next((name for name, spec in CELLS.items() if spec.head == head), cell)
        if owner != cell:
            message = f"got '{head}', which only model.cell: {owner} has"
            raise fault(message, ("model", "head"), ("model", "cell"))
        return head

    @field_validator("shortcut")
    @classmethod
    def _head_has_regression(cls, shortcut: str, info: ValidationInfo) -> str:
        head = info.data.get("head")
        if shortcut == "linear" and head is not None and not HEADS[head].has_regression:
            names = " or ".join(name for name, spec in HEADS.items() if spec.has_regression)
            message = f"got 'linear', must be none (or left out) with head {head}; it needs head {names}"
            raise fault(message, ("model", "shortcut"), ("model", "head"))
        return shortcut

    @field_validator("start")
    @classmethod
    def _start_has_shortcut(cls, start: str | None, info: ValidationInfo) -> str | None:
        if start is not None and info.data.get("shortcut") == "none":
            message = (
                f"got {start!r}, must be null (or left out) with shortcut none: the shortcut starts there"
            )
            raise fault(message, ("model", "start"), ("model", "shortcut"))
        return start

    @field_validator("ticker_embedding")
    @classmethod
    def _cell_reads_ticker(cls, value: int, info: ValidationInfo) -> int:
        cell = info.data.get("cell")
        if value and cell is not None and not CELLS[cell].has_ticker:
            message = f"got {value}, must be 0 (or left out) with cell {cell}, which does not read the ticker"
            raise fault(message, ("model", "ticker_embedding"), ("model", "cell"))
        return value

    @field_validator("recurrent_dropout", "zoneout", "kernel_constraint", "recurrent_constraint", "l2")
    @classmethod
    def _option_applies(cls, value: float | None, info: ValidationInfo) -> float | None:
        cell, option = info.data.get("cell"), str(info.field_name)
        if value and cell is not None and option not in CELLS[cell].options:
            off = "null" if "constraint" in option else "0"
            raise fault(
                f"got {value:g}, must be {off} (or left out) with cell {cell}, to which it does not apply; "
                f"it applies to {', '.join(cells_with(option))}",
                ("model", option),
                ("model", "cell"),
            )
        return value


def cell_spec(model: Any) -> CellSpec | None:
    """Return the spec of the cell in an unchecked `model`; None where the cell is unknown or left out."""
    cell = model.get("cell") if isinstance(model, Mapping) else getattr(model, "cell", None)
    return CELLS.get(cell) if isinstance(cell, str) else None


class EarlyStoppingConfig(Section):
    """Early end of the training."""

    monitor: MonitorName = Field(default="val_loss", description="Loss that must improve")
    patience: Int = Field(
        default=10, ge=1, le=10_000, description="Epochs without improvement before training stops"
    )
    min_delta: Float = Field(
        default=0.0001, ge=0, le=1, description="Least decrease of the loss that counts as an improvement"
    )


class ReduceLrConfig(Section):
    """Reduction of the learning rate."""

    monitor: MonitorName = Field(default="val_loss", description="Loss that must improve")
    factor: Float = Field(
        default=0.1, gt=0, lt=1, description="Factor by which the learning rate is multiplied"
    )
    patience: Int = Field(
        default=5, ge=0, le=10_000, description="Epochs without improvement before the rate is reduced"
    )
    min_delta: Float = Field(
        default=0.0001, ge=0, le=1, description="Least decrease of the loss that counts as an improvement"
    )
    min_lr: Float = Field(
        default=0.00001, ge=0, le=1, description="Learning rate below which it is not reduced; 0 is no limit"
    )


class TrainingConfig(Section):
    """Training of the network."""

    epochs: Int = Field(
        default=100,
        ge=0,
        le=10_000,
        description="Maximum number of passes over the train windows; 0 keeps the start, which with "
        "model.shortcut: linear is the regression alone",
    )
    batch_size: Int = Field(default=32, ge=1, le=65_536, description="Windows per gradient step")
    learning_rate: Float = Field(default=0.001, gt=0, le=1, description="Initial learning rate of Adam")
    weight_decay: Float = Field(
        default=0,
        ge=0,
        le=1,
        description="Share of each weight, except the shortcut's, that a step takes away, in units of the "
        "learning rate; 0 is off",
    )
    ema_momentum: Float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="Momentum of the moving average of the weights that forecasts use; 0: the weights themselves",
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        default=EarlyStoppingConfig(),
        description="Stop when a loss no longer improves, and restore the best weights, which may be the start; "
        "null is off",
    )
    reduce_lr: ReduceLrConfig | None = Field(
        default=ReduceLrConfig(),
        description="Reduce the learning rate when a loss no longer improves; null is off",
    )
    precision: PrecisionName = Field(
        default="float32",
        description="Numbers of the layers in training: float32, or bfloat16 with weights and head in float32, "
        "for GPUs; forecasts are always computed in float32",
    )
    refit: Bool = Field(
        default=False,
        description="Retrain on train and val before the test, for as many epochs as were best on val",
    )
    members: Int = Field(
        default=1,
        ge=1,
        le=50,
        description="Networks of the ensemble, with seeds seed, seed + 1, ...; the forecast is their mixture, "
        "with head drift_t that of their mean parameters",
    )
