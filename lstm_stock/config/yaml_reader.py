"""Read YAML as text with line numbers.

Every scalar stays the text that the user typed, because only the schema knows whether `ON` is a ticker or a
switch and `1e-3` a number or a name. An unquoted `null`, `~` or empty value is None. Duplicate keys, tags,
merge keys and a second document are faults. Nothing here knows which keys exist or what they mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree] | None"
Key: TypeAlias = tuple[str | int, ...]
"""Path of a value: `("model", "units", 0)`."""

MAX_DEPTH = 16
"""Maximum nesting, aliases expanded; a config has four levels."""

_TOO_DEEP = f"nested more than {MAX_DEPTH} deep; a config needs four levels"

MAX_NODES = 5_000
"""Maximum number of values, aliases expanded: a few lines of aliases can stand for billions."""

# `Base` loaders leave every scalar as text. libyaml, where installed, is the faster parser.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_NULLS = ("", "~", "null")
_PLAIN_STYLES = (None, "")

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class YamlFault:
    """A fault in a text.

    Attributes:
        line: Line, from 1.
        column: Column, from 1; 0 where the fault is about `key` as a whole.
        key: The key at fault; empty where the text cannot be parsed.
        message: The value received and the value expected.
    """

    line: int
    column: int
    key: Key
    message: str


@dataclass
class Document:
    """The content of one YAML text.

    Attributes:
        data: The values, every scalar still text.
        lines: The line (from 1) of each key and list item.
        empty: Keys without a value: None in `data`, like `null`, but possibly a mistake.
        faults: The faults of the text.
        readable: False if a fault stopped the reader, so that `data` is incomplete.
    """

    data: Tree = None
    lines: dict[Key, int] = field(default_factory=dict)
    empty: set[Key] = field(default_factory=set)
    faults: list[YamlFault] = field(default_factory=list)
    readable: bool = True


def read_yaml(text: str | bytes) -> Document:
    r"""Read one YAML document; every fault is in the document's `faults`.

    >>> document = read_yaml("window:\n  look_back: 1e2\n  ticker: ON")
    >>> document.data, document.lines["window", "ticker"]
    ({'window': {'look_back': '1e2', 'ticker': 'ON'}}, 3)
    """
    document = Document()
    try:
        if isinstance(text, bytes):
            text = _decode(text)
        _check_characters(text)
        root = _parse(text)
        if root is None:
            document.empty.add(())
        else:
            document.data = _Expander(document).expand(root, ())
    except _UnreadableError as error:
        document.readable = False
        document.faults.append(error.fault)
    return document


class _UnreadableError(Exception):
    """The text cannot be read beyond this place."""

    def __init__(self, place: tuple[int, int], message: str) -> None:
        super().__init__(message)
        self.fault = YamlFault(*place, (), message)


def _fail(mark: Any, message: str) -> NoReturn:
    """Raise `_UnreadableError` at a mark of either parser; marks count from 0."""
    raise _UnreadableError((mark.line + 1, mark.column + 1), message)


def _parse(text: str) -> Any:
    """Return the root node, or None for a text without content."""
    try:
        _check_events(text)
        return yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        _fail(error.problem_mark, _syntax_message(text, error))
    except (ValueError, OverflowError):
        # The pure Python parser alone: an escape or a version number beyond Python's limits.
        message = "a `\\` escape or a `%` line holds a number that is too large"
        raise _UnreadableError((1, 1), message) from None


def _check_events(text: str) -> None:
    """Raise an error for a tag, and for nesting that would overflow the stack of `yaml.compose`."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if (tag := getattr(event, "tag", None)) is not None:
            shown = quoted(tag.replace("tag:yaml.org,2002:", "!!"))
            _fail(
                event.start_mark, f"the tag {shown} is not supported; leave it out, each key has its own type"
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            _fail(event.start_mark, _TOO_DEEP)


class _Expander:
    """Turns nodes into a tree, aliases expanded, and notes lines and duplicate keys in a document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._n_nodes = 0

    def expand(self, node: Any, key: Key) -> Tree:
        """Return the value of `node`, whose path is `key`."""
        self._n_nodes += 1
        if self._n_nodes > MAX_NODES:
            _fail(node.start_mark, f"more than {MAX_NODES} values; a config needs a hundred")
        if len(key) > MAX_DEPTH:
            _fail(node.start_mark, _TOO_DEEP)
        if isinstance(node, yaml.SequenceNode):
            return [self._child(item, item, (*key, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if node.style not in _PLAIN_STYLES or node.value not in _NULLS:
            return str(node.value)
        if not node.value:
            self._document.empty.add(key)
        return None

    def _child(self, marked: Any, value: Any, key: Key) -> Tree:
        self._document.lines[key] = marked.start_mark.line + 1
        return self.expand(value, key)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Tree]:
        entries: dict[str, Tree] = {}
        for name_node, value in node.value:
            name = name_node.value
            if not isinstance(name_node, yaml.ScalarNode):
                _fail(name_node.start_mark, "a key must be a plain word")
            if name == "<<":
                _fail(name_node.start_mark, "merge keys (`<<`) are not supported; write the keys out")
            below = (*key, name)
            if name in entries:
                message = f"given twice, first on line {self._document.lines[below]}"
                self._document.faults.append(YamlFault(name_node.start_mark.line + 1, 0, below, message))
            else:
                entries[name] = self._child(name_node, value, below)
        return entries


def quoted(text: str, limit: int = 40) -> str:
    """Quote a user's text for a message: short, on one line, without control characters."""
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


# Patterns of the most frequent errors, which match the text of both parsers, and our messages for them.
_SYNTAX = (
    (
        "mapping values are not allowed",
        "`:` is not allowed here: expected one `key: value` a line with a space after the `:`, the keys of a "
        "section indented alike, and quotes around text that holds `: `",
    ),
    ("cannot start any token", "expected a key or a value, got {char}"),
    (
        "expected (key|<block end>|'-' indicator)",
        "expected the next key or `- `, indented like those above it",
    ),
)


def _syntax_message(text: str, error: yaml.MarkedYAMLError) -> str:
    """Return the message for a parser's error: ours for the frequent ones, else the parser's."""
    problem, mark, context_mark = error.problem or "not YAML", error.problem_mark, error.context_mark
    for pattern, template in _SYNTAX:
        if re.search(pattern, problem) and mark is not None:
            char = _LINE_BREAK.split(text)[mark.line][mark.column : mark.column + 1]
            shown = (
                "a tab (indent with spaces)" if char == "\t" else f"`{char}` (quote text that begins with it)"
            )
            return template.replace("{char}", shown)
    if error.context is None:
        return problem
    is_above = context_mark is not None and mark is not None and context_mark.line < mark.line
    begin = f" (from line {context_mark.line + 1})" if is_above and context_mark is not None else ""
    return f"{error.context}{begin}, {problem}"


def _decode(raw: bytes) -> str:
    """Decode UTF-8, or UTF-16 with a byte order mark, which Windows shells write."""
    encoding = "UTF-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "UTF-8"
    try:
        return raw.decode("utf-8-sig" if encoding == "UTF-8" else encoding)
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        message = f"byte 0x{raw[error.start]:02x} is not {encoding} text; save the file as UTF-8"
        raise _UnreadableError((line, column), message) from None


def _check_characters(text: str) -> None:
    """Raise an error for characters that YAML forbids."""
    if (match := _FORBIDDEN.search(text)) is not None:
        before = _LINE_BREAK.split(text[: match.start()])
        message = f"the character {match.group()!a} is not allowed in YAML; is this a text file?"
        raise _UnreadableError((len(before), len(before[-1]) + 1), message)
