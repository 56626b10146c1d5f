"""Load a config: defaults, a YAML file and overrides become a `Config`, or one error that lists every fault."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from lstm_stock.config.raw import RawConfig
from lstm_stock.config.schema import Config
from lstm_stock.config.sections import DataConfig
from lstm_stock.config.tickers import names_a_file, read_tickers_file
from lstm_stock.config.yaml_writer import write_yaml
from lstm_stock.errors import ConfigError
from lstm_stock.readback import open_file

_MAX_BYTES = 256 * 1024
_TICKERS = ("data", "tickers")
_SWITCHABLE = (("training", "early_stopping"), ("training", "reduce_lr"))
# Keys that came after the first saved runs, as YAML: a run without them was trained with these values.
_VALUES_BEFORE_KEYS = {
    ("training", "early_stopping", "min_delta"): "0",
    ("training", "reduce_lr", "min_delta"): "0.0001",
    ("training", "reduce_lr", "min_lr"): "0",
}
_INIT_HINT = "`lstm-stock config init` writes a file to start from"


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """Read a config: the defaults, changed by a YAML file, changed by overrides.

    Args:
        path: The file, or the bare name of a packaged config (`classic`) where no such file exists; None for
            the defaults alone.
        overrides: `KEY=VALUE` each, with a dotted key and a YAML value: `model.units=[64, 32]`. The last one wins.

    Raises:
        ConfigError: The file cannot be read, or a setting is wrong. The message has one line per fault, with file
            and line.
    """
    return _checked(_raw(path, overrides))


def named_tickers(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the tickers that overrides name, or else the default ones; none if they are wrong.

    What is wrong `load_config` says.
    """
    try:
        raw = RawConfig(Config().model_dump())
        for number, text in enumerate(overrides):
            raw.add_override(number, text)
        _read_tickers(raw, Path())
        return DataConfig.model_validate({"tickers": raw.value(_TICKERS)}).tickers
    except (ValidationError, ConfigError):
        return ()


def load_saved_config(path: Path) -> Config:
    """Read the config of a saved run: keys that it lacks have the values with which it was trained.

    Args:
        path: The file, as `dump_yaml` wrote it.

    Raises:
        ConfigError: The file cannot be read, or a setting is wrong.
    """
    raw = _raw(path, ())
    for key, value in _VALUES_BEFORE_KEYS.items():
        section = raw.value(key[:-1])
        if isinstance(section, dict):
            section.setdefault(key[-1], value)
    return _checked(raw)


def _raw(path: Path | None, overrides: Sequence[str]) -> RawConfig:
    raw = RawConfig(Config().model_dump())
    if path is not None:
        raw.add_file(*_read(path))
    for number, text in enumerate(overrides):
        raw.add_override(number, text)
    raw.drop_empty_sections(_SWITCHABLE)
    _read_tickers(raw, Path() if path is None else path.parent)
    return raw


def _checked(raw: RawConfig) -> Config:
    config = None
    if raw.complete:
        try:
            config = Config.model_validate(raw.tree)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                raw.add_error(detail)
    if config is None or raw.has_faults:
        raise raw.error()
    return config


def _read_tickers(raw: RawConfig, folder: Path) -> None:
    """Replace the name of a tickers file by its tickers; in a config file the name is relative to its folder."""
    name = raw.value(_TICKERS)
    if not isinstance(name, str) or not names_a_file(name):
        return
    try:
        tickers = read_tickers_file(Path(name) if raw.is_override(_TICKERS) else folder / name)
        raw.replace(_TICKERS, list(tickers))
    except ConfigError as error:
        raw.add_fault((_TICKERS,), error.message)
        raw.complete = False


def _read(path: Path) -> tuple[str, bytes]:
    """Return the name and the bytes of a config file or a packaged config; the name is for messages."""
    try:
        if str(path) in packaged_config_names() and not path.is_file():
            return f"{path} (packaged)", packaged_config(str(path)).encode()
        if path.is_dir():
            raise ConfigError(f"{path} is a folder, expected a YAML file", _INIT_HINT)
        with open_file(path) as file:
            content = file.read(_MAX_BYTES + 1) or b""
    except FileNotFoundError:
        names = ", ".join(packaged_config_names())
        raise ConfigError(
            f"no config file {path}", f"packaged configs have the names {names}; {_INIT_HINT}"
        ) from None
    except OSError as error:
        raise ConfigError(f"config file {path} cannot be read: {error.strerror}", _INIT_HINT) from None
    except ValueError as error:  # a path with a NUL in it
        raise ConfigError(f"{str(path)!r} is not a path: {error}", _INIT_HINT) from None
    if len(content) > _MAX_BYTES:
        raise ConfigError(
            f"{path} is larger than {_MAX_BYTES // 1024} KiB; a config has a hundred lines", _INIT_HINT
        )
    return str(path), content


def dump_yaml(config: Config) -> str:
    """Return every key with its value as YAML; `load_config` reads it back to an equal config."""
    return write_yaml(config.model_dump())


def packaged_config_names() -> tuple[str, ...]:
    """Return the names of the packaged configs."""
    return ("classic", "default", "finetune", "many", "universal", "values")


def packaged_config(name: str) -> str:
    """Return the YAML text of a packaged config, with its comments.

    Raises:
        ConfigError: No packaged config has this name.
    """
    from importlib.resources import files  # other commands do without

    if name not in packaged_config_names():
        names = ", ".join(packaged_config_names())
        raise ConfigError(f"no packaged config {name!r}, expected one of: {names}", _INIT_HINT)
    return files("lstm_stock.config").joinpath("packaged", f"{name}.yaml").read_text(encoding="utf-8")
