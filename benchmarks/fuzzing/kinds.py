"""The kinds of cases: each makes a damaged input in an empty folder, and names the command that reads it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from fuzzing import damage
from fuzzing.world import World, random_bars

Answered = Callable[[str], str]
"""Says what is wrong with the output of a command that ended well; an empty text for nothing."""


@dataclass(frozen=True)
class Case:
    """A command on a damaged input.

    Attributes:
        arguments: Those of `lstm-stock`.
        check: What its output must be like if it answers.
    """

    arguments: list[str]
    check: Answered = lambda _: ""


Kind = Callable[[World, Path, random.Random], Case]

RUN_PARTS = (
    *("config.yaml", "scores.json", "provenance.json", "scaler.json", "calibration.json", "pooled.json"),
    *("history.csv", "forecasts.parquet", "model.onnx", "model.keras"),
)
NO_CALIBRATION = ("scores.json", "pooled.json", "history.csv", "forecasts.parquet", "model.keras")
"""Files that `predict` does not read."""


def ordered_forecast(out: str) -> str:
    """Check the JSON of `predict`: every number finite, every interval around the median and inside the next."""
    for row in json.loads(out):
        ends = [row[f"lo_{level}"] for level in (95, 90, 80, 50)] + [row["y_pred"]]
        ends += [row[f"hi_{level}"] for level in (50, 80, 90, 95)]
        if any(end is None or not np.isfinite(end) for end in ends):
            return f"a forecast that is not finite: {ends}"
        if any(a > b for a, b in pairwise(ends)) or ends[0] < 0:
            return f"a forecast that is not in order: {ends}"
    return ""


def _same_as(expected: str, what: str) -> Answered:
    return lambda out: "" if out == expected else f"{what} is not that of the undamaged input"


def _folders(world: World, data: Path | None = None, runs: Path | None = None) -> list[str]:
    return ["--data-dir", str(data or world.data), "--runs-dir", str(runs or world.runs)]


def _copied_run(world: World, work: Path, chance: random.Random) -> Path:
    return damage.copy_folder(world.runs / chance.choice(["one", "two"]), work / "runs" / "broken")


def _run_case(world: World, work: Path, chance: random.Random, commands: tuple[str, ...]) -> Case:
    runs = work / "runs"
    command = chance.choice(commands)
    if command == "runs":
        (runs / "good").symlink_to(world.runs / "one")
        return Case(
            ["runs", "--runs-dir", str(runs)],
            lambda out: "" if "good" in out else "the good run beside it is not listed",
        )
    if command == "predict":
        arguments = [
            "predict",
            *chance.choice([[], ["AAPL"], ["BETA"]]),
            "--run",
            "broken",
            "--format",
            "json",
        ]
        return Case([*arguments, *_folders(world, runs=runs)], ordered_forecast)
    if command == "evaluate":
        arguments = ["evaluate", "broken", "--start", "2023-10-02", "--format", "csv", "--quiet"]
        return Case([*arguments, *_folders(world, runs=runs)])
    if command == "plot":
        arguments = ["plot", "broken", "--quiet", "--output", str(work / "figures")]
        return Case([*arguments, *_folders(world, runs=runs)])
    if command == "export":
        return Case(["export", "broken", "--output", str(work / "out"), "--runs-dir", str(runs), "--quiet"])
    return Case(["leakcheck", "broken", "--quiet", *_folders(world, runs=runs)])


def run_file(world: World, work: Path, chance: random.Random) -> Case:
    """A file of a run is damaged."""
    run = _copied_run(world, work, chance)
    file = chance.choice(RUN_PARTS[:6] * 2 + RUN_PARTS)
    damage.damage_file(run / file, chance, damage.BY_SUFFIX[Path(file).suffix])
    _forget_hashes(run, file, chance)
    return _run_case(world, work, chance, ("predict", "predict", "runs", "runs"))


def run_file_slow(world: World, work: Path, chance: random.Random) -> Case:
    """A file of a run is damaged, and read by the commands that take seconds."""
    run = _copied_run(world, work, chance)
    file = chance.choice(RUN_PARTS)
    damage.damage_file(run / file, chance, damage.BY_SUFFIX[Path(file).suffix])
    _forget_hashes(run, file, chance)
    return _run_case(world, work, chance, ("plot", "plot", "evaluate", "leakcheck", "export"))


def network_file(world: World, work: Path, chance: random.Random) -> Case:
    """The network of a run is damaged, and the provenance knows its new hash, or none."""
    run = _copied_run(world, work, chance)
    file = chance.choice(("model.onnx", "model.onnx", "model.keras"))
    if file == "model.keras":
        (run / "model.onnx").unlink()
    damage.damage_file(run / file, chance, damage.BY_SUFFIX[Path(file).suffix])
    _forget_hashes(run, file, chance, always=True)
    return _run_case(world, work, chance, ("predict",))


def _forget_hashes(run: Path, file: str, chance: random.Random, always: bool = False) -> None:
    """Let the provenance of a run name the hash of a damaged file, so that its content is what must be refused."""
    path = run / "provenance.json"
    if file == "provenance.json" or (not always and chance.random() < 0.2):
        return
    found = json.loads(path.read_text())
    for hashes in (found.get("network_hashes", {}), found.get("file_hashes", {})):
        if file in hashes and (run / file).is_file() and not (run / file).is_symlink():
            hashes[file] = hashlib.sha256((run / file).read_bytes()[: 2**26]).hexdigest()
    path.write_text(json.dumps(found))


def pretrained_file(world: World, work: Path, chance: random.Random) -> Case:
    """A file of a folder of pretrained networks is damaged."""
    folder = work / "nets"
    folder.mkdir()
    shutil.copy(world.pretrained / "card.json", folder)
    shutil.copytree(world.pretrained / "own", folder / "own")
    if chance.random() < 0.15:
        damage.damage_file(folder / "card.json", chance, damage.damage_json)
    else:
        file = chance.choice(
            ("config.yaml", "provenance.json", "scaler.json", "calibration.json", "model.onnx")
        )
        damage.damage_file(folder / "own" / file, chance, damage.BY_SUFFIX[Path(file).suffix])
        _forget_hashes(folder / "own", file, chance)
    arguments = ["predict", "AAPL", "--run", str(folder), "--format", "json"]
    return Case([*arguments, *_folders(world)], ordered_forecast)


def backtest_file(world: World, work: Path, chance: random.Random) -> Case:
    """A file of a backtest is damaged, beside a good run."""
    folder = damage.copy_folder(world.runs / "folds", work / "runs" / "folds")
    file = chance.choice([path for path in sorted(folder.iterdir()) if path.is_file()])
    damage.damage_file(file, chance, damage.BY_SUFFIX[file.suffix])
    return _run_case(world, work, chance, ("runs",))


def store_file(world: World, work: Path, chance: random.Random) -> Case:
    """A file of the store is damaged."""
    data = work / "data"
    (data / "prices").mkdir(parents=True)
    for name in ("AAPL", "BETA"):
        shutil.copy(world.data / "prices" / f"{name}.parquet", data / "prices")
    damage.damage_file(data / "prices" / "BETA.parquet", chance, damage.damage_parquet)
    command = chance.choice(("list", "show", "show", "check", "export", "predict"))
    if command == "predict":
        arguments = ["predict", "BETA", "--run", "two", "--format", "json", *_folders(world, data=data)]
        return Case(arguments, ordered_forecast)
    if command == "list":
        return Case(
            ["data", "--data-dir", str(data)], lambda out: "" if "AAPL" in out else "AAPL is not listed"
        )
    if command == "check":
        return Case(["data", "check", "--data-dir", str(data)])
    if command == "export":
        return Case(["data", "export", "BETA", "--data-dir", str(data)], _bars_of(world))
    return Case(
        ["data", "show", "BETA", "--data-dir", str(data), "--format", "csv", "--tail", "9999"],
        _bars_of(world),
    )


def _bars_of(world: World) -> Answered:
    expected = pd.read_csv(world.root / "beta.csv")

    def check(out: str) -> str:
        import io

        found = pd.read_csv(io.StringIO(out))
        same = list(found["date"]) == list(expected["Date"]) and np.allclose(
            found["close"], expected["Close"]
        )
        return "" if same else "bars that were not written"

    return check


def journal_file(world: World, work: Path, chance: random.Random) -> Case:
    """A file of a journal is damaged."""
    folder = damage.copy_folder(world.journal, work / "journal")
    file = chance.choice([path for path in sorted(folder.iterdir()) if path.suffix in (".json", ".jsonl")])
    before = file.read_bytes()
    damage.damage_file(file, chance, damage.BY_SUFFIX[file.suffix])
    changed = not file.is_file() or file.read_bytes() != before
    command = chance.choice(("verify", "score", "append"))
    if command == "verify":
        cut = file.is_file() and before.startswith(file.read_bytes()) and file.suffix == ".jsonl"

        def check(_: str) -> str:
            return "a changed journal is called whole" if changed and not cut else ""

        return Case(["journal", "verify", "--journal-dir", str(folder)], check)
    if command == "score":
        return Case(
            ["journal", "--journal-dir", str(folder), "--data-dir", str(world.data), "--format", "json"]
        )
    arguments = [
        "predict",
        "AAPL",
        "--run",
        "one",
        "--journal",
        "--journal-dir",
        str(folder),
        "--format",
        "csv",
    ]
    return Case([*arguments, *_folders(world)])


def csv_as_found(world: World, work: Path, chance: random.Random) -> Case:
    """A CSV in one of many layouts; what is read must be what was written."""
    table = random_bars(chance.choice([30, 60, 250]), seed=chance.randrange(10**6))
    table = table.round(chance.choice([2, 3, 4]))
    scale = chance.choice([0.01, 1, 1, 40, 3000])
    for name in ("Open", "High", "Low", "Close"):
        table[name] = (table[name] * scale).round(4)
    dates = pd.to_datetime(table["Date"])
    # A date of day and month in either order must show its order: both are among the days above 12.
    style = chance.choice(["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%b %d, %Y", "%d-%b-%Y"])
    shown = table.assign(Date=dates.dt.strftime(style))
    if chance.random() < 0.3:
        shown = shown.iloc[::-1]
    if chance.random() < 0.3:
        shown.columns = [chance.choice([str.lower, str.upper, str.title])(name) for name in shown.columns]
    separator = chance.choice([",", ",", ";", "\t", "|"])
    comma = separator != "," and chance.random() < 0.4
    text = shown.to_csv(
        index=False,
        sep=separator,
        decimal="," if comma else ".",
        lineterminator=chance.choice(["\n", "\r\n"]),
    )
    encoding = chance.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
    path = work / "t.csv"
    path.write_bytes(text.encode(encoding))
    data = work / "data"
    expected = table.sort_values("Date")

    def check(_: str) -> str:
        from lstm_stock.prices.store import Store

        found = Store(data).read("T").table
        if [f"{day:%F}" for day in found.index] != list(expected["Date"]):
            return "other dates than those of the file"
        for name in ("Open", "High", "Low", "Close", "Volume"):
            if not np.allclose(found[name.lower()], expected[name], rtol=1e-12):
                return f"other numbers than those of the file in {name}"
        return ""

    return Case(["fetch", "T", "--from-csv", str(path), "--data-dir", str(data), "--quiet"], check)


def csv_damaged(world: World, work: Path, chance: random.Random) -> Case:
    """A CSV with damage: what is stored must be prices that can be read back."""
    raw = random_bars(60, seed=chance.randrange(10**6)).to_csv(index=False).encode()
    for _ in range(chance.choice([1, 1, 2])):
        raw = (damage.damage_lines if chance.random() < 0.7 else damage.damage_bytes)(raw, chance)
    path, data = work / "t.csv", work / "data"
    path.write_bytes(raw)
    if chance.random() < 0.03:
        damage.put_something_else(path, chance)

    def check(_: str) -> str:
        from lstm_stock.prices.store import Store

        found = Store(data).read("T").table
        return "" if np.isfinite(found.to_numpy()).all() else "numbers that are not finite"

    return Case(["fetch", "T", "--from-csv", str(path), "--data-dir", str(data), "--quiet"], check)


def config_file(world: World, work: Path, chance: random.Random) -> Case:
    """A config file is damaged."""
    raw = (world.runs / "two" / "config.yaml").read_bytes()
    for _ in range(chance.choice([1, 2])):
        raw = (damage.damage_lines if chance.random() < 0.6 else damage.damage_bytes)(raw, chance)
    path = work / "c.yaml"
    path.write_bytes(raw)
    if chance.random() < 0.03:
        damage.put_something_else(path, chance)
    return Case(["config", "show", "--config", str(path)])


def override(world: World, work: Path, chance: random.Random) -> Case:
    """A string for `--set` is made of odd parts."""
    keys = (
        "model.units",
        "window.look_back",
        "data.tickers",
        "training.epochs",
        "features",
        "seed",
        "model",
        "split.test",
        "calibration",
        "x.y",
        "",
    )
    parts = (
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        "&a",
        "*a",
        "!!python/object:x",
        "'",
        '"',
        "#",
        "- ",
        "|",
        "\t",
        "1_000",
        "0x10",
        "1e400",
        "~",
        "é",
        "\x07",
    )
    value = "".join(
        chance.choice(parts) if chance.random() < 0.5 else str(damage.odd_value(chance))
        for _ in range(chance.randrange(1, 5))
    )
    text = f"{chance.choice(keys)}{chance.choice(['=', '=', '=', '', '=='])}{value}"
    text = "".join(one for one in text if one != "\0" and not 0xD800 <= ord(one) < 0xE000)
    return Case(["config", "show", "--set", text])


def command_line(world: World, work: Path, chance: random.Random) -> Case:
    """Names, numbers and dates of a command line are odd; so are the names of files beside what it reads."""
    runs = work / "runs"
    runs.mkdir()
    (runs / "good").symlink_to(world.runs / "one")
    odd = chance.choice(
        [
            *(text.replace("\0", "") for text in damage.ODD_TEXTS if "\ud800" not in text),
            *(
                "x" * 5_000,
                os.fsdecode(b"\xff\xfe"),
                "a/" * 3_000,
                "good/",
                "./good",
                str(work),
                "/dev/null",
                "-1",
            ),
            *("20200101", "1" * 30, "0", "1e3", "AAPL", "aapl", "^VIX", "good"),
        ]
    )
    if (
        chance.random() < 0.5
        and 0 < len(os.fsencode(odd)) < 250
        and "/" not in odd
        and odd not in (".", "..", "good")
    ):
        shutil.copytree(world.runs / "one", runs / odd)
    fixed = ["--data-dir", str(world.data)]
    runs_dir = ["--runs-dir", str(runs)]
    options = {
        "runs": ["runs", *runs_dir],
        "runs of": ["runs", "--runs-dir", odd],
        "predict": ["predict", "--run", odd, "--format", "csv", *fixed, *runs_dir],
        "ticker": ["predict", odd, "--run", "good", "--format", "csv", *fixed, *runs_dir],
        "cutoff": ["predict", "--run", "good", "--cutoff", odd, "--format", "csv", *fixed, *runs_dir],
        "ask": ["predict", "--run", "good", "--ask", odd, *fixed, *runs_dir],
        "dividend": ["predict", "--run", "good", "--dividend", odd, "--format", "csv", *fixed, *runs_dir],
        "tail": ["data", "show", "AAPL", "--tail", odd, *fixed],
        "show": ["data", "show", odd, *fixed],
        "data": ["data", "--data-dir", odd],
        "export": ["data", "export", "BETA", str(work / odd) if odd else odd, *fixed],
        "journal": ["journal", "--journal-dir", odd, *fixed],
        "verify": ["journal", "verify", "--journal-dir", odd],
        "csv": ["fetch", "T", "--from-csv", odd, "--data-dir", str(work / "data"), "--quiet"],
        "name": [
            "fetch",
            odd,
            "--from-csv",
            str(world.root / "beta.csv"),
            "--data-dir",
            str(work / "d"),
            "--quiet",
        ],
    }
    return Case(options[chance.choice(sorted(options))])


KINDS: dict[str, tuple[Kind, float]] = {
    "file of a run": (run_file, 0.26),
    "file of a run, slow commands": (run_file_slow, 0.004),
    "network of a run, with its hash": (network_file, 0.08),
    "file of pretrained networks": (pretrained_file, 0.06),
    "file of a backtest": (backtest_file, 0.02),
    "file of the store": (store_file, 0.15),
    "file of a journal": (journal_file, 0.08),
    "CSV as found": (csv_as_found, 0.08),
    "CSV with damage": (csv_damaged, 0.08),
    "config file": (config_file, 0.07),
    "`--set`": (override, 0.07),
    "command line": (command_line, 0.046),
}
"""Each kind with its share of the cases."""
