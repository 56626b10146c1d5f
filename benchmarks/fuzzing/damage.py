"""Ways to damage a file: its bytes, its values, or what stands in its place."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ODD_NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1e-300,
    1e300,
    -1e308,
    0.5,
    2**31,
    2**63,
    10**400,
    float("nan"),
    float("inf"),
)
ODD_TEXTS: tuple[str, ...] = (
    *(
        "",
        " ",
        "null",
        "NaN",
        "1e999",
        "9" * 400,
        "2024-13-45",
        "0001-01-01",
        "2024-01-02",
        "AAPL",
        "..",
        "\x00",
    ),
    *("\x1b[31m", "a" * 300, "é" * 70, "\ud800", "(1)", "true", "Infinity", "2024-01-02T03:04:05", "\u202e"),
)


def odd_value(chance: random.Random) -> Any:
    """Return a value that few would expect where it is put."""
    kind = chance.randrange(8)
    if kind < 3:
        return chance.choice(ODD_NUMBERS)
    if kind < 5:
        return chance.choice(ODD_TEXTS)
    return chance.choice([None, True, False, [], {}, [None], [[0.1]], {"a": 1}, [1, 2, 3], "deep"])


def places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a tree of dictionaries and lists, the root without."""
    found = []
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        found.append((*at, key))
        found += places(value, (*at, key))
    return found


def damage_tree(tree: Any, chance: random.Random) -> Any:
    """Change one to three values of a tree, at any depth."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        spots = places(tree)
        if not spots:
            return odd_value(chance)
        # As often near the root as deep below it, where most values are.
        depth = chance.randrange(1, max(map(len, spots)) + 1)
        *path, last = chance.choice([spot for spot in spots if len(spot) <= depth])
        parent = tree
        for key in path:
            parent = parent[key]
        _change(parent, last, chance)
    return tree


def _change(parent: Any, key: Any, chance: random.Random) -> None:
    how = chance.randrange(9)
    value = parent[key]
    if how == 0:
        del parent[key]
    elif how == 1 and isinstance(parent, dict):
        parent[chance.choice(["x", "", "close", str(key) + " "])] = parent.pop(key)
    elif how == 1 or (how == 2 and isinstance(parent, list)):
        parent.append(value)
    elif how == 2:
        parent["more"] = odd_value(chance)
    elif how == 3 and isinstance(value, int | float) and not isinstance(value, bool):
        parent[key] = value * chance.choice([-1, 0, 10, 1e6, 1e-6, 1 + 1e-9]) if abs(value) < 1e300 else 0
    elif how == 4:
        parent[key] = str(value)
    elif how == 5:
        parent[key] = [value]
    else:
        parent[key] = odd_value(chance)


def json_bytes(tree: Any, chance: random.Random) -> bytes:
    """Encode a damaged tree; now and then with nesting that is deeper than any program's stack."""
    raw = json.dumps(tree).encode("utf-8", errors="replace")
    depth = chance.choice([100, 2_000, 200_000])
    return raw.replace(b'"deep"', b"[" * depth + b"]" * depth, 1)


def damage_bytes(raw: bytes, chance: random.Random) -> bytes:
    """Change bytes at random: flip, cut, repeat, insert, blank."""
    data = bytearray(raw)
    how = chance.randrange(9)
    at = chance.randrange(len(data) + 1)
    if how == 0:
        return bytes(data[:at])
    if how == 1:
        return bytes(data[at:])
    if how == 2:
        return b""
    if how == 3:
        return chance.randbytes(chance.choice([1, 8, 4096]))
    if how == 4:
        return bytes(data[:at] + chance.randbytes(chance.choice([1, 3, 64])) + data[at:])
    if how == 5:
        return bytes(data[:at] + data[at : at + 500] + data[at:])
    if how == 6:
        data[at : at + 64] = bytes(len(data[at : at + 64]))
        return bytes(data)
    for _ in range(chance.choice([1, 1, 2, 8])):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def damage_lines(raw: bytes, chance: random.Random) -> bytes:
    """Change the lines of a text: swap, drop, repeat, replace a value after `:` or between commas."""
    lines = raw.decode("utf-8", errors="replace").split("\n")
    for _ in range(chance.choice([1, 1, 2, 4])):
        at = chance.randrange(len(lines))
        how = chance.randrange(6)
        if how == 0 and len(lines) > 1:
            del lines[at]
        elif how == 1:
            lines.insert(at, lines[chance.randrange(len(lines))])
        elif how == 2:
            lines[at] = " " * chance.randrange(5) + lines[at]
        else:
            mark = ":" if ":" in lines[at] else ","
            cells = lines[at].split(mark)
            cells[chance.randrange(len(cells))] = f" {odd_value(chance)}"
            lines[at] = mark.join(cells)
    return "\n".join(lines).encode("utf-8", errors="replace")


def put_something_else(path: Path, chance: random.Random) -> None:
    """Put something in the place of a file that is no regular file of that content, or nothing."""
    path.unlink()
    how = chance.randrange(7)
    if how == 0:
        path.mkdir()
    elif how == 1:
        os.mkfifo(path)
    elif how == 2:
        path.symlink_to("/dev/zero")
    elif how == 3:
        path.symlink_to(path)
    elif how == 4:
        path.symlink_to(path.with_name("nothing"))
    elif how == 5:
        with path.open("wb") as file:  # sparse: three gigabytes that take no room
            file.truncate(3 * 2**30)


def damage_parquet(raw: bytes, chance: random.Random, key: bytes = b"lstm_stock") -> bytes:
    """Change the table or the metadata of a Parquet file, and write it as a whole, readable file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(pa.BufferReader(raw)).read(use_threads=False)
    metadata = dict(table.schema.metadata or {})
    how = chance.randrange(10)
    names = table.column_names
    name = chance.choice(names)
    at = names.index(name)
    if how < 4 and key in metadata:
        facts = damage_tree(json.loads(metadata[key]), chance)
        metadata[key] = json_bytes(facts, chance)
    elif how == 4:
        table = table.drop_columns([name])
    elif how == 5:
        table = table.rename_columns([chance.choice(["x", "date", one]) for one in names])
    elif how == 6:
        kind = chance.choice(
            [pa.string(), pa.large_string(), pa.float32(), pa.int8(), pa.timestamp("ns", "UTC")]
        )
        try:
            column = table[name].cast(kind, safe=False)
        except pa.ArrowException:
            column = pa.array([odd_text(chance)] * len(table))
        table = table.set_column(at, name, column)
    elif how == 7:
        table = table.slice(0, chance.choice([0, 1, len(table) // 2]))
    elif how == 8:
        kind = table.schema.field(at).type
        values = table[name].to_pylist()
        odd = chance.choice(ODD_NUMBERS)
        for _ in range(chance.choice([1, len(values)])):
            values[chance.randrange(len(values))] = odd if pa.types.is_floating(kind) else None
        try:
            table = table.set_column(at, name, pa.array([None if v is None else v for v in values], kind))
        except (pa.ArrowException, OverflowError, TypeError):
            table = table.slice(1)
    else:
        rows = list(range(len(table)))
        chance.shuffle(rows)
        table = table.take(pa.array(rows[: chance.randrange(1, len(rows) + 1)]))
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), buffer)
    return buffer.getvalue()


def odd_text(chance: random.Random) -> str:
    """Return an odd text that UTF-8 can encode."""
    return chance.choice([text for text in ODD_TEXTS if text.isprintable() and text.isascii()])


def damage_keras(raw: bytes, chance: random.Random) -> bytes:
    """Change the description of a saved network, and write a whole archive with it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(buffer, "w") as new:
        for one in old.namelist():
            content = old.read(one)
            if one == "config.json":
                content = json_bytes(damage_tree(json.loads(content), chance), chance)
            new.writestr(one, content)
    return buffer.getvalue()


def damage_onnx(raw: bytes, chance: random.Random) -> bytes:
    """Change weights of an ONNX file to odd ones, or one of its shapes, and write it as a readable file."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model_from_string(raw)
    weights = model.graph.initializer
    one = chance.choice(list(weights))
    values = np.array(numpy_helper.to_array(one))
    how = chance.randrange(4)
    if how == 0 and values.dtype == np.float32 and values.size:
        values.flat[chance.randrange(values.size)] = chance.choice([np.nan, np.inf, 1e38, -1e30])
    elif how == 1 and values.dtype == np.float32:
        values = values * np.float32(chance.choice([1e20, -1e6, 0.0]))
    elif how == 2:
        values = np.resize(values, [chance.choice([1, 2, axis + 1]) for axis in values.shape])
    else:
        shape = model.graph.output[0].type.tensor_type.shape
        shape.dim[chance.randrange(len(shape.dim))].dim_value = chance.choice([1, 3, 2**31 - 1])
    one.CopyFrom(numpy_helper.from_array(values, one.name))
    return bytes(model.SerializeToString())


Damage = Callable[[bytes, random.Random], bytes]


def damage_file(path: Path, chance: random.Random, own: Damage | None = None) -> None:
    """Damage a file in one of the ways above; `own` is that of its format."""
    if chance.random() < 0.06:
        put_something_else(path, chance)
        return
    raw = path.read_bytes()
    how = own if own is not None and chance.random() < 0.75 else damage_bytes
    path.write_bytes(how(raw, chance))


def damage_json(raw: bytes, chance: random.Random) -> bytes:
    """Damage the tree of a JSON file."""
    return json_bytes(damage_tree(json.loads(raw), chance), chance)


BY_SUFFIX: dict[str, Damage] = {
    ".json": damage_json,
    ".yaml": damage_lines,
    ".csv": damage_lines,
    ".jsonl": damage_lines,
    ".parquet": damage_parquet,
    ".keras": damage_keras,
    ".onnx": damage_onnx,
}


def copy_folder(source: Path, target: Path) -> Path:
    """Copy a folder without its figures."""
    return Path(shutil.copytree(source, target, ignore=shutil.ignore_patterns("plots"), symlinks=True))
