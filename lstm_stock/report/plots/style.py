"""What all figures share: style, lines of the models, rows of a table, writing a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from lstm_stock.atomic import write_file
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
    # Element names in an SVG are hashes of this: the same figure is the same file.
    "svg.hashsalt": "lstm-stock",
    # A ticker may hold a dollar sign.
    "text.parse_math": False,
}

BAND = "0.80"
DIM = "0.45"


@dataclass(frozen=True)
class Line:
    """How one model is drawn wherever it appears."""

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
    "har_market_t": Line("#4d4d00", (0, (12, 2, 1, 2, 1, 2)), "H"),
}
"""Fixed for the baselines of every run (colours of Okabe & Ito 2008, of unlike lightness)."""

OTHER_LINES = (
    Line("#d55e00", (0, (3, 1)), "P"),
    Line("#009e73", (0, (1, 3)), "X"),
    Line("#cc79a7", (0, (8, 2, 1, 2, 1, 2)), "*"),
    Line("#5a3d8a", (0, (4, 4)), "<"),
)


def save_figure(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `<name>.png` and `<name>.svg`, each whole or not at all, replacing what was there.

    The same figure gives the same bytes: no date, and element names that are hashes of the content.

    Returns:
        The two paths.

    Raises:
        RunError: The folder cannot be made or written to.
    """
    # Laid out anew at every drawing, panels would creep by a hair each time.
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    paths = folder / f"{name}.png", folder / f"{name}.svg"
    for path in paths:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(figure, path)
        except OSError as error:
            reason = error.strerror or error
            raise RunError(
                f"cannot write {path}: {reason}", "choose another folder with `--output`"
            ) from error
    return paths


def _write(figure: Figure, path: Path) -> None:
    metadata = {"Date": None} if path.suffix == ".svg" else None

    def save(file: BinaryIO) -> None:
        with mpl.rc_context(STYLE):
            figure.savefig(file, format=path.suffix[1:], dpi=DPI, metadata=metadata)

    write_file(path, save, fsync=False)


def blank_figure(
    n_rows: int, n_columns: int, heights: Sequence[float] | None = None, widths: Sequence[float] | None = None
) -> tuple[Figure, list[Axes]]:
    """Return a figure of the usual size and its panels, row by row; panels of one column share their x axis."""
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    grid = figure.subplots(
        n_rows, n_columns, sharex="col", squeeze=False, height_ratios=heights, width_ratios=widths
    )
    return figure, list(grid.ravel())


def set_title(figure: Figure, text: str) -> None:
    """Say what is seen, above everything, from the left edge."""
    figure.suptitle(text, x=0.012, ha="left")


def rows_of(forecasts: pd.DataFrame, ticker: str, model: str, step: int) -> pd.DataFrame:
    """Return one model's rows at one step, in order of date; DataError if there is none."""
    chosen = (forecasts["ticker"] == ticker) & (forecasts["model"] == model) & (forecasts["step"] == step)
    if not chosen.any():
        raise DataError(f"there is no forecast of {model} on {ticker} at step {step}", known(forecasts))
    return forecasts[chosen].sort_values("date")


def known(table: pd.DataFrame) -> str:
    """Say which tickers, models and steps a table has."""
    found = [f"{name} {', '.join(map(str, table[name].unique()))}" for name in ("ticker", "model", "step")]
    return f"the table has {'; '.join(found)}"


def lines_of(models: Iterable[str], network: str) -> dict[str, Line]:
    """Return how each model is drawn: the network first, baselines always alike, the rest in order."""
    names = list(dict.fromkeys([network, *models]))
    others = [name for name in names if name != network and name not in BASELINE_LINES]
    spare = {name: OTHER_LINES[i % len(OTHER_LINES)] for i, name in enumerate(others)}
    drawn = {**BASELINE_LINES, **spare, network: NETWORK_LINE}
    return {name: drawn[name] for name in names}


def date_axis(axes: Axes) -> None:
    """Label the x axis with few, short dates."""
    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def note(axes: Axes, text: str, y: float = 0.5) -> None:
    """Write into the middle of a panel, its baseline at height `y`."""
    box = {"facecolor": "white", "edgecolor": "0.6", "boxstyle": "round"}
    axes.text(0.5, y, text, transform=axes.transAxes, ha="center", va="bottom", bbox=box)
