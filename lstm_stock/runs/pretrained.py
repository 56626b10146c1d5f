"""The pretrained networks: a folder with one network for each set of inputs, which forecast any ticker.

The package holds one such folder, the universal networks; `lstm-stock pretrain` makes others. A network has no
test period and no fitted values of a single ticker: it is trained on many, and its scaler and its calibration are
common to all.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lstm_stock.config import Config, dump_yaml
from lstm_stock.config.covariates import is_covariate_feature
from lstm_stock.config.features import FEATURES
from lstm_stock.dataset.series import FittedTicker
from lstm_stock.distributions.intervals import Calibrator
from lstm_stock.errors import RunError
from lstm_stock.readback import MAX_JSON, parse_json, read_file
from lstm_stock.runs.files import (
    CALIBRATION,
    CONFIG,
    PROVENANCE,
    SCALER,
    write_json,
)
from lstm_stock.runs.provenance import RunProvenance
from lstm_stock.runs.run import ModelArtifacts, Run, write_network, write_regressions
from lstm_stock.runs.saved import SavedCard

CARD = "card.json"
"""The file by which a folder of pretrained networks is recognised: how they were made."""

PACKAGED = "universal"
"""Name of the networks that ship with the package."""

ANY_TICKER = "*"
"""The name under which a pretrained network keeps what a run keeps for each ticker."""

INPUT_SETS = ("market-covariates", "market", "covariates", "own")
"""What a network reads beside the ticker's own bars, and the name of its folder; the one with the most first."""


def input_configs(config: Config) -> dict[str, Config]:
    """Return a config for each of `INPUT_SETS`: with all features, or without those of market or covariates.

    A set is left out where it would be the same as another one, as the config has no such features.

    Args:
        config: A config with all features.

    Raises:
        RunError: No feature is left without market and covariates.
    """
    found: dict[str, Config] = {}
    for name in INPUT_SETS:
        has_market, has_covariates = "market" in name, "covariates" in name
        features = tuple(
            feature
            for feature in config.features
            if (has_covariates if is_covariate_feature(feature) else has_market or not _needs_market(feature))
        )
        if not features:
            raise RunError("no feature is left without market and covariates", "add features of the own bars")
        covariates = config.data.covariates if has_covariates else ()
        data = config.data.model_copy(update={"covariates": covariates})
        found[name] = config.model_copy(update={"features": features, "data": data})
    distinct: dict[str, Config] = {}
    for name, one in reversed(found.items()):
        if all(one.features != other.features for other in distinct.values()):
            distinct[name] = one
    return dict(reversed(distinct.items()))


def _needs_market(feature: str) -> bool:
    return feature in FEATURES and FEATURES[feature].needs_market


@dataclass(frozen=True)
class Pretrained(Run):
    """One network of a folder of pretrained networks: a run without a test period, for any ticker."""

    @property
    def name(self) -> str:
        """The name of the folder of networks, and that of the inputs."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def model_name(self) -> str:
        """`universal` for the packaged networks, `pretrained` for others."""
        return PACKAGED if self.path.parent == packaged_networks().path else "pretrained"

    @property
    def fitted_names(self) -> tuple[str, ...]:
        """`ANY_TICKER` alone."""
        return (ANY_TICKER,)

    @property
    def fitted(self) -> FittedTicker:
        """What a run fits to each ticker, here common to all: the scaler."""
        return self.scalers[ANY_TICKER]

    @property
    def calibrator(self) -> Calibrator:
        """What scales the intervals of every ticker: the median over the tickers of the training."""
        return self.calibrators[ANY_TICKER]

    def is_fitted_to(self, ticker: str) -> bool:
        """Return False: nothing is fitted to a single ticker."""
        return False

    def require_ticker(self, ticker: str) -> str:
        """Return the ticker: any can be forecast."""
        return ticker


@dataclass(frozen=True)
class PretrainedFolder:
    """A folder of pretrained networks.

    Attributes:
        path: The folder.
        only: Use the network of this name alone; None uses all.
    """

    path: Path
    only: str | None = None

    @cached_property
    def card(self) -> dict[str, Any]:
        """How the networks were made; RunError if the file cannot be read."""
        try:
            return parse_json(SavedCard, read_file(self.path / CARD, MAX_JSON)).model_dump()
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.path / CARD} cannot be read: {error}",
                "make the networks again: `lstm-stock pretrain`",
            ) from error

    @cached_property
    def networks(self) -> dict[str, Pretrained]:
        """The networks by the name of their inputs, the one with the most first."""
        names = INPUT_SETS if self.only is None else (self.only,)
        return {name: Pretrained(self.path / name) for name in names if (self.path / name).is_dir()}


def packaged_networks(only: str | None = None) -> PretrainedFolder:
    """Return the networks that ship with the package, or one of them."""
    return PretrainedFolder(Path(__file__).parents[1] / PACKAGED, only)


def find_pretrained(name: str | None) -> PretrainedFolder | None:
    """Return the pretrained networks of a name; None if the name is not that of any.

    Args:
        name: `universal`, a path of a folder of `pretrain`, or either with the name of inputs, as in
            `universal/own`, for one network of them.
    """
    if name is None:
        return None
    whole, only = Path(name), None
    if whole.name in INPUT_SETS:
        whole, only = whole.parent, whole.name
    if str(whole) == PACKAGED and not _has_card(whole):
        return packaged_networks(only)
    return PretrainedFolder(whole, only) if _has_card(whole) else None


def _has_card(path: Path) -> bool:
    try:
        return (path / CARD).is_file()
    except OSError:
        return False


def write_pretrained(
    folder: Path, config: Config, fitted: ModelArtifacts, provenance: RunProvenance
) -> dict[str, str]:
    """Write the files of one network to a new folder.

    Args:
        folder: Where to; it must not exist.
        config: Its config.
        fitted: The network, with scaler and calibrator under `ANY_TICKER`.
        provenance: What produced it.

    Returns:
        The SHA-256 of each file.
    """
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text(dump_yaml(config), encoding="utf-8")
    provenance = replace(provenance, network_hashes=write_network(folder, fitted))
    write_json(folder / SCALER, {ticker: one.to_json() for ticker, one in fitted.scalers.items()})
    write_json(folder / CALIBRATION, {ticker: one.to_json() for ticker, one in fitted.calibrators.items()})
    write_regressions(folder, config, fitted)
    write_json(folder / PROVENANCE, asdict(provenance))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
