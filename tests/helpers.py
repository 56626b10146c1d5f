"""Random prices and assertions that several tests share."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_stock.dataset.features import Bars
from lstm_stock.dataset.market import Market
from lstm_stock.errors import DataError
from lstm_stock.prices.store import Store
from lstm_stock.prices.table import PriceHistory

SLOW_BASELINES = ("historical", "arima", "garch", "gjr")
"""Their look-ahead is tested one by one in `tests/baselines`."""


def drop_slow_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the registry by one without them; entries deleted from it would come back in another order."""
    from lstm_stock import baselines

    fast = {name: spec for name, spec in baselines.BASELINES.items() if name not in SLOW_BASELINES}
    monkeypatch.setattr(baselines, "BASELINES", fast)


def leave_out_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score no forecast: the leak check compares forecasts alone, and scores take a fifth of its passes."""
    from lstm_stock.workflow import scoring

    monkeypatch.setattr(scoring, "score_table", lambda table: table.iloc[:0])
    monkeypatch.setattr(scoring, "judge_ticker", lambda *_: {})
    monkeypatch.setattr(scoring.LossTables, "by_step", lambda *_: {})


def write_empty_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay figures out and write empty files: that they are written well is tested in `tests/report`."""
    from lstm_stock.report.plots import style

    monkeypatch.setattr(style, "_write", lambda _, path: path.touch())


def keep_corruptions(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Leave out the other corruptions of the leak check: each is a pass of its own."""
    from lstm_stock.workflow.leakcheck.corruption import CORRUPTIONS

    for name in set(CORRUPTIONS) - set(names):
        monkeypatch.delitem(CORRUPTIONS, name)


def count_reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return a counter of the reads of each ticker's file from now on."""
    counts: Counter[str] = Counter()
    read = Store.read

    def counted(store: Store, ticker: str) -> PriceHistory:
        counts[ticker] += 1
        return read(store, ticker)

    monkeypatch.setattr(Store, "read", counted)
    return counts


AAPL_DIVIDENDS = {
    **{"2019-02-08": 0.1825, "2019-05-10": 0.1925, "2019-08-09": 0.1925, "2019-11-07": 0.1925},
    **{"2020-02-07": 0.1925, "2020-05-08": 0.205, "2020-08-07": 0.205, "2020-11-06": 0.205},
    **{"2021-02-05": 0.205, "2021-05-07": 0.22, "2021-08-06": 0.22, "2021-11-05": 0.22},
    **{"2022-02-04": 0.22, "2022-05-06": 0.23, "2022-08-05": 0.23, "2022-11-04": 0.23},
    **{"2023-02-10": 0.23, "2023-05-12": 0.24, "2023-08-11": 0.24, "2023-11-10": 0.24},
}
"""Apple's ex-dates and dividends per share, adjusted for its split of 2020."""

COMMAND = Path(sys.executable).parent / "lstm-stock"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_running(pid: int) -> bool:
    """Whether the process is there and not a zombie; looks at /proc."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # ended, before the file was opened or before it was read
        return False
    return state not in "ZX"


def assert_user_error(answer, message: str, code: int = 2) -> None:
    """Assert an `error:` line, an empty line and a `hint:` on stderr, and nothing on stdout."""
    assert answer.code == code, answer
    assert answer.out == ""
    assert re.search(r"(^|\n)error: ", answer.err), answer.err
    assert re.search(r"\n\nhint: \S", answer.err), answer.err
    assert message in answer.err
    assert "Traceback" not in answer.err


def assert_fits(answer) -> None:
    """Assert that tables fit a terminal of 80 columns and nothing in them is truncated."""
    assert max(len(line) for line in answer.out.splitlines()) <= 80, answer.out
    assert "…" not in answer.out


def random_prices(
    n_bars: int, seed: int = 0, start: str = "2015-01-01", volatility: float = 0.01
) -> pd.DataFrame:
    """A price table of business days with GARCH returns, adj_close = close."""
    random = np.random.default_rng(seed)
    variance, returns = volatility**2, np.empty(n_bars)
    for i in range(n_bars):
        returns[i] = np.sqrt(variance) * random.standard_t(5) * np.sqrt(3 / 5)
        variance = 0.05 * volatility**2 + 0.08 * returns[i] ** 2 + 0.87 * variance
    close = 50 * np.exp(np.cumsum(returns))
    open_ = close * np.exp(random.normal(0, volatility / 3, n_bars))
    spread = np.exp(np.abs(random.normal(0, volatility / 2, n_bars)) + 1e-4)
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * spread,
            "low": np.minimum(open_, close) / spread,
            "close": close,
            "adj_close": close,
            "volume": random.lognormal(12, 0.3, n_bars).round(),
            "dividends": 0.0,
            "splits": 0.0,
        },
        index=pd.bdate_range(start, periods=n_bars, unit="s", name="date"),
    )


def bars_with_market(table: pd.DataFrame) -> Bars:
    """The bars of a price table, with the market of this table and another one."""
    other = random_prices(2000, seed=99).loc[: table.index[-1]]
    return Bars.of(Market.of([table, other]).with_market_columns(table))


def random_bars(n_bars: int, seed: int = 0) -> Bars:
    return Bars.of(random_prices(n_bars, seed))


def leverage_bars(n_bars: int, seed: int = 0) -> Bars:
    """Bars whose log volatility falls with the EWMA of past returns, half-life 10, 30 prices a day."""
    random = np.random.default_rng(seed)
    usual, decay, trend, log_close, days = 0.012, 0.5**0.1, 0.0, np.log(50), []
    for _ in range(n_bars):
        volatility = usual * np.exp(-1.2 * trend + 0.1 * random.normal())
        path = np.concatenate([[0], np.cumsum(random.normal(size=30))]) * volatility / np.sqrt(30)
        days.append(np.exp(log_close + np.array([path[0], path.max(), path.min(), path[-1]])))
        log_close += path[-1]
        trend = decay * trend + (1 - decay) * path[-1] / usual
    prices = pd.DataFrame(days, columns=["open", "high", "low", "close"])
    return Bars.of(prices.assign(volume=1.0))


def double(x: int) -> tuple[int, int]:
    """Return `2 * x` and the id of the process that computed it."""
    return 2 * x, os.getpid()


def fail(x: int) -> None:
    raise DataError(f"{x} cannot be used", "use another")


def wait_long(seconds: float) -> int:
    """Return which process answers, after some time."""
    time.sleep(seconds)
    return os.getpid()


def n_blas_threads(_: int) -> int:
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
