"""Generate files from the code: the CLI reference, the JSON Schema, the configs at the top level, the model card.

`python docs/generate.py` writes them; `python docs/generate.py --check` lists those that are out of date,
with exit code 1 if there are any. A test compares them too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
HELP_WIDTH = 100


def cli_reference() -> str:
    """Return docs/cli.md: the `--help` of every command."""
    import typer

    from lstm_stock.cli.commands import app

    parts = ["# Command line reference", "Generated from `--help` by `make docs`; do not edit."]
    parts += _sections(typer.main.get_command(app), "lstm-stock", None)
    return "\n\n".join(parts) + "\n"


def _sections(command: Any, name: str, parent: Any) -> list[str]:
    """Return heading and help of a command and its subcommands."""
    width = {"terminal_width": HELP_WIDTH, "max_content_width": HELP_WIDTH}
    context = command.make_context(name, [], parent=parent, resilient_parsing=True, **width)
    sections = [f"## {context.command_path}", f"```text\n{command.get_help(context).rstrip()}\n```"]
    for child_name, child in getattr(command, "commands", {}).items():
        sections += _sections(child, child_name, context)
    return sections


def model_card() -> str:
    """Return docs/universal-card.md: how the networks in the package were made, from their own files."""
    from lstm_stock.runs.pretrained import packaged_networks

    card = packaged_networks().card
    rows = [
        ("tickers", f"{len(card['tickers'])}: {', '.join(card['tickers'])}"),
        ("covariates", ", ".join(card["covariates"])),
        ("bars", f"{card['trained_from']} to {card['trained_to']}"),
        ("made", card["created"]),
        ("steps, bars of a window", f"{card['horizon']}, {card['look_back']}"),
        ("seed, members", f"{card['seed']}, {card['members']}"),
        ("SHA-256 of the hashes of all prices", f"`{card['prices']}`"),
        ("packages", ", ".join(f"{name} {version}" for name, version in card["packages"].items())),
        ("Python", card["python"]),
    ]
    parts = [
        "# The universal networks: how they were made",
        "Generated from `lstm_stock/universal/card.json` by `make docs`; do not edit. "
        "[universal.md](universal.md) "
        "has their scores, and what they must not be used for. The config of each network is `config.yaml` in its "
        "folder, that of all of them [universal.yaml](../configs/universal.yaml).",
        "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]),
    ]
    for name, one in card["networks"].items():
        inputs = ", ".join(f"`{feature}`" for feature in one["inputs"])
        files = "\n".join(f"| `{file}` | `{sha256}` |" for file, sha256 in one["files"].items())
        parts += [
            f"## {name}",
            f"{one['n_params']:,} weights. Inputs: {inputs}",
            f"| file | SHA-256 |\n|---|---|\n{files}",
        ]
    return "\n\n".join(parts) + "\n"


def generated() -> dict[Path, str]:
    """Return the path and the text of every generated file."""
    from lstm_stock.config import json_schema, packaged_config, packaged_config_names

    files = {ROOT / "docs/cli.md": cli_reference(), ROOT / "configs/schema.json": json_schema()}
    files[ROOT / "docs/universal-card.md"] = model_card()
    for name in packaged_config_names():
        files[ROOT / f"configs/{name}.yaml"] = packaged_config(name)
    return files


def main() -> int:
    """Write or check; return the exit code."""
    stale = [
        path
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if "--check" in sys.argv:
            print(f"{path.relative_to(ROOT)} is out of date: run `make docs`")
        else:
            path.write_text(generated()[path], encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
