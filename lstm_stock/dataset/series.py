"""One ticker's bars as scaled features, with everything that was fitted on its train bars.

Nothing here chooses the split, cuts windows or knows Keras.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.config import Config
from lstm_stock.dataset.features import Bars, feature_table
from lstm_stock.dataset.scale import Scale, scale_class
from lstm_stock.dataset.scaler import Scaler, fit_scaler
from lstm_stock.dataset.split import Dates, Split
from lstm_stock.dataset.volatility import VOLATILITY_WARM_UP, Array, log_returns
from lstm_stock.errors import ShortHistoryError, UnusableTickerError
from lstm_stock.prices.table import days_of

UNKNOWN_TICKER_ID = 0
"""The id of every ticker that the network was not trained on."""


@dataclass(frozen=True)
class WindowSpec:
    """What a window holds: the settings that turn prices into inputs and targets.

    Attributes:
        features: Names of `lstm_stock.config.features.FEATURES`.
        target: `log_return` or `close`.
        target_scale: A name of `lstm_stock.config.scales.SCALES`.
        look_back: Bars in the past of a window.
        horizon: Bars in its future.
        scaler: Kind of the scaler of the features, see `lstm_stock.dataset.scaler.fit_scaler`.
        tickers: The tickers that have an id of their own (`model.ticker_embedding`), empty if none has.
    """

    features: tuple[str, ...]
    target: str
    target_scale: str
    look_back: int
    horizon: int
    scaler: str
    tickers: tuple[str, ...] = ()

    def ticker_id(self, ticker: str) -> int:
        """Return the ticker's id, from 1 on; `UNKNOWN_TICKER_ID` for a ticker that is not in `tickers`."""
        return self.tickers.index(ticker) + 1 if ticker in self.tickers else UNKNOWN_TICKER_ID

    @property
    def sqrt_steps(self) -> Array:
        """`sqrt(k)` for each step k, shape `(horizon,)`: how the deviation of a random walk grows."""
        return np.asarray(np.sqrt(np.arange(1.0, self.horizon + 1)), np.float64)


def window_spec(config: Config) -> WindowSpec:
    """Return the settings of a config that decide what a window holds."""
    return WindowSpec(
        features=tuple(config.features),
        target=config.target,
        target_scale=config.target_scale,
        look_back=config.window.look_back,
        horizon=config.window.horizon,
        scaler=config.scaler,
        tickers=config.data.tickers if config.model.ticker_embedding else (),
    )


@dataclass(frozen=True)
class FittedTicker:
    """Everything that was fitted on one ticker's train bars.

    Attributes:
        scaler: Of the features.
        return_std: Standard deviation of the one-bar log return, the divisor of returns if the scale gives none.
        close_offset: Least train close, subtracted from the target `close`.
        close_scale: Range of the train closes, the divisor of the target `close`.
        insample_mae: Mean absolute one-bar change of the close, the denominator of MASE.
        scale: The target scale.
    """

    scaler: Scaler
    return_std: float
    close_offset: float
    close_scale: float
    insample_mae: float
    scale: Scale

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary; what the target scale learnt is its key `har`, whatever the scale."""
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
            target_scale: The name of its scale in `SCALES`.

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
    """One ticker, scaled and ready for windows; every array has one entry per bar.

    Attributes:
        ticker: Its name.
        dates: Day of each bar, shape `(n_bars,)`.
        close: Adjusted close, shape `(n_bars,)`.
        inputs: Scaled features, float32, shape `(n_bars, n_features)`.
        volatility_scale: Divisor of a one-bar log return: a volatility, or a constant, shape `(n_bars,)`.
        first: First row where features and volatility are known; earlier rows are the warm-up.
        fitted: What was fitted on the train bars.
    """

    ticker: str
    dates: Dates
    close: Array
    inputs: NDArray[np.float32]
    volatility_scale: NDArray[np.float32]
    first: int
    fitted: FittedTicker


def fit_ticker(ticker: str, adjusted: pd.DataFrame, spec: WindowSpec, split: Split) -> TickerSeries:
    """Compute the features of one ticker and scale them by its train bars.

    Args:
        ticker: Its name, for messages.
        adjusted: Columns `open high low close volume`, adjusted, indexed by date, and `market` where the target
            scale needs it.
        spec: What a window holds.
        split: Where train ends.

    Raises:
        ShortHistoryError: The ticker has too few train bars.
        UnusableTickerError: Its close never changes on them, or a feature cannot be computed on a bar.
    """
    bars = Bars.of(adjusted)
    n_train = split.first_rows(days_of(adjusted))[0]
    try:
        scale = scale_class(spec.target_scale).fit(bars, n_train)
    except ShortHistoryError as error:
        raise ShortHistoryError(
            f"`target_scale: {spec.target_scale}` cannot be fitted to the train part of {ticker}: {error.message}",
            error.hint,
        ) from error
    raw = _raw_inputs(bars, spec, scale)
    first = _first_known(raw)
    if n_train - first < spec.look_back + spec.horizon:
        raise too_few_bars(n_train, spec.look_back, spec.horizon, first, f"the train part of {ticker}")
    _require_computable(ticker, adjusted, raw.features, first)
    train_close = bars.close[:n_train]
    return_std = float(np.std(log_returns(train_close)[1:]))
    if return_std == 0:
        raise UnusableTickerError(
            f"the close of {ticker} never changes on its {n_train} train bars (always {train_close[0]:g})",
            "a price without movement cannot be learnt from: check the data, or choose other dates",
        )
    fitted = FittedTicker(
        scaler=fit_scaler(spec.scaler, spec.features, raw.features[first:n_train]),
        return_std=return_std,
        close_offset=float(train_close.min()),
        close_scale=float(train_close.max() - train_close.min()),
        insample_mae=insample_mae(train_close),
        scale=scale,
    )
    return _series(ticker, adjusted, raw, first, fitted)


def apply_ticker(ticker: str, adjusted: pd.DataFrame, spec: WindowSpec, fitted: FittedTicker) -> TickerSeries:
    """Compute the features of one ticker and scale them by what was fitted earlier.

    The series starts after the last bar on which a feature cannot be computed.
    """
    raw = _raw_inputs(Bars.of(adjusted), spec, fitted.scale)
    first = _first_known(raw)
    unknown = np.flatnonzero(~raw.known[first:])
    first += int(unknown[-1]) + 1 if len(unknown) else 0
    return _series(ticker, adjusted, raw, first, fitted)


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
    """Return the error of `n_bars` bars that are too few for one window."""
    needs = {"`look_back`": look_back, "`horizon`": horizon, "warm-up": warm_up}
    parts = " + ".join(f"{what} {n}" for what, n in needs.items() if n)
    return ShortHistoryError(
        f"one window needs {sum(needs.values())} bars ({parts}), but {name} has {n_bars}",
        "fetch an earlier `start`, or lower `window.look_back`",
    )


@dataclass(frozen=True)
class _RawInputs:
    """Unscaled features, `(n_bars, n_features)`, and the volatility that returns are divided by, `(n_bars,)`."""

    features: Array
    volatility: Array | None

    @property
    def known(self) -> NDArray[np.bool_]:
        known = np.asarray(np.isfinite(self.features).all(axis=1))
        return known if self.volatility is None else known & np.isfinite(self.volatility)


def _raw_inputs(bars: Bars, spec: WindowSpec, scale: Scale) -> _RawInputs:
    volatility = scale.volatility(bars)
    with np.errstate(divide="ignore"):  # `_require_computable` reports an open of 0
        return _RawInputs(feature_table(bars, spec.features, volatility), volatility)


def _first_known(raw: _RawInputs) -> int:
    known = raw.known
    return int(np.argmax(known)) if known.any() else max(len(known), VOLATILITY_WARM_UP + 1)


def _require_computable(ticker: str, adjusted: pd.DataFrame, features: Array, first: int) -> None:
    unknown = np.flatnonzero(~np.isfinite(features[first:]).all(axis=1)) + first
    if len(unknown):
        days = days_of(adjusted)[unknown]
        n_bars = "1 bar" if len(unknown) == 1 else f"{len(unknown)} bars"
        raise UnusableTickerError(
            f"the features of {ticker} cannot be computed on {n_bars}, {days[0]} to {days[-1]}, most "
            "likely because their open is 0",
            f"train {ticker} alone with `data.start` after {days[-1]}, or leave `open_gap` and `open` out of "
            "`features`",
        )


def _series(
    ticker: str, adjusted: pd.DataFrame, raw: _RawInputs, first: int, fitted: FittedTicker
) -> TickerSeries:
    scale = np.full(len(adjusted), fitted.return_std) if raw.volatility is None else raw.volatility
    return TickerSeries(
        ticker=ticker,
        dates=days_of(adjusted),
        # A copy: a view of one column would keep the whole price table in memory.
        close=np.array(adjusted["close"], np.float64),
        inputs=fitted.scaler.transform(raw.features),
        volatility_scale=scale.astype(np.float32),
        first=first,
        fitted=fitted,
    )
