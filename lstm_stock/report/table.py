"""The look of every table that a command prints."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import JustifyMethod
    from rich.table import Table


def new_table(
    header: Sequence[str],
    left: Collection[str],
    title: str = "",
    wrapped: Mapping[str, int] | None = None,
) -> Table:
    """Return a table without rows.

    Args:
        header: Names of the columns.
        left: Columns that are aligned left; the others are aligned right.
        title: Line above the table; it may be longer than the table is wide.
        wrapped: Width in characters of each column whose text wraps; the others never wrap.
    """
    # Imported here, since JSON and CSV do without.
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, "table.title", no_wrap=True, overflow="ignore") if title else None,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
        padding=(0, 1, 0, 0),  # two spaces between columns, one of them from the box
    )
    widths = wrapped or {}
    for name in header:
        justify: JustifyMethod = "left" if name in left else "right"
        table.add_column(name, justify=justify, width=widths.get(name), no_wrap=name not in widths)
    return table
