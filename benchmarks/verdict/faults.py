"""Faults of calibration: how often the verdict finds them, and how often it reports one of a true distribution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from lstm_stock.distributions import Normal, StudentT
from lstm_stock.distributions.base import Array
from lstm_stock.distributions.student_t_fit import fit_student_t
from lstm_stock.scoring.verdict import ALPHA
from lstm_stock.scoring.verdict.calibration import judge_trained

from .worlds import LAST_STEP, WORLDS, Market, market

LENGTHS = (250, 700, 2500)
FAULTY = "GARCH-t"
"""The world in which scale and tail are wrong."""


def _scaled(factor: float) -> Callable[[Array, Array, float], Array]:
    return lambda outcome, scale, df: StudentT(0.0, factor * scale, df).cdf(outcome)


def _normal(outcome: Array, scale: Array, df: float) -> Array:
    return Normal(0.0, scale * np.sqrt(df / (df - 2))).cdf(outcome)


def _constant(outcome: Array, _scale: Array, _df: float) -> Array:
    """Return the PIT of the Student-t that fits all outcomes best: its coverage is right, but on average only."""
    fitted, loc, width = fit_student_t(outcome)
    return StudentT(loc, width, fitted).cdf(outcome)


FAULTS = {
    "scale 20 % too narrow": _scaled(0.8),
    "scale 10 % too narrow": _scaled(0.9),
    "scale 10 % too wide": _scaled(1.1),
    "scale 20 % too wide": _scaled(1.2),
    "normal of the true variance for t(5)": _normal,
}


def _is_faulty(pit: Array, volatility: Array, step: int = 1) -> bool:
    """Return whether the verdict reports a fault; shapes `(n_tickers, n)`."""
    n_tickers, n = pit.shape
    dates = pd.bdate_range("2010-01-01", periods=n, unit="s")
    rows = pd.DataFrame(
        {
            "ticker": np.tile(np.arange(n_tickers), n),
            "cutoff": np.repeat(dates, n_tickers),
            "pit": pit.T.ravel(),
            "trailing_vol": volatility.T.ravel(),
        }
    )
    return any(one["verdict"] == "miscalibrated" for one in judge_trained(rows, step, ALPHA).values())


def _share(of: Market, pit_of: Callable[[Array, Array, float], Array], n: int) -> float:
    outcome, scale, volatility = of.outcome(1)[..., :n], of.true_scale()[..., :n], of.ewma(0.94)[..., :n]
    found = [
        _is_faulty(np.stack([pit_of(y, s, of.df) for y, s in zip(*series[:2], strict=True)]), series[2])
        for series in zip(outcome, scale, volatility, strict=True)
    ]
    return 100 * float(np.mean(found))


def faults(n_series: int) -> pd.DataFrame:
    """Return the share of series in which a fault is found, by fault and number of cutoffs, in percent."""
    rows = {}
    of = market(np.random.default_rng([29]), FAULTY, n_series, 1, LENGTHS[-1])
    for name, pit_of in FAULTS.items():
        rows[name, FAULTY] = {n: _share(of, pit_of, n) for n in LENGTHS}
    for world in WORLDS[2:]:
        of = market(np.random.default_rng([31]), world, n_series, 1, LENGTHS[-1])
        rows["constant under changing volatility", world] = {n: _share(of, _constant, n) for n in LENGTHS}
    return pd.DataFrame(rows).T


def false_alarms(n_series: int) -> pd.DataFrame:
    """Return the share of series in which a fault of the true distribution is reported, in percent.

    The true distribution five steps ahead is known of Gaussian returns of constant volatility.
    """
    rows = {}
    lengths = (60, *LENGTHS)
    for world in WORLDS:
        of = market(np.random.default_rng([37]), world, n_series, 1, lengths[-1])
        rows[f"{world}, step 1"] = {n: _share(of, _scaled(1.0), n) for n in lengths}
    of = market(np.random.default_rng([41]), WORLDS[0], n_series, 1, lengths[-1])
    pits = Normal(0.0, np.sqrt(LAST_STEP)).cdf(of.outcome(LAST_STEP))
    volatility = of.ewma(0.94)
    rows[f"{WORLDS[0]}, step {LAST_STEP}"] = {
        n: 100
        * float(
            np.mean(
                [_is_faulty(p[:, :n], v[:, :n], LAST_STEP) for p, v in zip(pits, volatility, strict=True)]
            )
        )
        for n in lengths
    }
    n_panel = max(10, n_series // 4)
    of = market(np.random.default_rng([43]), WORLDS[2], n_panel, 10, 700)
    rows[f"{WORLDS[2]}, step 1, 10 tickers, {n_panel} series"] = {
        n: _share(of, _scaled(1.0), n) for n in (60, 250, 700)
    }
    return pd.DataFrame(rows).T
