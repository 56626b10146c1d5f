"""Cut a ticker's series into windows: the bars up to a cutoff, and the returns after it.

Nothing here fits, scales or shuffles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lstm_stock.dataset.series import TickerSeries, WindowSpec, too_few_bars
from lstm_stock.dataset.split import Split, SplitName
from lstm_stock.dataset.volatility import Array
from lstm_stock.distributions import Distribution, Mixture, PointForecast, QuantileFan
from lstm_stock.errors import ShortHistoryError

MIN_PRICE_RATIO = 0.01
"""Least price forecast, as a share of the last close: a price below zero has no log return."""


def make_windows(values: NDArray[Any], look_back: int, horizon: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cut a series into every (past, future) pair it contains, without copying.

    Args:
        values: Shape `(n_bars, n_features)`, oldest first.
        look_back: Bars in each past.
        horizon: Bars in each future, at least 0.

    Returns:
        Read-only views `x` of shape `(n_windows, look_back, n_features)` and `y` of shape
        `(n_windows, horizon, n_features)`, where `n_windows = n_bars - look_back - horizon + 1`.

    Raises:
        ShortHistoryError: There are too few bars for one window.

    >>> x, y = make_windows(np.arange(5.0).reshape(-1, 1), look_back=3, horizon=1)
    >>> x[:, :, 0].tolist(), y[:, :, 0].tolist()
    ([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [[3.0], [4.0]])
    """
    if len(values) < look_back + horizon:
        raise too_few_bars(len(values), look_back, horizon, 0)
    both = sliding_window_view(values, look_back + horizon, axis=0).swapaxes(1, 2)
    return both[:, :look_back], both[:, look_back:]


@dataclass(frozen=True)
class Windows:
    """The windows of one ticker with the given cutoffs; each property gathers its values when it is read.

    Attributes:
        series: The ticker.
        spec: Inputs and targets of a window.
        cutoffs: Row of the last bar in each window's past, shape `(n_windows,)`.
    """

    series: TickerSeries
    spec: WindowSpec
    cutoffs: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.cutoffs)

    @property
    def inputs(self) -> NDArray[np.float32]:
        """The scaled features of the bars up to each cutoff, shape `(n_windows, look_back, n_features)`."""
        look_back = self.spec.look_back
        past, _ = make_windows(self.series.inputs, look_back, horizon=0)
        return past[self.cutoffs - look_back + 1]

    @property
    def ticker_ids(self) -> NDArray[np.int32]:
        """The id of the ticker, once for each window, shape `(n_windows,)`."""
        return np.full(len(self), self.spec.ticker_id(self.series.ticker), np.int32)

    @property
    def network_inputs(self) -> NDArray[np.float32] | list[NDArray[Any]]:
        """The network's inputs: `inputs`, and with a ticker embedding also `ticker_ids`."""
        return [self.inputs, self.ticker_ids] if self.spec.tickers else self.inputs

    @property
    def future_rows(self) -> NDArray[np.int64]:
        """Rows of the bars after each cutoff, shape `(n_windows, horizon)`."""
        return self.cutoffs[:, None] + np.arange(1, self.spec.horizon + 1)

    @property
    def last_close(self) -> Array:
        """The close at each cutoff, shape `(n_windows, 1)`."""
        return self.series.close[self.cutoffs][:, None]

    @property
    def future_close(self) -> Array:
        """The closes after each cutoff, shape `(n_windows, horizon)`."""
        _, future = make_windows(self.series.close[:, None], 1, self.spec.horizon)
        return future[:, :, 0][self.cutoffs]

    @property
    def returns(self) -> Array:
        """Realised k-bar log return from the cutoff, or difference to the last value, `(n_windows, horizon)`."""
        return self._moves(self.future_close)

    @property
    def returns_or_nan(self) -> Array:
        """`returns`, with NaN where the series ends before the outcome, shape `(n_windows, horizon)`."""
        rows, n_bars = self.future_rows, len(self.series.close)
        y_true = self._moves(self.series.close[np.minimum(rows, n_bars - 1)])
        return np.where(rows < n_bars, y_true, np.nan)

    def _moves(self, close: Array) -> Array:
        if not self.spec.is_log:
            return close - self.last_close
        return np.log(close / self.last_close)

    @property
    def volatility_scale(self) -> Array:
        """Divisor of a k-bar log return: one-bar volatility x sqrt(k), shape `(n_windows, horizon)`."""
        return self.series.volatility_scale[self.cutoffs][:, None] * self.spec.sqrt_steps

    @property
    def targets(self) -> NDArray[np.float32]:
        """The scaled values that the network forecasts, shape `(n_windows, horizon)`."""
        if self.spec.target == "close":
            fitted = self.series.fitted
            scaled = (self.future_close - fitted.close_offset) / fitted.close_scale
        else:
            scaled = self.returns / self.volatility_scale
        return scaled.astype(np.float32)

    def to_returns(self, forecast: Distribution) -> Distribution:
        """Convert a forecast of `targets` to one of `returns`.

        Args:
            forecast: Distribution of `targets`, shape `(n_windows, horizon)`.
        """
        if self.spec.target != "close":
            return forecast.rescale(self.volatility_scale)
        fitted = self.series.fitted
        return _price_to_return(forecast.rescale(fitted.close_scale, fitted.close_offset), self.last_close)


def _price_to_return(price: Distribution, last_close: Array) -> Distribution:
    def log_ratio(values: Array, last: Array) -> Array:
        return np.log(np.maximum(values / last, MIN_PRICE_RATIO))

    if isinstance(price, Mixture):
        return Mixture([_price_to_return(member, last_close) for member in price.components])
    if isinstance(price, PointForecast):
        return PointForecast(log_ratio(price.value, last_close))
    if isinstance(price, QuantileFan):
        return QuantileFan(price.probabilities, log_ratio(price.values, last_close[..., None]))
    raise TypeError(
        f"a {type(price).__name__} of prices has probability below zero, where there are no log returns"
    )


def windows_of(series: TickerSeries, spec: WindowSpec, split: Split, part: SplitName) -> Windows:
    """Return every window whose whole future lies inside one part of a split.

    The last `horizon - 1` cutoffs before val and before test are purged, as their outcomes cross the border. The
    past of a val or test window may start before the border, since it is known at the cutoff.

    Raises:
        ShortHistoryError: The part has no window.
    """
    val_row, test_row = split.first_rows(series.dates)
    borders = {"train": (0, val_row), "val": (val_row, test_row), "test": (test_row, len(series.dates))}
    start, end = borders[part]
    earliest = max(start - 1, series.first + spec.look_back - 1)
    cutoffs = np.arange(earliest, end - spec.horizon)
    if len(cutoffs) == 0:
        raise ShortHistoryError(
            f"the {part} part of {series.ticker} has {end - start} bars: not one window with "
            f"`horizon` {spec.horizon} and `look_back` {spec.look_back} fits",
            f"fetch an earlier `start`, or enlarge `split.{part if part != 'train' else 'val'}`",
        )
    return Windows(series, spec, cutoffs)


def windows_up_to(series: TickerSeries, spec: WindowSpec, row: int, first: int | None = None) -> Windows:
    """Return the windows with cutoffs from `first` to `row`; the bars after them need not exist.

    Args:
        series: The ticker.
        spec: Inputs and targets of a window.
        row: Row of the last cutoff.
        first: Row of the first cutoff, or the first row with enough bars before it if that is later. If None or
            greater than `row`, `row` is the only cutoff.

    Raises:
        ShortHistoryError: There are too few bars up to `row`.
    """
    earliest = series.first + spec.look_back - 1
    if row < earliest:
        raise too_few_bars(row + 1, spec.look_back, 0, series.first, f"{series.ticker} up to its cutoff")
    start = row if first is None else min(max(first, earliest), row)
    return Windows(series, spec, np.arange(start, row + 1))
