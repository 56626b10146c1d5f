"""What produced a run or a backtest: prices, package versions, environment, and a fingerprint of the inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from platform import platform, python_version
from typing import Any

import numpy as np

import lstm_stock
from lstm_stock.config import Config
from lstm_stock.dataset.split import Split
from lstm_stock.prices.reader import TickerOrigin


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """Return a hash of the inputs that determine a result, and of this package's code.

    Args:
        inputs: Plain values that JSON can hold.
    """
    package = Path(lstm_stock.__file__).parent
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def file_hash(content: bytes) -> str:
    """Return the SHA-256 of the content of a file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


PACKAGES = (
    *("lstm-stock", "tensorflow", "keras", "numpy", "pandas", "scipy", "scikit-learn", "pyarrow"),
    *("arch", "statsmodels", "onnx", "onnxruntime"),
)
"""Packages whose versions a run records."""


@dataclass(frozen=True)
class RunProvenance:
    """What produced a run, and what is needed to reproduce it.

    `key` is the `fingerprint` of what decided its results: settings, prices, packages, code. `network_hashes` has
    the `file_hash` of each file of the network, by name; a run of an older version has none.
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
    covariates: dict[str, TickerOrigin] = field(default_factory=dict)
    network_hashes: dict[str, str] = field(default_factory=dict)

    @property
    def split(self) -> Split:
        """The first dates of val and test."""
        return Split(np.datetime64(self.val_start), np.datetime64(self.test_start))


@dataclass(frozen=True)
class BacktestProvenance:
    """What produced a backtest.

    Attributes:
        created: ISO time of its last start; an interrupted backtest may have started earlier.
        seed: Seed of the first network.
        n_folds: Number of refits.
        window: `expanding` or `rolling`.
        backend: Engine of the workers.
        jobs: Number of workers asked for.
        fit_seconds: Sum of the workers' times, over all starts.
        tickers: Origin of the prices of each ticker.
        packages: Version of each of `PACKAGES`.
        python: Version of Python.
        platform: Platform of the machine that pooled the folds.
        covariates: Origin of the prices of each covariate.
    """

    created: str
    seed: int
    n_folds: int
    window: str
    backend: str
    jobs: int
    fit_seconds: float
    tickers: dict[str, TickerOrigin]
    packages: dict[str, str]
    python: str
    platform: str
    covariates: dict[str, TickerOrigin] = field(default_factory=dict)


def package_versions() -> dict[str, str]:
    """Return the installed version of each of `PACKAGES`."""
    return {name: metadata.version(name) for name in PACKAGES}


def fingerprint_inputs(config: Config, origins: dict[str, TickerOrigin]) -> dict[str, Any]:
    """Return, as plain values, what decides the results of a training besides the code of this package."""
    return {
        "config": config.model_dump(mode="json"),
        "prices": {ticker: origin.hash for ticker, origin in origins.items()},
        "packages": package_versions(),
    }


def environment() -> tuple[str, str]:
    """Return the Python version and the platform."""
    return python_version(), platform()
