"""From price tables to what the network trains on: chronological split, scaled features, windows.

The order of things is the point. Bars are split by date, the scaler is fitted on the train bars, and only then
are windows cut, as views: a window of x ends at its cutoff, its y starts one bar later, and no y of one part
reaches into the next. Nothing here knows Keras.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lstm_stock import metrics
from lstm_stock.config import MARKET_SCALE
from lstm_stock.distributions import Distribution, Mixture, PointMass, QuantileFan
from lstm_stock.errors import DataError, ShortHistoryError
from lstm_stock.features import VOLATILITY_WARM_UP, Array, Bars, feature_table, log_returns
from lstm_stock.har import HarModel
from lstm_stock.scaling import Scaler, fit_scaler

Part = Literal["train", "val", "test"]
Dates = NDArray[np.datetime64]

UNKNOWN = 0
"""The code of every ticker that the network was not trained on."""

HAR_SCALES = ("har", MARKET_SCALE)
"""Every `target_scale` that a regression on the train bars forecasts; the second knows the market, too."""

MIN_PRICE_RATIO = 0.01
"""A price forecast counts as at least this share of the last close: a level can be forecast below zero, where
no log return exists."""


@dataclass(frozen=True)
class Recipe:
    """What a window holds: the settings that turn prices into inputs and targets.

    Attributes:
        features: Names of `lstm_stock.features.FEATURES`.
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

    def code(self, ticker: str) -> int:
        """Return the number by which the network knows a ticker: from 1 on, and `UNKNOWN` for all others."""
        return self.tickers.index(ticker) + 1 if ticker in self.tickers else UNKNOWN

    @property
    def sqrt_steps(self) -> Array:
        """`sqrt(k)` for each step k, shape `(horizon,)`: how a random walk's deviation grows."""
        return np.asarray(np.sqrt(np.arange(1.0, self.horizon + 1)), np.float64)


@dataclass(frozen=True)
class Split:
    """Where validation and test start; train is everything before."""

    val_start: np.datetime64
    test_start: np.datetime64

    @classmethod
    def by_share(cls, dates: Dates, val: float, test: float) -> Split:
        """Cut the sorted distinct `dates` into train, then a share `val`, then a share `test`.

        Raises:
            DataError: A part would be empty.
        """
        n = len(dates)
        test_row = n - round(test * n)
        val_row = test_row - round(val * n)
        if not 0 < val_row < test_row < n:
            raise DataError(
                f"{n} bars cannot be split into train, {val:g} for val and {test:g} for test",
                "fetch an earlier `start`, or enlarge the smallest part of `split`",
            )
        return cls(dates[val_row], dates[test_row])

    @property
    def without_val(self) -> Split:
        """The same test period, with everything before it for train."""
        return Split(self.test_start, self.test_start)

    def first_rows(self, dates: Dates) -> tuple[int, int]:
        """Return the first val row and the first test row among sorted `dates`."""
        return int(np.searchsorted(dates, self.val_start)), int(np.searchsorted(dates, self.test_start))


@dataclass(frozen=True)
class TickerScaler:
    """Everything that was fitted on one ticker's train bars.

    Attributes:
        inputs: The scaler of the features.
        return_std: Standard deviation of the one-bar log return: the target's unit when `target_scale` is none.
        close_offset: Least train close: the zero of the target `close`.
        close_scale: Range of the train closes: the unit of the target `close`.
        insample_mae: Mean absolute one-bar change of the close, the denominator of MASE.
        har: What forecasts the volatility that returns are measured in, when `target_scale` is har or har_market.
    """

    inputs: Scaler
    return_std: float
    close_offset: float
    close_scale: float
    insample_mae: float
    har: HarModel | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary."""
        return {
            "features": self.inputs.to_json(),
            "return_std": self.return_std,
            "close_offset": self.close_offset,
            "close_scale": self.close_scale,
            "insample_mae": self.insample_mae,
            "har": None if self.har is None else self.har.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TickerScaler:
        """Rebuild what `to_json` gave."""
        numbers = ("return_std", "close_offset", "close_scale", "insample_mae")
        return_std, close_offset, close_scale, insample_mae = (float(data[name]) for name in numbers)
        har = None if data.get("har") is None else HarModel.from_json(data["har"])
        inputs = Scaler.from_json(data["features"])
        return cls(inputs, return_std, close_offset, close_scale, insample_mae, har)


@dataclass(frozen=True)
class TickerSeries:
    """One ticker, scaled and ready for windows; every array has one entry a bar.

    Attributes:
        ticker: Its name.
        dates: Day of each bar, shape `(n_bars,)`.
        close: Adjusted close, shape `(n_bars,)`.
        inputs: Scaled features, float32, shape `(n_bars, n_features)`.
        unit: What a one-bar log return is divided by: the trailing volatility, or a constant, shape `(n_bars,)`.
        first: First row where features and unit are known; earlier rows are the warm-up.
        scaler: What was fitted on the train bars.
    """

    ticker: str
    dates: Dates
    close: Array
    inputs: NDArray[np.float32]
    unit: NDArray[np.float32]
    first: int
    scaler: TickerScaler


def make_windows(values: NDArray[Any], look_back: int, horizon: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cut a series into every (past, future) pair it contains, without copying.

    Args:
        values: Shape `(n_bars, n_features)`, oldest first.
        look_back: Bars in each past.
        horizon: Bars in each future.

    Returns:
        Read-only views `x` of shape `(n_windows, look_back, n_features)` and `y` of shape
        `(n_windows, horizon, n_features)`, where `n_windows = n_bars - look_back - horizon + 1`.

    Raises:
        ShortHistoryError: There are too few bars for one window.

    >>> x, y = make_windows(np.arange(5.0).reshape(-1, 1), look_back=3, horizon=1)
    >>> x[:, :, 0].tolist(), y[:, :, 0].tolist()
    ([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [[3.0], [4.0]])
    """
    n_windows = len(values) - look_back - horizon + 1
    if n_windows < 1:
        raise _too_few(len(values), look_back, horizon, 0)
    x = sliding_window_view(values, look_back, axis=0).swapaxes(1, 2)[:n_windows]
    y = sliding_window_view(values[look_back:], horizon, axis=0).swapaxes(1, 2)
    return x, y


def _too_few(
    n_bars: int, look_back: int, horizon: int, warm_up: int, name: str = "the series"
) -> ShortHistoryError:
    needs = {"`look_back`": look_back, "`horizon`": horizon, "warm-up": warm_up}
    parts = " + ".join(f"{what} {n}" for what, n in needs.items() if n)
    return ShortHistoryError(
        f"one window needs {sum(needs.values())} bars ({parts}), but {name} has {n_bars}",
        "fetch an earlier `start`, or lower `window.look_back`",
    )


def fit_ticker(ticker: str, adjusted: pd.DataFrame, recipe: Recipe, split: Split) -> TickerSeries:
    """Compute the features of one ticker and scale them by its train bars.

    Args:
        ticker: Its name, for messages.
        adjusted: Columns `open high low close volume`, adjusted, indexed by date, and `market` where the recipe
            needs it.
        recipe: What a window holds.
        split: Where train ends.

    Raises:
        ShortHistoryError: The ticker has too few train bars.
        DataError: Its price never moves on them, or a feature cannot be computed on a bar.
    """
    n_train = split.first_rows(_days(adjusted))[0]
    har = (
        _fit_har(ticker, adjusted, n_train, recipe.target_scale)
        if recipe.target_scale in HAR_SCALES
        else None
    )
    raw = _raw_inputs(adjusted, recipe, har)
    first = _first_known(raw)
    if n_train - first < recipe.look_back + recipe.horizon:
        raise _too_few(n_train, recipe.look_back, recipe.horizon, first, f"the train part of {ticker}")
    _require_computable(ticker, adjusted, raw.features, first)
    close = adjusted["close"].to_numpy(np.float64)
    train_close = close[:n_train]
    return_std = float(np.std(log_returns(train_close)[1:]))
    if return_std == 0:
        raise DataError(
            f"the close of {ticker} never changes on its {n_train} train bars (always {train_close[0]:g})",
            "a price without movement cannot be learnt from: check the data, or choose other dates",
        )
    scaler = TickerScaler(
        inputs=fit_scaler(recipe.scaler, recipe.features, raw.features[first:n_train]),
        return_std=return_std,
        close_offset=float(train_close.min()),
        close_scale=float(train_close.max() - train_close.min()),
        insample_mae=metrics.insample_mae(train_close),
        har=har,
    )
    return _series(ticker, adjusted, raw, first, scaler)


def apply_ticker(ticker: str, adjusted: pd.DataFrame, recipe: Recipe, scaler: TickerScaler) -> TickerSeries:
    """Compute the features of one ticker and scale them with a scaler fitted earlier."""
    raw = _raw_inputs(adjusted, recipe, scaler.har)
    first = _first_known(raw)
    # Bars before one on which a feature cannot be computed are of no use here, and need not be told of.
    unknown = np.flatnonzero(~raw.known[first:])
    first += int(unknown[-1]) + 1 if len(unknown) else 0
    return _series(ticker, adjusted, raw, first, scaler)


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


def _raw_inputs(adjusted: pd.DataFrame, recipe: Recipe, har: HarModel | None) -> _RawInputs:
    bars = Bars.of(adjusted)
    volatility = bars.in_use(recipe.target_scale) if har is None else har.volatility(bars)
    with np.errstate(divide="ignore"):  # An open of 0, for which `_require_computable` has words.
        return _RawInputs(feature_table(bars, recipe.features, volatility), volatility)


def _first_known(raw: _RawInputs) -> int:
    known = raw.known
    return int(np.argmax(known)) if known.any() else max(len(known), VOLATILITY_WARM_UP + 1)


def _require_computable(ticker: str, adjusted: pd.DataFrame, features: Array, first: int) -> None:
    unknown = np.flatnonzero(~np.isfinite(features[first:]).all(axis=1)) + first
    if len(unknown):
        days = _days(adjusted)[unknown]
        n_bars = "1 bar" if len(unknown) == 1 else f"{len(unknown)} bars"
        raise DataError(
            f"the features of {ticker} cannot be computed on {n_bars}, {days[0]} to {days[-1]}, most "
            "likely because their open is 0",
            f"`data.start` after {days[-1]} leaves them out; so do `features` without `open_gap` and `open`",
        )


def _series(
    ticker: str, adjusted: pd.DataFrame, raw: _RawInputs, first: int, scaler: TickerScaler
) -> TickerSeries:
    unit = np.full(len(adjusted), scaler.return_std) if raw.volatility is None else raw.volatility
    return TickerSeries(
        ticker=ticker,
        dates=_days(adjusted),
        # A copy: a view of one column would keep the whole price table in memory.
        close=np.array(adjusted["close"], np.float64),
        inputs=scaler.inputs.transform(raw.features),
        unit=unit.astype(np.float32),
        first=first,
        scaler=scaler,
    )


def _days(table: pd.DataFrame) -> Dates:
    return table.index.to_numpy().astype("datetime64[D]")


@dataclass(frozen=True)
class Windows:
    """The windows of one ticker that end at the given cutoffs; their values are gathered on demand.

    Attributes:
        series: The ticker.
        recipe: What a window holds.
        cutoffs: Row of the last bar that each window sees, shape `(n_windows,)`.
    """

    series: TickerSeries
    recipe: Recipe
    cutoffs: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.cutoffs)

    @property
    def inputs(self) -> NDArray[np.float32]:
        """The scaled features of the bars up to each cutoff, shape `(n_windows, look_back, n_features)`."""
        look_back = self.recipe.look_back
        views = sliding_window_view(self.series.inputs, look_back, axis=0).swapaxes(1, 2)
        return views[self.cutoffs - look_back + 1]

    @property
    def codes(self) -> NDArray[np.int32]:
        """The code of the ticker, once for each window, shape `(n_windows,)`."""
        return np.full(len(self), self.recipe.code(self.series.ticker), np.int32)

    @property
    def given(self) -> NDArray[np.float32] | list[NDArray[Any]]:
        """What the network is given: `inputs`, and with them `codes` where it tells tickers apart."""
        return [self.inputs, self.codes] if self.recipe.tickers else self.inputs

    @property
    def future_rows(self) -> NDArray[np.int64]:
        """Rows of the bars that each window forecasts, shape `(n_windows, horizon)`."""
        return self.cutoffs[:, None] + np.arange(1, self.recipe.horizon + 1)

    @property
    def last_close(self) -> Array:
        """The close at each cutoff, shape `(n_windows, 1)`."""
        return self.series.close[self.cutoffs][:, None]

    @property
    def returns(self) -> Array:
        """What came: the k-bar log return from the cutoff, shape `(n_windows, horizon)`."""
        return np.log(self.series.close[self.future_rows] / self.last_close)

    @property
    def known_returns(self) -> Array:
        """`returns`, with NaN where the series ends before the outcome."""
        rows, n_bars = self.future_rows, len(self.series.close)
        came = np.log(self.series.close[np.minimum(rows, n_bars - 1)] / self.last_close)
        return np.where(rows < n_bars, came, np.nan)

    @property
    def return_unit(self) -> Array:
        """What a k-bar log return is measured in: one-bar volatility x sqrt(k), `(n_windows, horizon)`."""
        return self.series.unit[self.cutoffs][:, None] * self.recipe.sqrt_steps

    @property
    def targets(self) -> NDArray[np.float32]:
        """What the network is asked for, in its own units, shape `(n_windows, horizon)`."""
        if self.recipe.target == "close":
            scaler = self.series.scaler
            scaled = (self.series.close[self.future_rows] - scaler.close_offset) / scaler.close_scale
        else:
            scaled = self.returns / self.return_unit
        return scaled.astype(np.float32)

    def to_returns(self, forecast: Distribution) -> Distribution:
        """Turn the network's forecast from its own units into k-bar log returns from the cutoff.

        Args:
            forecast: Distribution of `targets`, shape `(n_windows, horizon)`.
        """
        if self.recipe.target == "log_return":
            return forecast.rescale(self.return_unit)
        scaler = self.series.scaler
        return _price_to_return(forecast.rescale(scaler.close_scale, scaler.close_offset), self.last_close)


def _price_to_return(price: Distribution, last_close: Array) -> Distribution:
    def log_ratio(values: Array, last: Array) -> Array:
        return np.log(np.maximum(values / last, MIN_PRICE_RATIO))

    if isinstance(price, Mixture):
        return Mixture([_price_to_return(part, last_close) for part in price.components])
    if isinstance(price, PointMass):
        return PointMass(log_ratio(price.value, last_close))
    if isinstance(price, QuantileFan):
        return QuantileFan(price.levels, log_ratio(price.values, last_close[..., None]))
    raise TypeError(f"a {type(price).__name__} of prices has no distribution of log returns: mass below zero")


def windows_of(series: TickerSeries, recipe: Recipe, split: Split, part: Part) -> Windows:
    """Find every window whose whole future lies inside one part.

    A label never crosses a border: the last `horizon - 1` cutoffs before val and before test are purged. The
    past of a val or test window may reach back over the border, since it was known then.

    Raises:
        ShortHistoryError: The part has no window.
    """
    val_row, test_row = split.first_rows(series.dates)
    borders = {"train": (0, val_row), "val": (val_row, test_row), "test": (test_row, len(series.dates))}
    start, end = borders[part]
    earliest = max(start - 1, series.first + recipe.look_back - 1)
    cutoffs = np.arange(earliest, end - recipe.horizon)
    if len(cutoffs) == 0:
        raise ShortHistoryError(
            f"the {part} part of {series.ticker} has {end - start} bars: not one window with "
            f"`horizon` {recipe.horizon} and `look_back` {recipe.look_back} fits",
            f"fetch an earlier `start`, or enlarge `split.{part if part != 'train' else 'val'}`",
        )
    return Windows(series, recipe, cutoffs)


def windows_up_to(series: TickerSeries, recipe: Recipe, row: int, first: int | None = None) -> Windows:
    """Return the windows that end at the rows from `first` to `row`; their futures need not exist yet.

    Args:
        series: The ticker.
        recipe: What a window holds.
        row: Row of the last cutoff.
        first: Row of the first cutoff, if there are enough bars before it; None, or a later row than `row`, is
            `row` alone.

    Raises:
        ShortHistoryError: There are too few bars up to `row`.
    """
    earliest = series.first + recipe.look_back - 1
    if row < earliest:
        raise _too_few(row + 1, recipe.look_back, 0, series.first, f"{series.ticker} up to its cutoff")
    start = row if first is None else min(max(first, earliest), row)
    return Windows(series, recipe, np.arange(start, row + 1))
