"""Compare the network at one step: losses with each baseline, signs with chance."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstm_stock.distributions.base import Array
from lstm_stock.scoring.significance import (
    MIN_OBSERVATIONS,
    ConsistentTest,
    by_date,
    consistent_test,
    diebold_mariano,
    direction_products,
    fisher_exact,
    has_few_signs,
    mean_test,
    model_confidence_set,
    pesaran_timmermann,
    skill_interval,
)
from lstm_stock.scoring.verdict.findings import (
    NO_SKILL,
    Comparison,
    DirectionTest,
    StepTests,
    Subject,
    untested,
)
from lstm_stock.scoring.verdict.loss_tables import LossTables
from lstm_stock.scoring.verdict.thresholds import (
    LEVEL,
    MAX_LOSS,
    POINT_BASELINE,
    SAME,
    SET_LEVEL,
    SKILL_LEVEL,
)


def compare_step(loss_tables: LossTables, subject: Subject) -> StepTests:
    """Run every comparison of one step.

    Args:
        loss_tables: Of one ticker or several.
        subject: The network.
    """
    step, model = loss_tables.step, subject.model
    squares = loss_tables.squares
    crps, nll = (
        table[[name for name in table if name == model or subject.is_follower(str(name))]]
        for table in (loss_tables.crps, loss_tables.nll)
    )
    return StepTests(
        step=step,
        point=compare(squares, subject.model, POINT_BASELINE, step) if POINT_BASELINE in squares else None,
        direction=direction_test(loss_tables.model_rows, step),
        crps=[
            compare(crps, model, str(name), step, loss_tables.volatility) for name in crps if name != model
        ],
        nll=[compare(nll, model, str(name), step, loss_tables.volatility) for name in nll if name != model],
        has_distribution=model in loss_tables.crps,
        width_slope=_width_slope(loss_tables.model_rows),
        confidence_set=_confidence_set(crps, step),
    )


def compare(
    losses: pd.DataFrame, model: str, baseline: str, step: int, volatility: pd.Series[float] | None = None
) -> Comparison:
    """Test the network's losses against one baseline's, on the cutoffs and tickers that both have.

    Args:
        losses: One column per model, indexed by `cutoff` and `ticker`.
        model: The network.
        baseline: The baseline.
        step: Step of the forecasts.
        volatility: Trailing volatility by cutoff and ticker: a difference must be there on quiet, middle and wild
            days alike. None for the squared errors of a point: their scores are roots of means.
    """
    ours, theirs = (losses[name].to_numpy(np.float64) for name in (model, baseline))
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    complete = bool(both.sum() == (~np.isnan(ours)).sum())
    root = volatility is None
    dates = losses.index.get_level_values("cutoff").to_numpy()[both]
    ours, theirs = (by_date(one[both], dates) for one in (ours, theirs))
    of_dates = (
        None if volatility is None else _volatility_by_date(volatility.reindex(losses.index), both, dates)
    )
    daily = {model: ours, baseline: theirs}
    infinite = tuple(name for name, one in daily.items() if np.max(np.abs(one), initial=0) > MAX_LOSS)
    means = [
        math.inf if name in infinite else float(np.mean(one)) if len(one) else math.nan
        for name, one in daily.items()
    ]
    score, baseline_score = (math.sqrt(value) for value in means) if root else means
    difference, skill = np.empty(0), NO_SKILL
    better = worse = ConsistentTest(untested(len(ours)))
    if not infinite and _are_enough(len(ours), step):
        difference = ours - theirs
        if np.abs(difference).max() <= SAME * np.abs(theirs).mean():
            difference = np.zeros_like(difference)
        if (
            theirs.min() >= 0 and theirs.mean() > 0
        ):  # A log score has no zero that a percentage could refer to.
            interval = skill_interval(ours, theirs, step, level=SKILL_LEVEL, root=root)
            skill = (100 * (1 - score / baseline_score), *interval)
        better, worse = (_test(difference, of_dates, step, side) for side in ("less", "greater"))
    return Comparison(
        baseline=baseline,
        step=step,
        score=score,
        baseline_score=baseline_score,
        difference=difference,
        volatility=of_dates,
        better=better,
        worse=worse,
        skill=skill,
        root=root,
        complete=complete,
        infinite=infinite,
    )


def _test(
    difference: Array, volatility: Array | None, step: int, side: Literal["less", "greater"]
) -> ConsistentTest:
    if volatility is None:
        return ConsistentTest(diebold_mariano(difference, step, side))
    return consistent_test(difference, volatility, step, side)


def _volatility_by_date(
    volatility: pd.Series[float], both: NDArray[np.bool_], dates: NDArray[Any]
) -> Array | None:
    """Return the geometric mean of the tickers' volatilities on each date; None if one is unknown."""
    values = volatility.to_numpy(np.float64)[both]
    return None if np.isnan(values).any() else np.exp(by_date(np.log(values), dates))


def _width_slope(model_rows: pd.DataFrame) -> float:
    """Return the slope of the log width of the 90 % interval on log trailing volatility, within each ticker."""
    width = (model_rows[f"hi_{LEVEL}"] - model_rows[f"lo_{LEVEL}"]) / model_rows["last_close"]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = pd.DataFrame({"y": np.log(width), "x": np.log(model_rows["trailing_vol"])})
    if not np.isfinite(logs.to_numpy()).all():
        return math.nan
    centred = logs - logs.groupby(model_rows["ticker"]).transform("mean")
    variance = float((centred["x"] ** 2).sum())
    return float((centred["x"] * centred["y"]).sum()) / variance if variance > 0 else math.nan


def _are_enough(n: int, step: int) -> bool:
    return n >= max(MIN_OBSERVATIONS, 2 * step)


def _confidence_set(crps: pd.DataFrame, step: int) -> list[str] | None:
    """Return the models of the model confidence set, of those with a finite CRPS on every cutoff and ticker."""
    complete = crps.loc[:, (crps.abs() <= MAX_LOSS).all()]
    if complete.shape[1] < 2:
        return None
    dates = complete.index.get_level_values("cutoff").to_numpy()
    daily = np.column_stack([by_date(complete[name].to_numpy(np.float64), dates) for name in complete])
    if not _are_enough(len(daily), step):
        return None
    p = model_confidence_set(daily, step)
    return [str(name) for name, one in zip(complete, p, strict=True) if one >= 1 - SET_LEVEL / 100]


def direction_test(model_rows: pd.DataFrame, step: int) -> DirectionTest:
    """Test the network's directions.

    One ticker, one step ahead: by Pesaran-Timmermann, or by Fisher's exact test where the rarer sign is rare. By
    date for several tickers and for overlapping steps.

    Args:
        model_rows: The network's rows of the forecast table at one step, in order of cutoff.
        step: The step.
    """
    moves = (model_rows["y_true"] - model_rows["last_close"]).to_numpy(np.float64)
    signs = model_rows["direction"].to_numpy(np.float64)
    moved = (moves != 0) & np.isin(signs, (-1.0, 1.0))
    if not moved.any():
        return DirectionTest(math.nan, math.nan, math.nan, "none", untested(0), math.nan, "")
    up, forecast_up = moves[moved] > 0, signs[moved] > 0
    tickers = model_rows["ticker"].to_numpy()
    expected_hit_rate, constant = _expected_hit_rate(up, forecast_up, tickers[moved])
    always = ""
    if forecast_up.all() or not forecast_up.any():
        always = "up" if forecast_up.all() else "down"
    elif constant:
        always = "the same"
    shares = float(np.mean(up == forecast_up)), expected_hit_rate, float(up.mean())
    if step == 1 and model_rows["ticker"].nunique() == 1:
        is_rare = has_few_signs(moves[moved], signs[moved])
        test = fisher_exact if is_rare else pesaran_timmermann
        better, worse = (test(moves[moved], signs[moved], side) for side in ("greater", "less"))
        name = "Fisher's exact test" if is_rare else "Pesaran-Timmermann"
        return DirectionTest(*shares, always, better, worse.p, name)
    daily = _products_by_date(model_rows, moves, np.where(moved, signs, 0.0))
    if not _are_enough(len(daily), step) or not daily.any():
        return DirectionTest(*shares, always, untested(len(daily)), math.nan, "by date")
    better, worse = (mean_test(daily, step, alternative=side) for side in ("greater", "less"))
    return DirectionTest(*shares, always, better, worse.p, "by date")


def _products_by_date(model_rows: pd.DataFrame, moves: Array, signs: Array) -> Array:
    tickers = model_rows["ticker"].to_numpy()
    products = np.zeros(len(moves))
    for ticker in np.unique(tickers):
        of_ticker = tickers == ticker
        products[of_ticker] = direction_products(moves[of_ticker], signs[of_ticker])
    return by_date(products, model_rows["cutoff"].to_numpy())


def _expected_hit_rate(
    up: NDArray[np.bool_], forecast_up: NDArray[np.bool_], tickers: NDArray[Any]
) -> tuple[float, bool]:
    """Return the share of right signs expected by chance, and whether each ticker's forecast never changes.

    By chance means: outcome and forecast are independent, each with its own share of rises in each ticker.
    """
    expected, constant = 0.0, True
    for ticker in np.unique(tickers):
        of_ticker = tickers == ticker
        p, q = up[of_ticker].mean(), forecast_up[of_ticker].mean()
        expected += of_ticker.mean() * (p * q + (1 - p) * (1 - q))
        constant = constant and q in (0.0, 1.0)
    return float(expected), constant
