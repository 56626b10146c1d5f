"""Columns that the user names: `--columns open=Eröffnung,close=4`."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from lstm_stock.errors import ConfigError, DataError
from lstm_stock.prices.csv.names import NAMES, plain

_HINT = "write field=label or field=number with commas between: `--columns date=1,open=Eröffnung`"


def parse_columns(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Parse the option `--columns`: pairs of a field and the label or the number of its column.

    >>> parse_columns(["open=Erster, close=4"])
    (('open', 'Erster'), ('close', '4'))

    Raises:
        ConfigError: A pair has no `=`, names no field, or a field is named twice.
    """
    found: dict[str, str] = {}
    for part in [part.strip() for text in texts for part in text.split(",") if part.strip()]:
        name, equals, label = (one.strip() for one in part.partition("="))
        field = name.lower().replace(" ", "_")
        if not equals or not label:
            raise ConfigError(f"--columns: got {part!r}, expected field=label", _HINT)
        if field not in NAMES:
            near = get_close_matches(field, NAMES, n=1)
            rest = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(
                f"--columns: got the field {name!r}, expected one of {', '.join(NAMES)}{rest}", _HINT
            )
        if field in found:
            raise ConfigError(f"--columns: got {field} twice, expected each field once", _HINT)
        found[field] = label
    return tuple(found.items())


def name_columns(pairs: Sequence[tuple[str, str]], labels: Sequence[str], name: str) -> dict[str, int]:
    """Return the position of each column that the user names.

    Args:
        pairs: Fields with the label or the number (from 1) of their column.
        labels: The label of each column.
        name: What to call the file in messages.

    Raises:
        DataError: The file has no such column, or two.
    """
    return {field: _position(field, label, labels, name) for field, label in pairs}


def _position(field: str, label: str, labels: Sequence[str], name: str) -> int:
    same = [i for i, one in enumerate(labels) if one == label]
    same = same or [i for i, one in enumerate(labels) if plain(one) and plain(one) == plain(label)]
    if len(same) == 1:
        return same[0]
    if not same and label.isdigit() and 1 <= int(label) <= len(labels):
        return int(label) - 1
    shown = ", ".join(f"`{one}`" for one in labels[:20] if one) or f"{len(labels)} columns without names"
    how_many = f"{len(same)} columns" if same else "no column"
    raise DataError(
        f"--columns {field}={label}: {name} has {how_many} of that name; it has {shown}",
        f"name a column by its number, from 1 to {len(labels)}: `--columns {field}=2`",
    )
