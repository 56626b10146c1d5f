"""From price tables to what the network trains on: chronological split, scaled features, windows.

The order of things is the point. Bars are split by date, the scaler is fitted on the train bars, and only then
are windows cut, as views: a window of x ends at its cutoff, its y starts one bar later, and no y of one part
reaches into the next. Nothing here knows Keras.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.config import Config
from lstm_stock.config.schema import MARKET_SCALE
from lstm_stock.dataset.features import Bars, feature_table
from lstm_stock.dataset.har import HarModel
from lstm_stock.dataset.scaler import Scaler, fit_scaler
from lstm_stock.dataset.split import Dates, Split
from lstm_stock.dataset.volatility import VOLATILITY_WARM_UP, Array, log_returns
from lstm_stock.errors import DataError, ShortHistoryError
from lstm_stock.prices.table import days_of


def window_spec(config: Config) -> WindowSpec:
    """Take from the config what a window holds."""
    return WindowSpec(
        features=tuple(config.features),
        target=config.target,
        target_scale=config.target_scale,
        look_back=config.window.look_back,
        horizon=config.window.horizon,
        scaler=config.scaler,
        tickers=config.data.tickers if config.model.ticker_embedding else (),
    )


def insample_mae(close: Array) -> float:
    """Mean absolute one-bar change, `mean(|close[t] - close[t - 1]|)`, the denominator of MASE.

    Args:
        close: Prices of the train bars in order, shape `(n_bars,)`, at least two, all finite.

    >>> insample_mae(np.array([1.0, 3.0, 2.0]))  # (2 + 1) / 2
    1.5
    """
    return float(np.mean(np.abs(np.diff(close))))


UNKNOWN_TICKER_ID = 0
"""The code of every ticker that the network was not trained on."""

HAR_SCALES = ("har", MARKET_SCALE)
"""Every `target_scale` that a regression on the train bars forecasts; the second knows the market, too."""


@dataclass(frozen=True)
class WindowSpec:
    """What a window holds: the settings that turn prices into inputs and targets.

    Attributes:
        features: Names of `lstm_stock.config.features.FEATURES`.
        target: `log_return` or `close`.
        target_scale: What returns are measured in.
        look_back: Bars in the past of a window.
        horizon: Bars in its future.
        scaler: What scales the features.
        tickers: Those that the network tells apart by a code, where it does (`model.ticker_embedding`).
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
        """`sqrt(k)` for each step k, shape `(horizon,)`: how a random walk's deviation grows."""
        return np.asarray(np.sqrt(np.arange(1.0, self.horizon + 1)), np.float64)


@dataclass(frozen=True)
class FittedTicker:
    """Everything that was fitted on one ticker's train bars.

    Attributes:
        scaler: Of the features.
        return_std: Standard deviation of the one-bar log return: the target's unit when `target_scale` is none.
        close_offset: Least train close: the zero of the target `close`.
        close_scale: Range of the train closes: the unit of the target `close`.
        insample_mae: Mean absolute one-bar change of the close, the denominator of MASE.
        har: What forecasts the volatility that returns are measured in, when `target_scale` is har or har_market.
    """

    scaler: Scaler
    return_std: float
    close_offset: float
    close_scale: float
    insample_mae: float
    har: HarModel | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary."""
        return {
            "features": self.scaler.to_json(),
            "return_std": self.return_std,
            "close_offset": self.close_offset,
            "close_scale": self.close_scale,
            "insample_mae": self.insample_mae,
            "har": None if self.har is None else self.har.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FittedTicker:
        """Rebuild what `to_json` gave."""
        numbers = ("return_std", "close_offset", "close_scale", "insample_mae")
        return_std, close_offset, close_scale, insample_mae = (float(data[name]) for name in numbers)
        har = None if data.get("har") is None else HarModel.from_json(data["har"])
        scaler = Scaler.from_json(data["features"])
        return cls(scaler, return_std, close_offset, close_scale, insample_mae, har)


@dataclass(frozen=True)
class TickerSeries:
    """One ticker, scaled and ready for windows; every array has one entry a bar.

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


def _too_few(
    n_bars: int, look_back: int, horizon: int, warm_up: int, name: str = "the series"
) -> ShortHistoryError:
    needs = {"`look_back`": look_back, "`horizon`": horizon, "warm-up": warm_up}
    parts = " + ".join(f"{what} {n}" for what, n in needs.items() if n)
    return ShortHistoryError(
        f"one window needs {sum(needs.values())} bars ({parts}), but {name} has {n_bars}",
        "fetch an earlier `start`, or lower `window.look_back`",
    )


def fit_ticker(ticker: str, adjusted: pd.DataFrame, spec: WindowSpec, split: Split) -> TickerSeries:
    """Compute the features of one ticker and scale them by its train bars.

    Args:
        ticker: Its name, for messages.
        adjusted: Columns `open high low close volume`, adjusted, indexed by date, and `market` where the recipe
            needs it.
        spec: What a window holds.
        split: Where train ends.

    Raises:
        ShortHistoryError: The ticker has too few train bars.
        DataError: Its price never moves on them, or a feature cannot be computed on a bar.
    """
    n_train = split.first_rows(days_of(adjusted))[0]
    har = _fit_har(ticker, adjusted, n_train, spec.target_scale) if spec.target_scale in HAR_SCALES else None
    raw = _raw_inputs(adjusted, spec, har)
    first = _first_known(raw)
    if n_train - first < spec.look_back + spec.horizon:
        raise _too_few(n_train, spec.look_back, spec.horizon, first, f"the train part of {ticker}")
    _require_computable(ticker, adjusted, raw.features, first)
    close = adjusted["close"].to_numpy(np.float64)
    train_close = close[:n_train]
    return_std = float(np.std(log_returns(train_close)[1:]))
    if return_std == 0:
        raise DataError(
            f"the close of {ticker} never changes on its {n_train} train bars (always {train_close[0]:g})",
            "a price without movement cannot be learnt from: check the data, or choose other dates",
        )
    fitted = FittedTicker(
        scaler=fit_scaler(spec.scaler, spec.features, raw.features[first:n_train]),
        return_std=return_std,
        close_offset=float(train_close.min()),
        close_scale=float(train_close.max() - train_close.min()),
        insample_mae=insample_mae(train_close),
        har=har,
    )
    return _series(ticker, adjusted, raw, first, fitted)


def apply_ticker(ticker: str, adjusted: pd.DataFrame, spec: WindowSpec, fitted: FittedTicker) -> TickerSeries:
    """Compute the features of one ticker and scale them with a scaler fitted earlier."""
    raw = _raw_inputs(adjusted, spec, fitted.har)
    first = _first_known(raw)
    # Bars before one on which a feature cannot be computed are of no use here, and need not be told of.
    unknown = np.flatnonzero(~raw.known[first:])
    first += int(unknown[-1]) + 1 if len(unknown) else 0
    return _series(ticker, adjusted, raw, first, fitted)


@dataclass(frozen=True)
class _RawInputs:
    """Features, and the volatility that returns are measured in, if any."""

    features: Array
    volatility: Array | None

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        known = np.asarray(np.isfinite(self.features).all(axis=1))
        return known if self.volatility is None else known & np.isfinite(self.volatility)


def _fit_har(ticker: str, adjusted: pd.DataFrame, n_train: int, target_scale: str) -> HarModel:
    try:
        return HarModel.fit(Bars.of(adjusted), n_train, with_market=target_scale == MARKET_SCALE)
    except ShortHistoryError as error:
        raise ShortHistoryError(
            f"`target_scale: {target_scale}` cannot be fitted to the train part of {ticker}: {error.message}",
            error.hint,
        ) from error


def _raw_inputs(adjusted: pd.DataFrame, spec: WindowSpec, har: HarModel | None) -> _RawInputs:
    bars = Bars.of(adjusted)
    volatility = bars.volatility_for(spec.target_scale) if har is None else har.volatility(bars)
    with np.errstate(divide="ignore"):  # An open of 0, for which `_require_computable` has words.
        return _RawInputs(feature_table(bars, spec.features, volatility), volatility)


def _first_known(raw: _RawInputs) -> int:
    known = raw.known
    return int(np.argmax(known)) if known.any() else max(len(known), VOLATILITY_WARM_UP + 1)


def _require_computable(ticker: str, adjusted: pd.DataFrame, features: Array, first: int) -> None:
    unknown = np.flatnonzero(~np.isfinite(features[first:]).all(axis=1)) + first
    if len(unknown):
        days = days_of(adjusted)[unknown]
        n_bars = "1 bar" if len(unknown) == 1 else f"{len(unknown)} bars"
        raise DataError(
            f"the features of {ticker} cannot be computed on {n_bars}, {days[0]} to {days[-1]}, most "
            "likely because their open is 0",
            f"`data.start` after {days[-1]} leaves them out; so do `features` without `open_gap` and `open`",
        )


def _series(
    ticker: str, adjusted: pd.DataFrame, raw: _RawInputs, first: int, fitted: FittedTicker
) -> TickerSeries:
    unit = np.full(len(adjusted), fitted.return_std) if raw.volatility is None else raw.volatility
    return TickerSeries(
        ticker=ticker,
        dates=days_of(adjusted),
        # A copy: a view of one column would keep the whole price table in memory.
        close=np.array(adjusted["close"], np.float64),
        inputs=fitted.scaler.transform(raw.features),
        volatility_scale=unit.astype(np.float32),
        first=first,
        fitted=fitted,
    )
