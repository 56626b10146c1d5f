"""One ticker's bars as scaled features, with everything that is fitted on its train bars.

Nothing here chooses the split or cuts windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.config import Config
from lstm_stock.config.covariates import is_covariate_feature, split_feature
from lstm_stock.config.targets import TARGETS
from lstm_stock.dataset.features import Bars, feature_table
from lstm_stock.dataset.scale import Scale, scale_class
from lstm_stock.dataset.scaler import Scaler, fit_scaler, pool
from lstm_stock.dataset.split import Dates, Split
from lstm_stock.dataset.value_features import value_bars
from lstm_stock.dataset.volatility import VOLATILITY_WARM_UP, Array
from lstm_stock.errors import ShortHistoryError, UnusableTickerError
from lstm_stock.prices.table import days_of

UNKNOWN_TICKER_ID = 0
"""The id of every ticker that the network was not trained on."""


@dataclass(frozen=True)
class WindowSpec:
    """The settings that define the inputs and targets of a window.

    A series of values has the targets `log_ratio` and `difference`, and its values take the place of closes.

    Attributes:
        features: Columns of `lstm_stock.config.features.feature_columns`.
        target: A name of `lstm_stock.config.targets.TARGETS`.
        target_scale: A name of `lstm_stock.config.scales.SCALES`.
        look_back: Bars in the past of a window.
        horizon: Bars in its future.
        scaler: Kind of the scaler of the features, see `lstm_stock.dataset.scaler.fit_scaler`.
        tickers: The tickers with ids, from 1 on, for `model.ticker_embedding`; empty without one.
        season_length: Values per season of a series of values; 1 is none.
    """

    features: tuple[str, ...]
    target: str
    target_scale: str
    look_back: int
    horizon: int
    scaler: str
    tickers: tuple[str, ...] = ()
    season_length: int = 1

    def bars_of(self, adjusted: pd.DataFrame) -> Bars:
        """Return the bars of a table as the features read them."""
        target = TARGETS[self.target]
        if target.of_values:
            return value_bars(adjusted, target.is_log, self.season_length)
        return Bars.of(adjusted)

    @property
    def is_log(self) -> bool:
        """Whether a move is the log of a ratio; otherwise it is a difference."""
        return TARGETS[self.target].is_log

    @property
    def of_values(self) -> bool:
        """Whether the windows are those of series of values, not of prices."""
        return TARGETS[self.target].of_values

    def ticker_id(self, ticker: str) -> int:
        """Return the id of a ticker, `UNKNOWN_TICKER_ID` if it is not in `tickers`."""
        return self.tickers.index(ticker) + 1 if ticker in self.tickers else UNKNOWN_TICKER_ID

    @property
    def sqrt_steps(self) -> Array:
        """`sqrt(k)` for each step k, shape `(horizon,)`: the growth of a random walk's standard deviation."""
        return np.asarray(np.sqrt(np.arange(1.0, self.horizon + 1)), np.float64)


def window_spec(config: Config) -> WindowSpec:
    """Return the settings of a config that define a window."""
    return WindowSpec(
        features=config.columns,
        target=config.target,
        target_scale=config.target_scale,
        look_back=config.window.look_back,
        horizon=config.window.horizon,
        scaler=config.scaler,
        tickers=config.data.tickers if config.model.ticker_embedding else (),
        season_length=config.window.season_length or 1,
    )


@dataclass(frozen=True)
class FittedTicker:
    """Everything that is fitted on one ticker's train bars.

    Attributes:
        scaler: Scaler of the features.
        return_std: Standard deviation of the one-bar log return, the divisor of returns if the scale has none.
        close_offset: Least train close, subtracted from the target `close`.
        close_scale: Range of the train closes, the divisor of the target `close`.
        insample_mae: Mean absolute one-bar change of the close, the denominator of MASE.
        scale: Fitted target scale.
    """

    scaler: Scaler
    return_std: float
    close_offset: float
    close_scale: float
    insample_mae: float
    scale: Scale

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary; the key `har` holds the fitted values of the target scale, of any scale."""
        return {
            "features": self.scaler.to_json(),
            "return_std": self.return_std,
            "close_offset": self.close_offset,
            "close_scale": self.close_scale,
            "insample_mae": self.insample_mae,
            "har": self.scale.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], target_scale: str) -> FittedTicker:
        """Rebuild a fitted ticker from what `to_json` returned.

        Args:
            data: The dictionary.
            target_scale: Name of its scale in `SCALES`.

        Raises:
            KeyError: A key is missing.
            TypeError: A value has the wrong type.
        """
        names = ("return_std", "close_offset", "close_scale", "insample_mae")
        return_std, close_offset, close_scale, insample_mae = (float(data[name]) for name in names)
        scale = scale_class(target_scale).from_json(data.get("har"))
        scaler = Scaler.from_json(data["features"])
        return cls(scaler, return_std, close_offset, close_scale, insample_mae, scale)

    def numbers(self) -> Array:
        """Return every number of `to_json` in order, NaN for null, shape `(n,)`."""
        return np.array(list(_numbers(self.to_json())), np.float64)


def _numbers(node: Any) -> Iterator[float]:
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _numbers(item)
    else:
        yield np.nan if node is None else float(node)


@dataclass(frozen=True)
class TickerSeries:
    """One ticker with scaled features; every array has one entry per bar.

    Attributes:
        ticker: Its name.
        dates: Day of each bar, shape `(n_bars,)`.
        close: Adjusted close, shape `(n_bars,)`.
        inputs: Scaled features, float32, shape `(n_bars, n_features)`.
        volatility_scale: Divisor of a one-bar log return: a volatility, or a constant, shape `(n_bars,)`.
        first: First row with finite features and volatility; earlier rows are the warm-up.
        fitted: What is fitted on the train bars.
    """

    ticker: str
    dates: Dates
    close: Array
    inputs: NDArray[np.float32]
    volatility_scale: NDArray[np.float32]
    first: int
    fitted: FittedTicker

    def with_scaler(self, scaler: Scaler) -> TickerSeries:
        """Return a series of `fit_ticker` with the scaler `pooled`, scaled by that of all tickers."""
        fitted = replace(self.fitted, scaler=scaler)
        return replace(self, inputs=_scaled(self.inputs, scaler), fitted=fitted)

    def constant_features(self, split: Split) -> list[str]:
        """Return the features that never change on the train bars, once they are clipped."""
        train = self.inputs[self.first : split.first_rows(self.dates)[0]]
        is_constant = (train == train[:1]).all(axis=0)
        return [
            name for name, constant in zip(self.fitted.scaler.features, is_constant, strict=True) if constant
        ]


def fit_ticker(ticker: str, adjusted: pd.DataFrame, spec: WindowSpec, split: Split) -> TickerSeries:
    """Compute the features of one ticker and scale them by its train bars.

    With the scaler `pooled` the inputs are not scaled yet: `pool_scalers` does it, once all tickers are read.

    Args:
        ticker: Its name.
        adjusted: Adjusted bars, columns `open high low close volume`, and `market` where the target scale needs
            it and those of covariate features, indexed by date.
        spec: Inputs and targets of a window.
        split: Where train ends.

    Raises:
        ShortHistoryError: The ticker has too few train bars.
        UnusableTickerError: Its close never changes on the train bars, or a feature cannot be computed on a bar.
    """
    bars = spec.bars_of(adjusted)
    n_train = split.first_rows(days_of(adjusted))[0]
    try:
        scale = scale_class(spec.target_scale).fit(bars, n_train)
    except ShortHistoryError as error:
        raise ShortHistoryError(
            f"`target_scale: {spec.target_scale}` cannot be fitted to the train part of {ticker}: {error.message}",
            error.hint,
        ) from error
    raw = _raw_inputs(bars, spec, scale)
    first = _first_finite(raw)
    if n_train - first < spec.look_back + spec.horizon:
        raise too_few_bars(n_train, spec.look_back, spec.horizon, first, f"the train part of {ticker}")
    _require_computable(ticker, days_of(adjusted), spec.features, raw.features, first)
    train_close = bars.close[:n_train]
    return_std = float(np.std(np.diff(bars.path[:n_train])))
    if return_std == 0:
        raise UnusableTickerError(
            f"the {TARGETS[spec.target].words.level} of {ticker} never changes on its {n_train} train bars "
            f"(always {train_close[0]:g})",
            "a constant series cannot be used for training: check the data, or choose other dates",
        )
    fitted = FittedTicker(
        scaler=fit_scaler(spec.scaler, spec.features, raw.features[first:n_train]),
        return_std=return_std,
        close_offset=float(train_close.min()),
        close_scale=float(train_close.max() - train_close.min()),
        insample_mae=insample_mae(train_close),
        scale=scale,
    )
    pooled = spec.scaler == "pooled"
    inputs = raw.features.astype(np.float32) if pooled else fitted.scaler.transform(raw.features)
    return _series(ticker, adjusted, raw, inputs, first, fitted)


def pool_scalers(series: list[TickerSeries], split: Split) -> list[TickerSeries]:
    """Scale the inputs of all tickers, in place, by one scaler of their train bars."""
    n_bars = [split.first_rows(one.dates)[0] - one.first for one in series]
    return scale_all(series, pool([one.fitted.scaler for one in series], n_bars))


def scale_all(series: list[TickerSeries], scaler: Scaler) -> list[TickerSeries]:
    """Scale the inputs of all tickers by one scaler, where `fit_ticker` was given the scaler `pooled`.

    The list itself is changed and returned: a second one would hold the features of all tickers twice.
    """
    for i, one in enumerate(series):
        series[i] = one.with_scaler(scaler)
    return series


def apply_ticker(
    ticker: str, adjusted: pd.DataFrame, spec: WindowSpec, fitted: FittedTicker, from_row: int = 0
) -> TickerSeries:
    """Compute the features of one ticker and scale them with a saved scaler.

    `TickerSeries.first` is after the last bar on which a feature cannot be computed.

    Args:
        ticker: Its name.
        adjusted: As for `fit_ticker`.
        spec: Inputs and targets of a window.
        fitted: What was fitted.
        from_row: The first bar of the series; bars before it count in features of later ones.
    """
    raw = _raw_inputs(spec.bars_of(adjusted), spec, fitted.scale, from_row)
    first = _first_finite(raw)
    gaps = np.flatnonzero(~raw.is_finite[first:])
    first += int(gaps[-1]) + 1 if len(gaps) else 0
    scaler = fitted.scaler
    inputs = (
        _scaled(raw.features.astype(np.float32), scaler)
        if spec.scaler == "pooled"
        else scaler.transform(raw.features)
    )
    return _series(ticker, adjusted.iloc[from_row:], raw, inputs, first, fitted)


def insample_mae(close: Array) -> float:
    """Mean absolute one-bar change, `mean(|close[t] - close[t - 1]|)`, the denominator of MASE.

    Args:
        close: Prices of the train bars in order, shape `(n_bars,)`, at least two, all finite.

    >>> insample_mae(np.array([1.0, 3.0, 2.0]))  # (2 + 1) / 2
    1.5
    """
    return float(np.mean(np.abs(np.diff(close))))


def too_few_bars(
    n_bars: int, look_back: int, horizon: int, warm_up: int, name: str = "the series"
) -> ShortHistoryError:
    """Return the error for `n_bars` bars, which are too few for one window."""
    needs = {"`look_back`": look_back, "`horizon`": horizon, "warm-up": warm_up}
    parts = " + ".join(f"{what} {n}" for what, n in needs.items() if n)
    return ShortHistoryError(
        f"one window needs {sum(needs.values())} bars ({parts}), but {name} has {n_bars}",
        "fetch an earlier `start`, or lower `window.look_back`",
    )


@dataclass(frozen=True)
class _RawInputs:
    """Unscaled features, `(n_bars, n_features)`, and the divisor of returns, `(n_bars,)`."""

    features: Array
    volatility: Array | None

    @property
    def is_finite(self) -> NDArray[np.bool_]:
        finite = np.asarray(np.isfinite(self.features).all(axis=1))
        return finite if self.volatility is None else finite & np.isfinite(self.volatility)


def _raw_inputs(bars: Bars, spec: WindowSpec, scale: Scale, from_row: int = 0) -> _RawInputs:
    volatility = scale.volatility(bars)
    with np.errstate(divide="ignore"):  # `_require_computable` reports an open of 0
        features = feature_table(bars, spec.features, volatility, from_row)
    return _RawInputs(features, None if volatility is None else volatility[from_row:])


def _first_finite(raw: _RawInputs) -> int:
    finite = raw.is_finite
    return int(np.argmax(finite)) if finite.any() else max(len(finite), VOLATILITY_WARM_UP + 1)


def _require_computable(
    ticker: str, dates: Dates, names: tuple[str, ...], features: Array, first: int
) -> None:
    gaps = np.flatnonzero(~np.isfinite(features[first:]).all(axis=1)) + first
    if len(gaps):
        days = dates[gaps]
        bars = f"the bar of {days[0]}" if len(gaps) == 1 else f"{len(gaps)} bars, {days[0]} to {days[-1]}"
        for name, column in zip(names, features[gaps].T, strict=True):
            if is_covariate_feature(name) and not np.isfinite(column).all():
                covariate, _ = split_feature(name)
                raise UnusableTickerError(
                    f"`{name}` has no value for {ticker} on {bars}: {covariate} has no bar on more than five "
                    "sessions in sequence",
                    f"fetch {covariate} again, or choose `data.start` and `data.end` within its bars",
                )
        raise UnusableTickerError(
            f"the features of {ticker} cannot be computed on {bars}, probably because of an open of 0",
            f"train {ticker} alone with `data.start` after {days[-1]}, or leave `open_gap` and `open` out of "
            "`features`",
        )


def _scaled(inputs: NDArray[np.float32], scaler: Scaler) -> NDArray[np.float32]:
    """Scale features rounded to float32: those of many tickers are kept until all are read."""
    return scaler.transform(inputs.astype(np.float64))


def _series(
    ticker: str,
    adjusted: pd.DataFrame,
    raw: _RawInputs,
    inputs: NDArray[np.float32],
    first: int,
    fitted: FittedTicker,
) -> TickerSeries:
    scale = np.full(len(adjusted), fitted.return_std) if raw.volatility is None else raw.volatility
    return TickerSeries(
        ticker=ticker,
        dates=days_of(adjusted),
        # A copy: a view of one column would keep the whole price table in memory.
        close=np.array(adjusted["close"], np.float64),
        inputs=inputs,
        volatility_scale=scale.astype(np.float32),
        first=first,
        fitted=fitted,
    )
