"""The registry of covariate features: inputs from the bars of another ticker, named `<covariate>.<feature>`."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_stock.config.registry import Target


@dataclass(frozen=True)
class CovariateFeatureSpec:
    """Facts about a covariate feature.

    Attributes:
        purpose: What it measures.
        compute: Target of a function from the `lstm_stock.dataset.features.Bars` of the covariate to one value
            per bar, which depends on bars up to that bar alone.
    """

    purpose: str
    compute: Target


_MODULE = "lstm_stock.dataset.covariate_features"

COVARIATE_FEATURES: dict[str, CovariateFeatureSpec] = {
    "log_close": CovariateFeatureSpec("log close", f"{_MODULE}:log_close"),
    "log_close_change": CovariateFeatureSpec(
        "log close against its last 22 bars", f"{_MODULE}:log_close_change"
    ),
    "log_return": CovariateFeatureSpec("log return of the close", f"{_MODULE}:log_return"),
    "trend_2": CovariateFeatureSpec("mean of the last returns, half-life 2 bars", f"{_MODULE}:trend_2"),
    "trend_10": CovariateFeatureSpec("mean of the last returns, half-life 10 bars", f"{_MODULE}:trend_10"),
    "log_trailing_vol": CovariateFeatureSpec("log volatility from closes", f"{_MODULE}:log_trailing_vol"),
}


def is_covariate_feature(name: str) -> bool:
    """Return whether the name of a feature begins with a covariate.

    >>> is_covariate_feature("^VIX.log_close"), is_covariate_feature("log_return")
    (True, False)
    """
    return "." in name


def split_feature(name: str) -> tuple[str, str]:
    """Return the covariate and the feature of a name.

    >>> split_feature("0700.HK.trend_10")
    ('0700.HK', 'trend_10')
    """
    covariate, _, feature = name.rpartition(".")
    return covariate, feature
