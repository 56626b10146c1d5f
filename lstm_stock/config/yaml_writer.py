"""Write nested settings as YAML that every YAML reader reads back as the same values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
# Words that a YAML 1.1 or 1.2 reader does not read as text.
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_MAX_WIDTH = 100


def write_yaml(tree: Mapping[str, object], indent: str = "") -> str:
    """Return nested sections as YAML, one key per line.

    Values are text, numbers, bools, dates, None and lists of these. Text that a YAML reader could read as another
    type is quoted.

    >>> print(write_yaml({"data": {"tickers": ("AAPL", "ON")}, "rate": 1e-05}), end="")
    data:
      tickers: [AAPL, "ON"]
    rate: 1.0e-05
    """
    lines = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            lines.append(f"{indent}{key}:\n{write_yaml(value, indent + '  ')}")
        elif isinstance(value, list | tuple):
            items = [_scalar(item) for item in value]
            line = f"{indent}{key}: [{', '.join(items)}]\n"
            if len(line) > _MAX_WIDTH:
                line = f"{indent}{key}:\n" + "".join(f"{indent}  - {item}\n" for item in items)
            lines.append(line)
        else:
            lines.append(f"{indent}{key}: {_scalar(value)}\n")
    return "".join(lines)


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        is_plain = _PLAIN.fullmatch(value) is not None and value.lower() not in _RESERVED
        return value if is_plain else f'"{"".join(map(_escaped, value))}"'
    text = repr(value)
    # YAML 1.1 reads `1e-05` as text.
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if char.isprintable() else f"\\U{ord(char):08x}"
