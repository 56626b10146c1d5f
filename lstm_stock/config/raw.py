"""Settings from a YAML file and from `--set`, the place of each, and the text of each fault.

Nothing here knows which settings exist: defaults come in as a tree, faults in values as pydantic's errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic_core import ErrorDetails

from lstm_stock.config.fields import received
from lstm_stock.config.tickers import SUFFIX
from lstm_stock.config.yaml_reader import MAX_DEPTH, Key, Tree, quoted, read_yaml
from lstm_stock.errors import ConfigError

_HINT = "`lstm-stock config show` prints every key with its value"

Defaults: TypeAlias = Mapping[str, Any]
"""Every key with its default, sections as nested mappings."""

_MAX_FAULTS = 50

# Names that other programs and tutorials use, and our keys for them.
_SYNONYMS = {
    "batch": "training.batch_size",
    "ensemble": "training.members",
    "hidden_size": "model.units",
    "layers": "model.units",
    "loss": "model.head",
    "lr": "training.learning_rate",
    "n_steps": "window.look_back",
    "random_state": "seed",
    "seq_len": "window.look_back",
    "sequence_length": "window.look_back",
    "symbol": "data.tickers",
    "symbols": "data.tickers",
    "test_size": "split.test",
    "time_step": "window.look_back",
    "time_steps": "window.look_back",
    "timesteps": "window.look_back",
    "validation_split": "split.val",
}


@dataclass(frozen=True)
class _Place:
    """Source of a setting: `my.yaml:3`, or `--set seed`."""

    order: tuple[int, int]
    label: str
    is_override: bool = False


class RawConfig:
    """Settings as the user gave them, and the faults in them.

    Attributes:
        tree: The settings, every value as text; overrides are merged into the file's settings.
        complete: False if something could not be read, so that `tree` cannot be checked.
    """

    def __init__(self, defaults: Defaults) -> None:
        self.tree: dict[str, Tree] = {}
        self.complete = True
        self._defaults = defaults
        self._file = ""
        self._places: dict[Key, _Place] = {}
        self._empty: set[Key] = set()
        self._faults: list[tuple[tuple[int, int], str]] = []

    def add_file(self, name: str, raw: bytes) -> None:
        """Add the settings of a YAML file; its faults begin with `name`."""
        self._file = name
        document = read_yaml(raw)
        for fault in document.faults:
            place = _Place(
                (0, fault.line), f"{name}:{fault.line}" + (f":{fault.column}" if fault.column else "")
            )
            self._add_fault(place, fault.key, fault.message)
        self.complete = document.readable
        if document.readable and document.data is not None:
            if not isinstance(document.data, dict):
                message = f"{received(document.data)}, must be keys with values: `seed: 7`"
                self._add_fault(_Place((0, 1), name), (), message)
                self.complete = False
                return
            self._merge(self.tree, document.data, ())
            self._places = {key: _Place((0, line), f"{name}:{line}") for key, line in document.lines.items()}
            self._empty = document.empty

    def add_override(self, number: int, text: str) -> None:
        """Add one `KEY=VALUE`; a section given as `{...}` is merged into the one that is there."""
        name, equals, yaml = text.partition("=")
        key = tuple(name.strip().split("."))
        place = _Place((1, number), f"--set {_dotted(key)}", is_override=True)
        if not equals or "" in key or len(key) > MAX_DEPTH or not name.isprintable():
            place = _Place((1, number), "--set", is_override=True)
            self._add_fault(place, (), f"got {quoted(text)}, expected KEY=VALUE such as window.look_back=30")
            return
        document = read_yaml(yaml)
        for fault in document.faults:
            self._add_fault(place, key + fault.key if fault.key else key, fault.message)
        if not document.readable:
            return
        value = self._as_list(key, document.data)
        for part in reversed(key[1:]):
            value = {part: value}
        self._merge(self.tree, {key[0]: value}, ())
        for n in range(1, len(key) + 1):
            self._places.setdefault(key[:n], place)
        self._places |= {key + below: place for below in ((), *document.lines)}
        self._empty |= {key + below for below in document.empty}

    def _as_list(self, key: Key, value: Tree) -> Tree:
        """Split a word, or words with commas, where a list belongs: shells read brackets as file names."""
        is_words = isinstance(value, str) and not value.lower().endswith(SUFFIX)
        if is_words and isinstance(_at(self._defaults, key), list | tuple):
            return [word.strip() for word in str(value).split(",")]
        return value

    def _merge(self, old: dict[str, Tree], new: dict[str, Tree], key: Key) -> None:
        for name, value in new.items():
            below, former = (*key, name), old.get(name)
            if isinstance(value, dict) and isinstance(former, dict):
                self._merge(former, value, below)
                continue
            old[name] = value
            self._places = {k: place for k, place in self._places.items() if k[: len(below)] != below}
            self._empty = {k for k in self._empty if k[: len(below)] != below}

    def drop_empty_sections(self, switchable: Iterable[Key]) -> None:
        """Remove sections without keys, which change nothing.

        Args:
            switchable: Sections that `null` turns off: one without keys is a fault, as it may mean either.
        """
        for key in sorted(self._empty, key=str):
            if not isinstance(_at(self._defaults, key), Mapping):
                continue
            if key in switchable:
                message = "got nothing, must be null to turn it off; leave the key out for the default"
                self.add_fault((key,), message)
            parent = _at(self.tree, key[:-1])
            if isinstance(parent, dict):
                del parent[str(key[-1])]

    def value(self, key: Key) -> Tree:
        """Return the value that the user gave for a key, or None."""
        value: Tree = _at(self.tree, key)
        return value

    def is_override(self, key: Key) -> bool:
        """Return whether a key was given by `--set`."""
        return self._place_of(key).is_override

    def replace(self, key: Key, value: Tree) -> None:
        """Replace the value of a key; the key keeps its place for faults."""
        parent = _at(self.tree, key[:-1])
        parent[key[-1]] = value

    def add_fault(self, keys: Sequence[Key], message: str) -> None:
        """Add a fault at the first of `keys` that the user gave, or else at the section of the first."""
        key = next((key for key in keys if key in self._places), keys[0])
        self._add_fault(self._place_of(key), key, message)

    def add_error(self, error: ErrorDetails) -> None:
        """Add one of pydantic's errors as a fault."""
        key: Key = error["loc"]
        context = error.get("ctx", {})
        if error["type"] == "extra_forbidden":
            self.add_fault((key,), self._unknown_key(key))
        elif error["type"] == "too_short" and error["input"]:
            return  # each item of the list has its own fault
        else:
            self.add_fault(context.get("keys") or (key,), self._message(error))

    @property
    def has_faults(self) -> bool:
        """Whether there are faults."""
        return bool(self._faults)

    def error(self) -> ConfigError:
        """Return one error with all faults, in the order of lines, then of overrides."""
        lines = [text for _, text in sorted(self._faults, key=lambda fault: fault[0])]
        if len(lines) > _MAX_FAULTS:
            lines[_MAX_FAULTS:] = [f"... and {len(lines) - _MAX_FAULTS} more"]
        return ConfigError("\n".join(lines), _HINT)

    def _add_fault(self, place: _Place, key: Key, message: str) -> None:
        dotted = _dotted(key)
        where = place.label if not key or place.label == f"--set {dotted}" else f"{place.label}: {dotted}"
        self._faults.append((place.order, f"{where}: {message}"))

    def _place_of(self, key: Key) -> _Place:
        for n in range(len(key), 0, -1):
            if key[:n] in self._places:
                return self._places[key[:n]]
        return _Place((0, 0), self._file or "config")

    def _message(self, error: ErrorDetails) -> str:
        kind, value, context = error["type"], error["input"], error.get("ctx", {})
        if kind == "wrong":
            return str(context["message"])
        if kind == "literal_error":
            allowed = re.findall(r"'([^']*)'", str(context["expected"]))
            return f"{received(value)}, allowed: {', '.join(allowed)}{_did_you_mean(value, allowed)}"
        if kind == "model_type":
            names = ", ".join(_at(self._defaults, error["loc"]) or ())
            return f"{received(value)}, must be a section with any of the keys {names}"
        if kind == "tuple_type":
            is_word = isinstance(value, str) and re.fullmatch(r"[\w.^-]{1,40}", value)
            example = f" such as [{value}]" if is_word else ""
            return f"{received(value)}, must be a list{example}"
        for bound, template in _BOUNDS.items():
            if bound in context:
                return f"{received(value)}, must be {template.format(context[bound])}"
        return f"{received(value)}: {error['msg']}"

    def _unknown_key(self, key: Key) -> str:
        """Return the text for an unknown key: the key probably intended, or the allowed ones."""
        word, section = str(key[-1]), key[:-1]
        siblings = [str(name) for name in _at(self._defaults, section)]
        all_keys = list(_keys(self._defaults))
        is_override = self._place_of(key).is_override
        intended = _find_key(word, section, siblings, all_keys)
        if intended is None:
            return f"unknown key; allowed: {', '.join(siblings)}"
        if intended[:-1] == section and not is_override:
            return f"unknown key; did you mean {intended[-1]}?"
        if _dotted(intended) == word:
            return f"unknown key; write `{intended[-1]}:` indented below `{_dotted(intended[:-1])}:`"
        return f"unknown key; did you mean {_dotted(intended)}?"


_BOUNDS = {"ge": "at least {:.10g}", "gt": "above {:.10g}", "le": "at most {:.10g}", "lt": "below {:.10g}"}
_BOUNDS |= {"min_length": "a list of at least {}", "max_length": "a list of at most {}"}


def _dotted(key: Key) -> str:
    """Return a key as users write it: `model.units[0]`."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[\w.-]{1,40}", part) else quoted(part))
    return text


def _at(tree: Any, key: Key) -> Any:
    for part in key:
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def _keys(defaults: Defaults, section: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in defaults.items():
        key = (*section, name)
        yield key
        if isinstance(value, Mapping):
            yield from _keys(value, key)


def _did_you_mean(value: object, allowed: Sequence[str]) -> str:
    intended = _nearest(value, allowed, 0.6) if isinstance(value, str) else None
    return f"; did you mean {intended}?" if intended else ""


def _simplified(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _nearest(word: str, options: Sequence[str], cutoff: float) -> str | None:
    """Return the option most similar to `word`, or None below a similarity of `cutoff`."""
    from difflib import get_close_matches  # loaded for a fault alone

    by_simplified = {_simplified(option): option for option in reversed(options)}
    # Long words are never typos of a key, and comparing them is slow.
    matches = get_close_matches(_simplified(word[:60]), by_simplified, n=1, cutoff=cutoff)
    return by_simplified[matches[0]] if matches else None


def _find_key(word: str, section: Key, siblings: Sequence[str], all_keys: Sequence[Key]) -> Key | None:
    """Return the key that was probably intended: in this section first, then in others, then a synonym."""
    by_name = {str(key[-1]): key for key in reversed(all_keys)}
    by_path = {_dotted(key): key for key in all_keys}
    if _simplified(word) in map(_simplified, siblings):
        return (*section, str(_nearest(word, siblings, 1)))
    for options in (by_name, by_path):
        if (name := _nearest(word, list(options), 1)) is not None:
            return options[name]
    if word.lower() in _SYNONYMS:
        return by_path[_SYNONYMS[word.lower()]]
    if (name := _nearest(word, siblings, 0.6)) is not None:
        return (*section, name)
    name = _nearest(word, list(by_name), 0.7)
    return None if name is None else by_name[name]
