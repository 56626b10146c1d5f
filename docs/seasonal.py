"""Draw how the forecast widens before a company reports, read off its own bars.

The AAPL sample, the features of `--config many` without the market, trained on the years to 2021. The figure has
the 90 % interval of each next-day return of 2022 and 2023, the returns, and the sessions after a quarterly report.
Apple reports after the close; the dates are those of its press releases.

Run: python docs/seasonal.py [OUTPUT]
It writes docs/images/seasonal.png and prints the widths; half a minute of one core.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lstm_stock.config import Config, load_config
from lstm_stock.config.features import FEATURES
from lstm_stock.dataset.build import build_dataset
from lstm_stock.prices.reader import PriceReader
from lstm_stock.prices.sources import FetchOptions
from lstm_stock.prices.store import Store
from lstm_stock.prices.update import fetch_into
from lstm_stock.report.plots.style import DPI, STYLE
from lstm_stock.workflow.fit import fit_with_refit
from lstm_stock.workflow.forecast import forecast_each

OUTPUT = Path(__file__).parent / "images" / "seasonal.png"

REPORTS = pd.DatetimeIndex(
    [
        *("2022-01-27", "2022-04-28", "2022-07-28", "2022-10-27"),
        *("2023-02-02", "2023-05-04", "2023-08-03", "2023-11-02"),
    ]
)
"""Days after whose close Apple published a quarter."""


def config() -> Config:
    """Return the config of many tickers, for one."""
    many = load_config(Path("many"))
    own = [name for name in many.features if not FEATURES[name].needs_market]
    settings = ("data.tickers=[AAPL]", "data.end=2023-12-31", "split.val=2020-01-01", "split.test=2022-01-01")
    return load_config(Path("many"), [f"features=[{', '.join(own)}]", "target_scale=trailing_vol", *settings])


def forecast() -> pd.DataFrame:
    """Return the ends of the 90 % interval and the return of each session of the test period, in percent."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        fetch_into(store, "AAPL", FetchOptions(source="sample"))
        settings = config()
        dataset = build_dataset(settings, PriceReader(settings.data, store), print)
        fitted = fit_with_refit(settings, dataset.windows, dataset.loader)
    (windows,) = fitted.windows.test
    (returns,) = forecast_each(settings, fitted.fit.network, [windows])
    columns = {"low": returns.quantile(0.05), "high": returns.quantile(0.95), "return": windows.returns}
    dates = pd.DatetimeIndex(windows.series.dates[windows.future_rows[:, 0]])
    return pd.DataFrame({name: 100 * values[:, 0] for name, values in columns.items()}, index=dates)


def drawn(table: pd.DataFrame, after_report: pd.DatetimeIndex, n_wider: int) -> Figure:
    """Draw the interval, the returns, and the sessions after a report.

    Args:
        table: What `forecast` returns.
        after_report: The sessions to mark.
        n_wider: On how many of them the interval is wider than a week before.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 6), layout="constrained")
        axes = figure.subplots()
        axes.fill_between(
            table.index, table["low"], table["high"], color="0.8", step="mid", label="90 % interval"
        )
        axes.vlines(table.index, 0, table["return"], color="0.45", linewidth=0.8, label="return")
        marked = table.loc[after_report]
        axes.plot(
            marked.index, marked["return"], "o", color="#d55e00", label="return after a quarterly report"
        )
        for side in ("low", "high"):
            label = "interval of that day" if side == "low" else None
            axes.plot(marked.index, marked[side], "_", color="#0072b2", ms=14, mew=2, label=label)
        axes.set_ylabel("next-day return, %")
        axes.set_title(
            f"AAPL: the forecast, made from prices alone, is wider than a week before on {n_wider} of "
            f"{len(after_report)} days after a report"
        )
        axes.set_ylim(-8.5, 9)
        axes.legend(loc="lower right", ncols=4)
    return figure


def main() -> None:
    """Forecast, print the widths, draw."""
    table = forecast()
    after_report = table.index[np.searchsorted(table.index, REPORTS, side="right")]
    width = table["high"] - table["low"]
    # A session a week before has nearly the same volatility and no report.
    before = width.shift(5).loc[after_report]
    ratio = width.loc[after_report] / before
    print(pd.DataFrame({"width": width.loc[after_report], "a week before": before, "ratio": ratio}).round(2))
    figure = drawn(table, after_report, int((ratio > 1).sum()))
    figure.savefig(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT, dpi=DPI)


if __name__ == "__main__":
    main()
