"""Target scales: the volatility that returns are divided by, known at each bar.

A scale is fitted on the train bars of one ticker, then applied to all its bars. `lstm_stock.config.scales.SCALES`
names them; to add one, write a subclass of `Scale` and an entry there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from lstm_stock.config.registry import resolve
from lstm_stock.config.scales import SCALES
from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.har import OWN, HarModel, Regressors
from lstm_stock.dataset.volatility import Array


class Scale(ABC):
    """A target scale, fitted on the train bars of one ticker."""

    @classmethod
    @abstractmethod
    def fit(cls, bars: Bars, n_train: int) -> Self:
        """Fit on the first `n_train` bars.

        Raises:
            ShortHistoryError: There are too few bars.
        """

    @abstractmethod
    def volatility(self, bars: Bars) -> Array | None:
        """Return the one-bar volatility known at each bar, shape `(n_bars,)`, NaN during warm-up.

        None leaves features undivided; targets are then divided by the standard deviation of the train returns.
        """

    @abstractmethod
    def to_json(self) -> dict[str, Any] | None:
        """Return the fitted values as a plain dictionary, None if there are none."""

    @classmethod
    @abstractmethod
    def from_json(cls, data: dict[str, Any] | None) -> Self:
        """Rebuild a scale from what `to_json` returned."""


class UnfittedScale(Scale):
    """A scale without fitted values: subclasses define only `volatility`."""

    @classmethod
    def fit(cls, bars: Bars, n_train: int) -> Self:  # noqa: ARG003
        """Return the scale."""
        return cls()

    def to_json(self) -> None:
        """Return None."""

    @classmethod
    def from_json(cls, data: dict[str, Any] | None) -> Self:  # noqa: ARG003
        """Return the scale."""
        return cls()


class TrailingVolatility(UnfittedScale):
    """`lstm_stock.dataset.volatility.trailing_volatility`."""

    def volatility(self, bars: Bars) -> Array:
        """Return it, shape `(n_bars,)`."""
        return bars.volatility


class RangeVolatility(UnfittedScale):
    """`lstm_stock.dataset.volatility.range_volatility`."""

    def volatility(self, bars: Bars) -> Array:
        """Return it, shape `(n_bars,)`."""
        return bars.range_volatility


class ConstantScale(UnfittedScale):
    """The standard deviation of the train returns."""

    def volatility(self, bars: Bars) -> None:
        """Return None."""


@dataclass(frozen=True)
class HarVolatility(Scale):
    """The volatility that a `HarModel` of the train bars forecasts for the next bar."""

    model: HarModel
    regressors: ClassVar[Regressors] = OWN

    @classmethod
    def fit(cls, bars: Bars, n_train: int) -> Self:
        """Fit the regression; raises ShortHistoryError if there are too few bars."""
        return cls(HarModel.fit(bars, n_train, regressors=cls.regressors))

    def volatility(self, bars: Bars) -> Array:
        """Return `HarModel.volatility`, shape `(n_bars,)`."""
        return self.model.volatility(bars)

    def to_json(self) -> dict[str, Any]:
        """Return `HarModel.to_json`."""
        return self.model.to_json()

    @classmethod
    def from_json(cls, data: dict[str, Any] | None) -> Self:
        """Rebuild a scale from what `to_json` returned; raises TypeError for None."""
        if data is None:
            raise TypeError("no HAR model was saved")
        return cls(HarModel.from_json(data, cls.regressors))


class LharVolatility(HarVolatility):
    """`HarVolatility` with the trends of the ticker's own returns as further regressors."""

    regressors = Regressors(leverage=True)


class HarMarketVolatility(HarVolatility):
    """`HarVolatility` with the market as a further regressor: `Bars.market` must not be None."""

    regressors = Regressors(market=True)


def scale_class(name: str) -> type[Scale]:
    """Return the class of a key of `SCALES`."""
    scale: type[Scale] = resolve(SCALES[name].scale)
    return scale
