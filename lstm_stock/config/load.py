"""The settings of a training: which there are, what they default to, and what is wrong with a user's file.

A config is read once, checked whole, and then frozen. Every fault is reported at once, with the line of the
key that must change. Nothing here knows prices or networks: the names of cells, heads, features and scalers
are only names, and the registries of higher floors hold what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from lstm_stock.config.raw import RawConfig
from lstm_stock.config.schema import Config
from lstm_stock.config.tickers import names_a_file, read_tickers_file
from lstm_stock.config.yaml_writer import write_yaml
from lstm_stock.errors import ConfigError

_MAX_BYTES = 256 * 1024
_TICKERS = ("data", "tickers")
_SWITCHABLE = (("training", "early_stopping"), ("training", "reduce_lr"))
_INIT_HINT = "`lstm-stock config init` writes a file to start from"


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """Read a config: the defaults, changed by a YAML file, changed by overrides.

    Args:
        path: The file, or the bare name of a packaged config (`classic`) where no such file exists; None for
            the defaults alone.
        overrides: `KEY=VALUE` each, key dotted, value in YAML: `model.units=[64, 32]`. The last one wins.

    Raises:
        ConfigError: The file cannot be read, or something in it or in an override is wrong. The message holds
            one line for each fault, all of them, with the file and line where it stands.
    """
    given = RawConfig(Config().model_dump())
    if path is not None:
        given.add_file(*_read(path))
    for number, text in enumerate(overrides):
        given.add_override(number, text)
    given.drop_empty_sections(_SWITCHABLE)
    _read_tickers(given, Path() if path is None else path.parent)
    config = None
    if given.complete:
        try:
            config = Config.model_validate(given.tree)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                given.add_error(detail)
    if config is None or given.has_faults:
        raise given.error()
    return config


def _read_tickers(given: RawConfig, folder: Path) -> None:
    """Put the tickers of a file in its place; a name in a config file is relative to that config's folder."""
    name = given.value(_TICKERS)
    if not isinstance(name, str) or not names_a_file(name):
        return
    try:
        tickers = read_tickers_file(Path(name) if given.is_override(_TICKERS) else folder / name)
        given.replace(_TICKERS, list(tickers))
    except ConfigError as error:
        given.add_fault((_TICKERS,), error.message)
        given.complete = False


def _read(path: Path) -> tuple[str, bytes]:
    """Return the name to show and the bytes of a config file or a packaged config."""
    try:
        if str(path) in packaged_config_names() and not path.is_file():
            return f"{path} (packaged)", packaged_config(str(path)).encode()
        if path.is_dir():
            raise ConfigError(f"{path} is a folder, expected a YAML file", _INIT_HINT)
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        names = ", ".join(packaged_config_names())
        raise ConfigError(
            f"no config file {path}", f"packaged ones go by their name: {names}; {_INIT_HINT}"
        ) from None
    except OSError as error:
        raise ConfigError(f"config file {path} cannot be read: {error.strerror}", _INIT_HINT) from None
    except ValueError as error:  # A path with a NUL in it.
        raise ConfigError(f"{str(path)!r} is no path: {error}", _INIT_HINT) from None
    if len(raw) > _MAX_BYTES:
        raise ConfigError(
            f"{path} is larger than {_MAX_BYTES // 1024} KiB; a config has a hundred lines", _INIT_HINT
        )
    return str(path), raw


def dump_yaml(config: Config) -> str:
    """Write every key with its value; `load_config` on it gives an equal config."""
    return write_yaml(config.model_dump())


def packaged_config_names() -> tuple[str, ...]:
    """Name the configs that come with the package."""
    return ("classic", "default", "many")


def packaged_config(name: str) -> str:
    """Return the YAML text of a packaged config, comments and all.

    Raises:
        ConfigError: There is none of this name.
    """
    from importlib.resources import files  # Most commands do without.

    if name not in packaged_config_names():
        names = ", ".join(packaged_config_names())
        raise ConfigError(f"no packaged config {name!r}, expected one of: {names}", _INIT_HINT)
    return files("lstm_stock.config").joinpath("packaged", f"{name}.yaml").read_text(encoding="utf-8")
