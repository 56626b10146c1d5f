"""The types of settings: parse the text of one value, or raise a fault that says what is expected.

Each parser takes what YAML or a `--set` gives (text, None, a list, a section), or the type itself as Python
code gives it. Nothing here knows which keys exist.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from lstm_stock.config.tickers import SUFFIX, normalise_ticker
from lstm_stock.config.yaml_reader import Key, quoted
from lstm_stock.errors import DataError

_FIRST_DATE, _LAST_DATE = date(1900, 1, 1), date(2100, 12, 31)


def fault(message: str, *keys: Key) -> PydanticCustomError:
    """Return a validation error with this message; it is shown at the first of `keys` that the user gave."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "keys": keys})


def received(value: object) -> str:
    """Describe a rejected value: `got 'x'`."""
    if value is None:
        return "got nothing"
    if isinstance(value, str):
        return f"got {quoted(value)}"
    if isinstance(value, Mapping):
        return "got a section (`key: value`)"
    if isinstance(value, list | tuple):
        return "got a list" if value else "got an empty list"
    text = str(value)
    return f"got {text}" if len(text) <= 40 else f"got {text[:37]}..."


def _int(value: object) -> int:
    # Digits only: Python also takes 1_000 and full-width digits, YAML 1.1 reads 1:30 as 90 and 010 as 8.
    if isinstance(value, str) and re.fullmatch(r"[+-]?(0|[1-9][0-9]{0,99})", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise fault(f"{received(value)}, must be a whole number")


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise fault(f"{received(value)}, must be true or false")


def _float(value: object, expected: str = "must be a number") -> float:
    if isinstance(value, str) and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise fault(f"{received(value)}, {expected}")


def _float_or_null(value: object) -> float | None:
    return None if value is None else _float(value, "must be a number or null")


def _int_or_null(value: object) -> int | None:
    return None if value is None else _int(value)


def _date(value: object) -> date:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        text = value
        try:
            value = date.fromisoformat(text)
        except ValueError:
            raise fault(f"got {quoted(text)}, which is not a day of the calendar") from None
    if type(value) is not date:
        raise fault(f"{received(value)}, must be a date such as 2010-01-31")
    if not _FIRST_DATE <= value <= _LAST_DATE:
        raise fault(f"got {value}, must be from {_FIRST_DATE} to {_LAST_DATE}")
    return value


def _share_or_date(value: object) -> float | date:
    if type(value) is date or (isinstance(value, str) and re.match(r"[0-9]{4}-", value)):
        return _date(value)
    share = _float(value, "must be a share of the bars such as 0.2, or a date such as 2020-01-31")
    if not 0 < share < 1:
        raise fault(f"got {share:g}, must be a share of the bars, between 0 and 1, or a date")
    return share


def parse_ticker(value: object) -> str:
    """Return a ticker as the store spells it, or raise a fault."""
    if not isinstance(value, str):
        quotes = ' (a ticker named null takes quotes: "null")' if value is None else ""
        raise fault(f"{received(value)}, must be a ticker such as AAPL{quotes}")
    if value.lower().endswith(SUFFIX):
        raise fault(
            f"{received(value)}, must be a ticker; a file of tickers replaces the whole list: "
            f"`tickers: {value}`"
        )
    try:
        return normalise_ticker(value)
    except DataError as error:
        raise fault(error.message) from None


def _networks_or_null(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable():
        return value
    raise fault(f"{received(value)}, must be universal, a folder of `lstm-stock pretrain`, or null")


def check_distinct(values: Sequence[str], key: Key) -> None:
    """Raise a fault if the list at `key` holds a value twice."""
    for i, value in enumerate(values):
        if value in values[:i]:
            raise fault(f"{value} is in the list twice", (*key, i))


Int: TypeAlias = Annotated[int, BeforeValidator(_int)]
Bool: TypeAlias = Annotated[bool, BeforeValidator(_bool)]
Float: TypeAlias = Annotated[float, BeforeValidator(_float)]
OptionalFloat: TypeAlias = Annotated[float | None, BeforeValidator(_float_or_null)]
OptionalInt: TypeAlias = Annotated[int | None, BeforeValidator(_int_or_null)]
OptionalDate: TypeAlias = Annotated[date, BeforeValidator(_date)] | None
OptionalNetworks: TypeAlias = Annotated[str | None, BeforeValidator(_networks_or_null)]
Ticker: TypeAlias = Annotated[str, BeforeValidator(parse_ticker)]
LayerWidth: TypeAlias = Annotated[int, Field(ge=1, le=4096), BeforeValidator(_int)]
ShareOrDate: TypeAlias = Annotated[
    float | date,
    BeforeValidator(_share_or_date),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                {"type": "string", "format": "date"},
            ]
        }
    ),
]
