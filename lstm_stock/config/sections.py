"""The sections of a config: which keys there are, what they default to, and what must hold between them.

Nothing here knows prices or networks: the names of cells, heads, features and scalers are only names, and the
registries of higher floors hold what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from lstm_stock.config.cells import CELLS, CellSpec, cells_with
from lstm_stock.config.features import FEATURES
from lstm_stock.config.fields import (
    Bool,
    Float,
    Int,
    LayerWidth,
    OptionalDate,
    OptionalFloat,
    ShareOrDate,
    Ticker,
    check_distinct,
    fault,
)
from lstm_stock.config.heads import HEADS
from lstm_stock.config.registry import OneOf

CellName: TypeAlias = Annotated[str, OneOf(CELLS)]
HeadName: TypeAlias = Annotated[str, OneOf(HEADS)]
TargetName: TypeAlias = Literal["log_return", "close"]
TargetScaleName: TypeAlias = Literal["trailing_vol", "trailing_range", "har", "har_market", "none"]
CalibrationName: TypeAlias = Literal["none", "conformal", "adaptive"]
ScalerName: TypeAlias = Literal["minmax", "standard", "robust", "none"]
MonitorName: TypeAlias = Literal["val_loss", "loss"]
FeatureName: TypeAlias = Annotated[str, OneOf(FEATURES)]

# Sections and keys stand in the order in which they are written. Upper bounds stand where a typo would hang
# the machine.


class Section(BaseModel):
    """A section: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def _or_a_file(schema: dict[str, Any]) -> None:
    """Tell editors that the name of a file may stand in place of the list."""
    about = {key: schema.pop(key) for key in ("default", "description")}
    a_list = dict(schema)
    schema.clear()
    schema |= {"anyOf": [a_list, {"type": "string", "pattern": r"\.[tT][xX][tT]$"}], **about}


class DataConfig(Section):
    """Whose prices, and from when to when."""

    tickers: tuple[Ticker, ...] = Field(
        default=("AAPL",),
        min_length=1,
        max_length=2000,
        description="Tickers as Yahoo writes them, or the name of a .txt file of them; one network learns all",
        json_schema_extra=_or_a_file,
    )
    start: OptionalDate = Field(
        default=date(2010, 1, 1), description="First date used, YYYY-MM-DD; null for the earliest there is"
    )
    end: OptionalDate = Field(
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
            raise fault(f"start {start} must be before end {end}", ("data", "end"), ("data", "start"))
        return end


class WindowConfig(Section):
    """What the model sees, and how far it forecasts."""

    look_back: Int = Field(default=60, ge=1, le=2520, description="Bars the model sees before each forecast")
    horizon: Int = Field(default=5, ge=1, le=252, description="Bars forecast at once: steps 1 to horizon")


class SplitConfig(Section):
    """Which bars validate and which test: train comes first, then val, then test."""

    val: ShareOrDate = Field(
        default=0.16, description="Validation: share of the bars (0 to 1), or the date on which it starts"
    )
    test: ShareOrDate = Field(
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
                raise fault(f"val starts on {val}, which must be before test starts on {test}", *keys)
        elif isinstance(val, date) or isinstance(test, date):
            raise fault(f"val {val} and test {test} must be of one kind: both shares or both dates", *keys)
        elif val + test >= 1:
            raise fault(
                f"val {val:g} and test {test:g} leave nothing to train on; their sum must be below 1", *keys
            )
        return test


class ModelConfig(Section):
    """The network."""

    cell: CellName = Field(
        default="lstm", description="What turns a window into one vector; `lstm-stock models` tells of each"
    )
    units: tuple[LayerWidth, ...] = Field(
        default=(128, 64),
        min_length=1,
        max_length=8,
        description="Width of each layer of the cell, first to last; of a transformer, of each block",
    )
    dropout: Float = Field(
        default=0.3, ge=0, lt=1, description="Share of values dropped after each of these layers in training"
    )
    recurrent_dropout: Float = Field(
        default=0,
        ge=0,
        lt=1,
        description="Share of the former state dropped in training, alike at every bar; 0 is off",
    )
    zoneout: Float = Field(
        default=0,
        ge=0,
        lt=1,
        description="Chance of each unit to keep its former state at a bar in training; 0 is off",
    )
    kernel_constraint: OptionalFloat = Field(
        default=None, gt=0, description="Longest the vector of a unit's input weights may be; null is off"
    )
    recurrent_constraint: OptionalFloat = Field(
        default=None, gt=0, description="The same of its weights on the former state; null is off"
    )
    l2: Float = Field(
        default=0,
        ge=0,
        le=1,
        description="Penalty on the squared weights of these layers, which no reported loss includes; 0 is off",
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
        description="Numbers learnt of each ticker and shown to the network with every bar; 0 is none",
    )
    head: HeadName = Field(
        default="student_t",
        description="What the network outputs per step: a point, a normal, a Student-t or quantiles; or the "
        "vocabulary of the cell token",
    )
    vocabulary: Int = Field(
        default=8, ge=2, le=4096, description="Tokens that the cell token knows: bins of the one-bar return"
    )
    paths: Int = Field(
        default=256, ge=1, le=65_536, description="Paths that the cell token draws for each forecast"
    )
    temperature: Float = Field(
        default=1.0,
        ge=0.1,
        le=10,
        description="What the cell token divides its logits by in a forecast: below 1 likely tokens get likelier",
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
    """When training ends before its last epoch."""

    monitor: MonitorName = Field(default="val_loss", description="Loss that must improve")
    patience: Int = Field(
        default=10, ge=1, le=10_000, description="Epochs without improvement before training stops"
    )


class ReduceLrConfig(Section):
    """When the learning rate falls."""

    monitor: MonitorName = Field(default="val_loss", description="Loss that must improve")
    factor: Float = Field(default=0.1, gt=0, lt=1, description="The learning rate is multiplied by this")
    patience: Int = Field(default=5, ge=0, le=10_000, description="Epochs without improvement before it is")


class TrainingConfig(Section):
    """How the network is fitted."""

    epochs: Int = Field(default=100, ge=1, le=10_000, description="Passes over the train windows, at most")
    batch_size: Int = Field(default=32, ge=1, le=65_536, description="Windows per gradient step")
    learning_rate: Float = Field(default=0.001, gt=0, le=1, description="Step size of Adam at the start")
    ema_momentum: Float = Field(
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
    refit: Bool = Field(
        default=False,
        description="Learn again from train and val together, for as many epochs as val found best, before test",
    )
    members: Int = Field(
        default=1,
        ge=1,
        le=50,
        description="Networks trained, from seed, seed + 1, ..., and averaged as a mixture",
    )
