"""The figure of a training: loss by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lstm_stock.report.plots.style import DIM, STYLE, blank_figure, set_title

LABEL_WIDTH = 0.1
"""Width of the label of a learning-rate cut, as a share of the epochs."""


EXPLANATION = "train loss: mean over an epoch in training, with dropout; validation loss: after it, without"
"""Why the train loss may lie above the validation loss."""


def training_history(history: pd.DataFrame, subject: str = "network", loss: str = "loss") -> Figure:
    """Draw loss and validation loss by epoch; mark the best epoch and every learning-rate cut.

    Args:
        history: Columns `member epoch loss val_loss learning_rate`, one row per member and epoch, at least one.
            Epoch 0, which older runs do not have, is the start of the network and has no `loss`.
        subject: What was trained, for the title, such as `lstm on AAPL`.
        loss: Name of the loss.
    """
    members = [member for _, member in history.groupby("member", sort=True)]
    best = [member.iloc[int(np.nanargmin(member["val_loss"]))] for member in members]
    with mpl.rc_context(STYLE):
        figure, (axes,) = blank_figure(1, 1)
        for i, (member, at) in enumerate(zip(members, best, strict=True)):
            # Matplotlib leaves labels that start with an underscore out of the legend.
            hidden = "" if i == 0 else "_"
            epoch, val_loss = member["epoch"], member["val_loss"]
            width = 2.0 if len(members) == 1 else 1.2
            axes.plot(epoch, member["loss"], color=DIM, ls=(0, (4, 2)), lw=width, label=f"{hidden}train loss")
            axes.plot(epoch, val_loss, color="black", lw=width, label=f"{hidden}validation loss")
            cut = (member["learning_rate"].diff() < 0).to_numpy()
            if cut.any():
                triangle: dict[str, Any] = {
                    "ls": "none",
                    "marker": "v",
                    "ms": 11,
                    "mfc": "white",
                    "mec": "black",
                }
                axes.plot(epoch[cut], val_loss[cut], **triangle, label=f"{hidden}learning rate cut")
            axes.plot(
                at["epoch"], at["val_loss"], "*", color="black", ms=18, label=f"{hidden}best epoch, kept"
            )
            if len(members) == 1:
                _label_cuts(axes, member[cut], member["epoch"].max())
        limits = (history["epoch"].min() - 0.5, history["epoch"].max() + 0.5)
        axes.set(xlabel=f"epoch\n{EXPLANATION}", ylabel=loss, xlim=limits)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
        set_title(figure, f"{subject}: {_best_epochs(members, best)}")
    return figure


def _label_cuts(axes: Axes, cuts: pd.DataFrame, n_epochs: int) -> None:
    """Label each cut with the new learning rate; of cuts whose labels would overlap, only the first."""
    last_labelled = -np.inf
    for _, cut in cuts.iterrows():
        if cut["epoch"] - last_labelled < LABEL_WIDTH * n_epochs:
            continue
        last_labelled = cut["epoch"]
        rate = f"to {cut['learning_rate']:.0e}".replace("e-0", "e-")
        at = (cut["epoch"], cut["val_loss"])
        axes.annotate(rate, at, xytext=(0, 12), textcoords="offset points", ha="center")


def _best_epochs(members: Sequence[pd.DataFrame], best: Sequence[pd.Series[float]]) -> str:
    losses = [float(at["val_loss"]) for at in best]
    if len(best) == 1:
        n_epochs = members[0]["epoch"].max()
        return f"best epoch {best[0]['epoch']:.0f} of {n_epochs}, validation loss {losses[0]:.3f}"
    epochs = ", ".join(f"{at['epoch']:.0f}" for at in best)
    return (
        f"{len(best)} members, best epochs {epochs}, validation loss {min(losses):.3f} to {max(losses):.3f}"
    )
