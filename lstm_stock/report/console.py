"""What the commands print: tables on stdout, notes and warnings on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

MAX_WIDTH = 1000
"""Maximum width of a table, in characters."""


def note(text: str, quiet: bool) -> None:
    """Print to stderr, unless `quiet`."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Print a warning to stderr, also when the user asked for quiet."""
    print(f"warning: {text}", file=sys.stderr, flush=True)


def show(table: Table) -> None:
    """Print a table to stdout, in its full width: a narrow terminal wraps the lines, and no number is cut."""
    from rich.console import Console  # JSON and CSV do without

    console = Console(highlight=False, emoji=False)  # loads no table of a thousand emoji
    unlimited = console.options.update(width=MAX_WIDTH)
    widths = [console.measure(each, options=unlimited).maximum for each in (table, table.title) if each]
    console.width = max(console.width, *widths)
    with console.capture() as capture:
        console.print(table)
    # rich pads every line with spaces to the width of the table, and prints no blank line below a caption.
    text = "\n".join(line.rstrip() for line in capture.get().splitlines())
    print(f"{text}\n" if table.caption else text)
