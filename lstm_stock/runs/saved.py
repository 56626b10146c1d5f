"""What the JSON files of a run, a backtest and a folder of pretrained networks hold, as pydantic checks it.

Whether the files agree with one another is checked where they are read: in `lstm_stock.runs.run`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, create_model, model_validator

from lstm_stock.distributions.intervals import LEVELS
from lstm_stock.readback import Count, Date, Hash, NotNegative, Number, Positive, Saved, Text, Time
from lstm_stock.scoring.scores import SCORE_COLUMNS

ADDED_SCORES = ("rmse_percent", *(f"coverage_trained_{level}" for level in LEVELS))
"""Columns of a score table that runs of older versions lack."""


class SavedOrigin(Saved):
    """`lstm_stock.prices.reader.TickerOrigin`."""

    hash: Hash
    first: Time
    last: Time
    n_bars: Annotated[Count, Field(ge=1)]
    source: Text
    first_close: Number

    @model_validator(mode="after")
    def _in_order(self) -> SavedOrigin:
        if self.first > self.last:
            raise ValueError(f"its first bar, {self.first}, is after its last, {self.last}")
        return self


class SavedProvenance(Saved):
    """`lstm_stock.runs.provenance.RunProvenance`."""

    created: Time
    seed: int = Field(ge=0, lt=2**64)
    val_start: Time
    test_start: Time
    n_params: Count
    n_train_windows: Count
    n_val_windows: Count
    train_seconds: NotNegative
    interrupted: bool
    tickers: Annotated[dict[Text, SavedOrigin], Field(min_length=1)]
    packages: dict[Text, Text]
    python: Text
    platform: Text
    key: Text = ""
    covariates: dict[Text, SavedOrigin] = Field(default_factory=dict)
    network_hashes: dict[Text, Hash] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _in_order(self) -> SavedProvenance:
        if self.val_start > self.test_start:
            raise ValueError(f"val starts on {self.val_start}, after the test period, on {self.test_start}")
        return self


class SavedColumn(Saved):
    """One feature of a `lstm_stock.dataset.scaler.Scaler`."""

    offset: Number
    scale: Positive
    low: Number | None
    high: Number | None

    @model_validator(mode="after")
    def _in_order(self) -> SavedColumn:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"`low`, {self.low:g}, is above `high`, {self.high:g}")
        return self


class SavedHar(Saved):
    """`lstm_stock.dataset.har.HarModel`."""

    weights: list[Number]
    usual: Positive
    lowest: Annotated[Number, Field(ge=-700, le=100)]
    highest: Annotated[Number, Field(ge=-700, le=100)]
    spread: Positive


class SavedFitted(Saved):
    """`lstm_stock.dataset.series.FittedTicker`."""

    features: Annotated[dict[Text, SavedColumn], Field(min_length=1)]
    return_std: Positive
    close_offset: Number
    close_scale: NotNegative
    insample_mae: NotNegative
    har: SavedHar | None


SavedScalers: TypeAlias = Annotated[dict[Text, SavedFitted], Field(min_length=1)]


class SavedCalibrator(Saved):
    """`lstm_stock.distributions.intervals.Calibrator`."""

    kind: Literal["none", "conformal", "adaptive"]
    levels: list[int]
    factors: list[list[Annotated[float, Field(gt=0, le=1e6)]]]


SavedCalibrators: TypeAlias = Annotated[dict[Text, SavedCalibrator], Field(min_length=1)]


class SavedPooled(Saved):
    """`lstm_stock.dataset.pooled.PooledT` with the names of its features."""

    features: list[Text]
    slopes: list[list[list[Number]]]
    intercepts: list[list[Number]]


SavedRow = create_model(
    "SavedRow",
    __base__=Saved,
    ticker=(Text, ...),
    model=(Text, ...),
    step=(Annotated[int, Field(ge=1, le=10_000)], ...),
    **{  # type: ignore[call-overload]
        name: (Number | None, None if name in ADDED_SCORES else ...)
        for name in SCORE_COLUMNS
        if name not in ("ticker", "model", "step")
    },
)
"""One row of a score table."""


class SavedFinding(Saved):
    """One section of a verdict: of its keys, those that every reader needs are checked."""

    model_config = ConfigDict(extra="allow")

    verdict: Text | None = None
    sentence: Text | None = None


class SavedVerdict(Saved):
    """`lstm_stock.scoring.verdict.judge`."""

    model_config = ConfigDict(extra="allow")

    step: Annotated[int, Field(ge=1, le=10_000)] | None = None
    n_tickers: Count | None = None
    n_dates: Count | None = None
    point: SavedFinding | None = None
    direction: SavedFinding | None = None
    distribution: SavedFinding | None = None
    calibration: SavedFinding | None = None
    intervals: SavedFinding | None = None
    risk: SavedFinding | None = None
    rises: SavedFinding | None = None
    lag_copy: SavedFinding | None = None
    last: SavedVerdict | None = None
    tickers: dict[Text, SavedVerdict] | None = None

    @model_validator(mode="after")
    def _last_has_a_step(self) -> SavedVerdict:
        if self.last is not None and self.last.step is None:
            raise ValueError("`last` has no `step`")
        return self


class SavedScores(Saved):
    """The file of scores; `folds` is that of a backtest."""

    scores: Annotated[list[SavedRow], Field(min_length=1)]  # type: ignore[valid-type]
    verdict: SavedVerdict | None = None
    folds: list[Any] = Field(default_factory=list)

    def plain_verdict(self) -> dict[str, Any]:
        """Return the verdict as plain values; empty without one."""
        return {} if self.verdict is None else self.verdict.model_dump(exclude_unset=True)


class SavedCard(Saved):
    """How a folder of pretrained networks was made."""

    model_config = ConfigDict(extra="allow")

    created: Time
    trained_to: Date
    trained_from: Date
    tickers: list[Text]
