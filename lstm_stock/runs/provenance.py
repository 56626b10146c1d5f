"""What produced some results: prices, package versions, environment, and a fingerprint of all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from platform import platform, python_version
from typing import Any

import numpy as np

import lstm_stock
from lstm_stock.config import Config
from lstm_stock.dataset.split import Split
from lstm_stock.prices.reader import TickerOrigin


def fingerprint(decides: Mapping[str, Any]) -> str:
    """Return the hash of what decides some results, this package's code included.

    Args:
        decides: Plain values that JSON can hold.
    """
    package = Path(lstm_stock.__file__).parent
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode())
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


PACKAGES = (
    *("lstm-stock", "tensorflow", "keras", "numpy", "pandas", "scipy", "scikit-learn", "pyarrow"),
    *("arch", "statsmodels"),
)
"""Packages whose versions a run records."""


@dataclass(frozen=True)
class RunProvenance:
    """Where a run comes from, and all that is needed to make it again.

    `key` is the hash of what decided its results: settings, prices, packages, code.
    """

    created: str
    seed: int
    val_start: str
    test_start: str
    n_params: int
    n_train_windows: int
    n_val_windows: int
    train_seconds: float
    interrupted: bool
    tickers: dict[str, TickerOrigin]
    packages: dict[str, str]
    python: str
    platform: str
    key: str = ""

    @property
    def split(self) -> Split:
        """Where val and test started."""
        return Split(np.datetime64(self.val_start, "D"), np.datetime64(self.test_start, "D"))


def package_versions() -> dict[str, str]:
    """Return the installed version of each of `PACKAGES`."""
    return {name: metadata.version(name) for name in PACKAGES}


def fingerprint_inputs(config: Config, origins: dict[str, TickerOrigin]) -> dict[str, Any]:
    """Gather, as plain values, what decides the results of a training besides this package's code."""
    return {
        "config": config.model_dump(mode="json"),
        "prices": {ticker: origin.hash for ticker, origin in origins.items()},
        "packages": package_versions(),
    }


def environment() -> tuple[str, str]:
    """Return the Python version and the platform."""
    return python_version(), platform()
