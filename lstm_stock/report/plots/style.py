"""Shared by all figures: style, lines of the models, rows of a table, writing a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from lstm_stock.atomic import temporary_dir
from lstm_stock.errors import DataError, RunError

NAIVE = "naive"

SIZE, DPI = (12.0, 7.0), 100
"""Inches and dots per inch: 1200 pixels wide."""

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.labelsize": 13,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "figure.constrained_layout.h_pad": 0.12,
    "figure.constrained_layout.w_pad": 0.15,
    "figure.titlesize": 15,
    "font.size": 12,
    "grid.alpha": 0.6,
    "grid.color": "0.85",
    "legend.fontsize": 12,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "lines.linewidth": 1.6,
    "lines.markersize": 7,
    # A fixed salt gives the same figure the same element names in an SVG.
    "svg.hashsalt": "lstm-stock",
    # A ticker may contain a dollar sign.
    "text.parse_math": False,
}

BAND = "0.80"
DIM = "0.45"


@dataclass(frozen=True)
class Line:
    """Colour, dash and marker of one model, the same in every figure."""

    color: str
    linestyle: str | tuple[int, tuple[float, ...]]
    marker: str

    def settings(self) -> dict[str, Any]:
        """Return the arguments of `Axes.plot`."""
        return {"color": self.color, "linestyle": self.linestyle, "marker": self.marker}


NETWORK_LINE = Line("black", "-", "o")
BASELINE_LINES = {
    "naive": Line("#7a7a7a", (0, (5, 2)), "s"),
    "drift": Line("#56b4e9", (0, (1, 1.5)), "v"),
    "constant_t": Line("#e69f00", (0, (6, 2, 1, 2)), "D"),
    "historical": Line("#a6761d", (0, (1, 4.5)), "p"),
    "arima": Line("#d55e00", (0, (2, 2)), "+"),
    "ewma": Line("#0072b2", (0, (9, 3)), "^"),
    "ewma_drift": Line("#5ab4ac", (0, (9, 2, 1, 2)), ">"),
    "garch": Line("#7b3294", (0, (7, 1.5)), "h"),
    "gjr": Line("#c51b7d", (0, (4, 1.5, 1, 1.5, 1, 1.5)), "8"),
    "har_range_t": Line("#1b7837", (0, (12, 2)), "d"),
    "lhar_t": Line("#8c2d04", (0, (12, 2, 3, 2)), "<"),
    "har_market_t": Line("#4d4d00", (0, (12, 2, 1, 2, 1, 2)), "H"),
    "seasonal_naive": Line("#e69f00", (0, (6, 2, 1, 2)), "D"),
    "ets": Line("#0072b2", (0, (9, 3)), "^"),
    "ar": Line("#1b7837", (0, (12, 2)), "d"),
}
"""Fixed lines of the baselines; colours after Okabe & Ito 2008, with different lightness."""

OTHER_LINES = (
    Line("#d55e00", (0, (3, 1)), "P"),
    Line("#009e73", (0, (1, 3)), "X"),
    Line("#cc79a7", (0, (8, 2, 1, 2, 1, 2)), "*"),
    Line("#5a3d8a", (0, (4, 4)), "2"),
)


def save_figure(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `<name>.png` and `<name>.svg` atomically, replacing existing files.

    The same figure gives the same bytes.

    Returns:
        The two paths.

    Raises:
        RunError: The folder cannot be made or written to.
    """
    # The layout is computed once: a second pass would shift the panels slightly.
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    paths = folder / f"{name}.png", folder / f"{name}.svg"
    path = paths[0]
    try:
        # In a folder of its own: another process may be drawing the same figure.
        with temporary_dir(folder) as building:
            for path in paths:
                _write(figure, building / path.name)
                (building / path.name).replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"cannot write {path}: {reason}", "choose another folder with `--output`") from error
    return paths


def _write(figure: Figure, path: Path) -> None:
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with mpl.rc_context(STYLE), path.open("wb") as file:
        figure.savefig(file, format=path.suffix[1:], dpi=DPI, metadata=metadata)


def blank_figure(
    n_rows: int, n_columns: int, heights: Sequence[float] | None = None, widths: Sequence[float] | None = None
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure and its panels, row by row; the panels of one column share their x axis."""
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    grid = figure.subplots(
        n_rows, n_columns, sharex="col", squeeze=False, height_ratios=heights, width_ratios=widths
    )
    return figure, list(grid.ravel())


def set_title(figure: Figure, text: str) -> None:
    """Set the title of the figure, at its top left."""
    figure.suptitle(text, x=0.012, ha="left")


def rows_of(forecasts: pd.DataFrame, ticker: str, model: str) -> pd.DataFrame:
    """Return one model's rows one step ahead, sorted by date.

    Raises:
        DataError: There is no such row.
    """
    chosen = (forecasts["ticker"] == ticker) & (forecasts["model"] == model) & (forecasts["step"] == 1)
    if not chosen.any():
        raise DataError(f"there is no forecast of {model} on {ticker} at step 1", contents_text(forecasts))
    return forecasts[chosen].sort_values("date")


def contents_text(table: pd.DataFrame) -> str:
    """List the tickers, models and steps of a table."""
    contents = [f"{name} {', '.join(map(str, table[name].unique()))}" for name in ("ticker", "model", "step")]
    return f"the table has {'; '.join(contents)}"


def lines_of(models: Iterable[str], network: str) -> dict[str, Line]:
    """Return the line of each model: the network's first, then those of `models` in order."""
    names = list(dict.fromkeys([network, *models]))
    others = [name for name in names if name != network and name not in BASELINE_LINES]
    assigned = {name: OTHER_LINES[i % len(OTHER_LINES)] for i, name in enumerate(others)}
    lines = {**BASELINE_LINES, **assigned, network: NETWORK_LINE}
    return {name: lines[name] for name in names}


def date_axis(axes: Axes) -> None:
    """Label the x axis with at most nine short dates."""
    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    # The formatter writes year and month, which its short labels leave out, at the end of the axis.
    axes.xaxis.get_offset_text().set_visible(True)


def note(axes: Axes, text: str, y: float = 0.5) -> None:
    """Write into the horizontal centre of a panel, at height `y` (0 to 1)."""
    box = {"facecolor": "white", "edgecolor": "0.6", "boxstyle": "round"}
    axes.text(0.5, y, text, transform=axes.transAxes, ha="center", va="bottom", bbox=box)
