"""Read YAML as text with line numbers, and write it.

Every scalar stays the text that the user typed, because only the schema knows whether `ON` is a ticker or a
switch and `1e-3` a number or a name. `null`, `~` and nothing at all are None. Keys given twice are faults, as
are the parts of YAML that a config has no use for (tags, merge keys, more than one document).

Nothing here knows which keys exist or what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree] | None"
Key: TypeAlias = tuple[str | int, ...]
"""Where a value is: `("model", "units", 0)`."""

MAX_DEPTH = 16
"""Mappings within lists within mappings: a config needs four."""

MAX_NODES = 5_000
"""Values in one document, aliases counted each time: a few lines of aliases can stand for billions."""

# libyaml where it is there: it is quick, and answers every wrong text with one of its own errors.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULLS = ("", "~", "null")
_TAG_PREFIX = "tag:yaml.org,2002:"


_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class YamlFault:
    """One thing wrong with a text: at a key, or (`column` above 0) at a place where it stops being YAML."""

    line: int
    column: int
    key: Key
    message: str


@dataclass
class Document:
    """What one YAML text says.

    Attributes:
        data: The values, every scalar still text.
        lines: The line (from 1) of each key and list item.
        empty: Keys followed by nothing at all: None in `data`, like `null`, but possibly not meant so.
        faults: What is wrong with the text itself.
        readable: False if a fault kept the text from being read to its end, so that `data` is not to be used.
    """

    data: Tree = None
    lines: dict[Key, int] = field(default_factory=dict)
    empty: set[Key] = field(default_factory=set)
    faults: list[YamlFault] = field(default_factory=list)
    readable: bool = True


def read_yaml(text: str | bytes) -> Document:
    r"""Read one YAML document; whatever is wrong with it is in the document's `faults`.

    >>> document = read_yaml("window:\n  look_back: 1e2\n  ticker: ON")
    >>> document.data, document.lines["window", "ticker"]
    ({'window': {'look_back': '1e2', 'ticker': 'ON'}}, 3)
    """
    document = Document()
    reader = _Reader(document)
    try:
        if isinstance(text, bytes):
            text = _decode(text)
        _check_characters(text)
        root = reader.document(_events(text))
        if root is None:
            document.empty.add(())
        else:
            document.data = reader.expand(root, ())
    except _UnreadableError as error:
        document.readable = False
        document.faults.append(error.fault)
    return document


Place: TypeAlias = tuple[int, int]
"""Line and column, both from 1."""


class _UnreadableError(Exception):
    """Reading cannot go on."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.fault = YamlFault(*place, (), message)


def _place(mark: Any) -> Place:
    # libyaml's mark and PyYAML's are two classes, alike in this.
    return mark.line + 1, mark.column + 1


def _events(text: str) -> Iterator[yaml.Event]:
    """Parse, with the parser's errors in our words."""
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(text, error) from None
    except (ValueError, OverflowError):
        # Only the pure Python parser: an escape or a version beyond any number that Python takes.
        raise _UnreadableError(
            (1, 1), "a `\\` escape or a `%` line holds a number that is too large"
        ) from None


@dataclass
class _Node:
    """A value and its place, before aliases are written out."""

    place: Place
    value: str | list[_Node] | dict[str, tuple[Place, _Node]] | None
    is_empty: bool = False
    repeated: list[tuple[str, Place, Place]] = field(default_factory=list)


class _Reader:
    """Turns parser events into nodes, and nodes into a tree with lines."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._anchors: dict[str, _Node] = {}
        self._n_nodes = 0

    def document(self, events: Iterator[yaml.Event]) -> _Node | None:
        """Read the only document of the stream; None if it holds nothing."""
        root: _Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                message = "a second document starts here; a config is one document"
                raise _UnreadableError(_place(event.start_mark), message)
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, 0)
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> _Node:
        place = _place(event.start_mark)
        if depth > MAX_DEPTH:
            raise _UnreadableError(place, f"nested more than {MAX_DEPTH} deep; a config needs four levels")
        if isinstance(event, yaml.ScalarEvent):
            is_null = event.implicit[0] and event.value in _NULLS
            node = _Node(place, None if is_null else event.value, is_null and event.value == "")
        elif isinstance(event, yaml.SequenceStartEvent):
            node = _Node(place, self._items(events, depth))
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(place, events, depth)
        else:
            return self._alias(event, place)
        if event.tag is not None:
            tag = quoted(event.tag.replace(_TAG_PREFIX, "!!"))
            message = f"the tag {tag} is not supported; leave it out, each key knows its own type"
            raise _UnreadableError(place, message)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: yaml.Event, place: Place) -> _Node:
        name = event.anchor if isinstance(event, yaml.AliasEvent) else None
        if name not in self._anchors:
            message = f"`*{name}` stands for nothing: no value marked `&{name}` ends before it"
            raise _UnreadableError(place, message)
        return self._anchors[name]

    def _items(self, events: Iterator[yaml.Event], depth: int) -> list[_Node]:
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, depth + 1))
        return items

    def _mapping(self, place: Place, events: Iterator[yaml.Event], depth: int) -> _Node:
        entries: dict[str, tuple[Place, _Node]] = {}
        node = _Node(place, entries)
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            at = _place(event.start_mark)
            if not isinstance(event, yaml.ScalarEvent):
                raise _UnreadableError(at, "a key must be a plain word")
            if event.value == "<<":
                raise _UnreadableError(at, "merge keys (`<<`) are not supported; write the keys out")
            value = self._node(next(events), events, depth + 1)
            if event.value in entries:
                node.repeated.append((event.value, at, entries[event.value][0]))
            else:
                entries[event.value] = (at, value)
        return node

    def expand(self, node: _Node, key: Key) -> Tree:
        """Write aliases out and note the line of everything below `key`."""
        self._n_nodes += 1
        if self._n_nodes > MAX_NODES:
            raise _UnreadableError(node.place, f"more than {MAX_NODES} values; a config needs a hundred")
        if node.is_empty:
            self._document.empty.add(key)
        if isinstance(node.value, list):
            items: list[Tree] = []
            for i, item in enumerate(node.value):
                self._document.lines[*key, i] = item.place[0]
                items.append(self.expand(item, (*key, i)))
            return items
        if isinstance(node.value, dict):
            for name, (line, _), (first, _) in node.repeated:
                message = f"given twice, first on line {first}"
                self._document.faults.append(YamlFault(line, 0, (*key, name), message))
            entries: dict[str, Tree] = {}
            for name, (place, value) in node.value.items():
                self._document.lines[*key, name] = place[0]
                entries[name] = self.expand(value, (*key, name))
            return entries
        return node.value


def quoted(text: str, limit: int = 40) -> str:
    """Quote what a user typed for a message: short, on one line, nothing that a terminal would obey."""
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


# What the parser says (libyaml's words, then those of the pure Python one) and what the user can do about it.
_SYNTAX = (
    (
        "mapping values are not allowed",
        "`:` cannot stand here: expected one `key: value` a line with a space after the `:`, the keys of a "
        "section indented alike, and quotes around text that holds `: `",
    ),
    ("character that cannot start any token", "expected a key or a value, got {found}"),
    ("that cannot start any token", "expected a key or a value, got {found}"),
    ("could not find expected ':'", "expected `:` and a space after the key"),
    ("found unexpected end of stream", "expected a closing quote"),
    ("expected ',' or ']'", "expected `,` or the closing `]`"),
    ("expected ',' or '}'", "expected `,` or the closing `}`"),
    ("expected '-' indicator", "expected another `- ` indented like those above, or the end of the list"),
    ("expected key", "expected the next key, indented like those above it"),
    ("expected <block end>", "expected the next key or `- `, indented like those above it"),
    ("expected node content", "expected a value, got {found}"),
    ("expected the node content", "expected a value, got {found}"),
    (
        "unknown escape character",
        "expected `\\\\` for a backslash in double quotes; in single quotes it stands for itself",
    ),
    ("alphabetic or numeric character", "expected a name after `*` or `&`; quote text that begins so"),
    ("expected <document start>", "expected the end of the file after `...`"),
    ("expected '<document start>'", "expected the end of the file after `...`"),
)


def _syntax_error(text: str, error: yaml.MarkedYAMLError) -> _UnreadableError:
    """Say in our words where a text stops being YAML and what was expected there."""
    problem, mark, opened = error.problem or "not YAML", error.problem_mark, error.context_mark
    if mark is None:
        return _UnreadableError((1, 1), problem)
    lines = _LINE_BREAK.split(text.rstrip())
    char = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
    found = "a tab (indent with spaces)" if char == "\t" else f"`{char}` (quote text that begins so)"
    message = next((words for said, words in _SYNTAX if said in problem), problem)
    message = message.replace("{found}", found if char else "nothing")
    if opened is not None and "closing" in message:
        if not char:
            # Where it was forgotten nobody knows; where it was opened helps more than the end of the file.
            return _UnreadableError(_place(opened), f"{message} before the end")
        if opened.line != mark.line:
            message += f" of what begins on line {opened.line + 1}"
    return _UnreadableError(_place(mark), message)


def _decode(raw: bytes) -> str:
    """Turn a file's bytes into text: UTF-8, or UTF-16 with its mark (what Windows shells write)."""
    encoding = "UTF-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "UTF-8"
    try:
        return raw.decode("utf-8-sig" if encoding == "UTF-8" else encoding)
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        message = f"byte 0x{raw[error.start]:02x} is not {encoding} text; save the file as UTF-8"
        raise _UnreadableError((line, column), message) from None


def _check_characters(text: str) -> None:
    """Refuse what no text file holds, so that the parser meets only what YAML allows."""
    if (match := _FORBIDDEN.search(text)) is not None:
        before = _LINE_BREAK.split(text[: match.start()])
        message = f"the character {match.group()!a} is not allowed in YAML; is this a text file?"
        raise _UnreadableError((len(before), len(before[-1]) + 1), message)
