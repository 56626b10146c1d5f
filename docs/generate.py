"""Generate files from the code: the CLI reference, the JSON Schema, the configs at the top level.

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

    from lstm_stock.cli import app

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


def generated() -> dict[Path, str]:
    """Return the path and the text of every generated file."""
    from lstm_stock.config import json_schema, packaged_config, packaged_config_names

    files = {ROOT / "docs/cli.md": cli_reference(), ROOT / "configs/schema.json": json_schema()}
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
