"""Choose the pretrained network that a training starts from, and give the config its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lstm_stock.config import Config
from lstm_stock.config.schema import REGRESSION
from lstm_stock.dataset.split import Split
from lstm_stock.dataset.start import Start
from lstm_stock.errors import ConfigError, RunError
from lstm_stock.prices.store import Store
from lstm_stock.runs.pretrained import Pretrained, find_pretrained
from lstm_stock.workflow.store_market import MIN_SHARES, is_share

SHARED = ("target", "target_scale", "scaler")
"""Keys that a fine-tuning has in common with the pretrained network, as its inputs and targets are theirs."""


def start_of(config: Config, store: Store, on_note: Callable[[str], None]) -> tuple[Config, Start | None]:
    """Return what a config starts from, and the config with the inputs of that network.

    Of pretrained networks with several sets of inputs it is the one with the most that the run has: the market
    with `MIN_SHARES` shares or more, covariates where the store has them.

    Args:
        config: The whole config.
        store: Where the prices are.
        on_note: Called with the name of the network.

    Returns:
        The config, with the network's features and covariates, and the start; None without `model.start`.

    Raises:
        ConfigError: There is no such network, or the config contradicts it.
        RunError: A file of the network cannot be read.
    """
    if config.model.start is None:
        return config, None
    network = _network(config, store)
    for text in _contradictions(config, network):
        raise ConfigError(text, "start from `--config finetune`, which has all of its settings")
    theirs = network.config
    model = config.model.model_copy(update={"start": _path_of(config, network)})
    data = config.data.model_copy(update={"covariates": theirs.data.covariates})
    config = config.model_copy(update={"features": theirs.features, "data": data, "model": model})
    on_note(f"starting from {model.start}: {len(config.columns)} inputs, those of the pretrained network")
    return config, _start(config, network)


def require_unseen_test(config: Config, split: Split) -> None:
    """Raise an error if the network that a training starts from learned from prices of the test period.

    Raises:
        ConfigError: It did.
    """
    if config.model.start is None:
        return
    (network,) = _networks(config)
    trained_before = network.provenance.test_start
    if str(split.test_start) < trained_before:
        raise ConfigError(
            f"model.start: {config.model.start} learned from prices before {trained_before}, and the test period "
            f"starts on {split.test_start}: its scores would not test it",
            f"set `split.val` and `split.test` to dates, `split.test` to {trained_before} or later, or pretrain "
            "networks on earlier dates: `lstm-stock pretrain`",
        )


def _networks(config: Config) -> list[Pretrained]:
    folder = find_pretrained(config.model.start)
    networks = [] if folder is None else list(folder.networks.values())
    if not networks:
        raise ConfigError(
            f"model.start: got {config.model.start!r}, which is no folder of pretrained networks",
            "set universal, or a folder that `lstm-stock pretrain` made",
        )
    return networks


def _network(config: Config, store: Store) -> Pretrained:
    """Return the network with the most inputs that a run has; the first is that with the most."""
    shares = sum(map(is_share, config.data.tickers))
    for network in (networks := _networks(config)):
        has_market = not network.config.needs_market or shares >= MIN_SHARES
        if has_market and all(store.path(name).exists() for name in network.config.data.covariates):
            return network
    needs = networks[-1].config
    what = [f"{MIN_SHARES} shares"] if needs.needs_market else []
    raise ConfigError(
        f"model.start: {config.model.start} needs {' and '.join([*what, *needs.data.covariates])} in the run",
        "fetch what is missing, or start from `universal/own`",
    )


def _path_of(config: Config, network: Pretrained) -> str:
    """Return the value of `model.start` that names one network."""
    start = str(config.model.start)
    return start if start.endswith(f"/{network.path.name}") else f"{start.rstrip('/')}/{network.path.name}"


def _contradictions(config: Config, network: Pretrained) -> Iterator[str]:
    """Yield a sentence for each key that does not fit the pretrained network."""
    theirs = network.config
    pairs: list[tuple[str, Any, Any]] = [(key, getattr(config, key), getattr(theirs, key)) for key in SHARED]
    pairs += [
        ("window.look_back", config.window.look_back, theirs.window.look_back),
        ("model.head", config.model.head, theirs.model.head),
    ]
    for key, ours, expected in pairs:
        if ours != expected:
            yield f"{key}: got {ours}, expected {expected}, as in model.start: {config.model.start}"
    if config.window.horizon > theirs.window.horizon:
        yield (
            f"window.horizon: got {config.window.horizon}, expected at most {theirs.window.horizon}, as in "
            f"model.start: {config.model.start}"
        )
    if config.features not in (Config().features, theirs.features):
        yield f"features: must be left out with model.start: {config.model.start}, which has its own"
    if config.data.covariates not in ((), theirs.data.covariates):
        yield f"data.covariates: must be left out with model.start: {config.model.start}, which has its own"
    if config.model.ticker_embedding:
        yield f"model.ticker_embedding: must be 0 with model.start: {config.model.start}"


def _start(config: Config, network: Pretrained) -> Start:
    """Return the regression of a pretrained network, for the steps of a config."""
    regression = network.regressions.get(REGRESSION)
    if regression is None or not network.config.is_regression:
        raise RunError(
            f"{network.name} is no regression alone, from which a fine-tuning could start",
            "pretrain with `--set training.epochs=0`",
        )
    rows = [network.config.columns.index(column) for column in config.columns]
    scaler = network.fitted.scaler.restricted(rows)
    return Start(network.model_name, regression.restricted(rows, config.window.horizon), scaler)
