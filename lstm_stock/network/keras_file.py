"""Refuse a Keras file that is not small, before anything is allocated for it. Nothing here imports Keras."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from lstm_stock.readback import parse_json

MAX_BYTES = 2**30
"""Greatest size of the unpacked files of a network."""

MAX_CONFIG = 2**24
"""Greatest size of the description of a network in bytes: that of an ensemble of five has a hundred thousand."""

LARGEST_AXIS = 100_000
"""Greatest number in the description of a network: no layer is as wide, no window as long."""

_NAMES_OF_NO_SIZE = ("seed", "shared_object_id")

_CONFIG = "config.json"


def require_sane_archive(path: Path) -> None:
    """Check a Keras file, an archive with the description of a network and its weights.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such archive, unpacks to more than `MAX_BYTES`, or describes a layer of absurd size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            n_bytes = sum(one.file_size for one in archive.infolist())
            if n_bytes > MAX_BYTES or archive.getinfo(_CONFIG).file_size > MAX_CONFIG:
                raise ValueError(f"it unpacks to {n_bytes} bytes")
            content = archive.read(_CONFIG)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"it is no Keras file: {error}") from error
    _require_small(parse_json(dict[str, Any], content), "")


def _require_small(node: Any, key: str) -> None:
    if isinstance(node, dict):
        for name, value in node.items():
            _require_small(value, name)
    elif isinstance(node, list):
        for value in node:
            _require_small(value, key)
    elif isinstance(node, int | float) and key not in _NAMES_OF_NO_SIZE and not abs(node) <= LARGEST_AXIS:
        raise ValueError(f"it describes a network with a `{key}` of {node:.3g}")
