"""Statistical tests of forecasts: arrays in, numbers out.

The tests judge forecasts as they were made, with the parameters they had, not the model in population (Giacomini &
White 2006, Econometrica 74). Tables and thresholds are in `lstm_stock.scoring.verdict`.

    accuracy        Diebold-Mariano on any loss, its variance, several tickers by date, power, bootstrap intervals
    direction       Pesaran-Timmermann, Fisher's exact test, and a series for overlapping steps and several tickers
    coverage        Kupiec, Christoffersen, dependence on volatility, uniformity of the PIT
    value_at_risk   exceedances of value at risk: their number, clusters, and expected shortfall
    consistency     Diebold-Mariano on quiet, middle and wild days alike
    confidence_set  the model confidence set: which forecasts may be the best
    multiple        Holm, Hommel, and Hommel within families that share one significance level
"""

from __future__ import annotations

from lstm_stock.scoring.significance.accuracy import (
    by_date,
    diebold_mariano,
    long_run_variance,
    mean_test,
    skill_interval,
    smallest_gain,
    truncation,
)
from lstm_stock.scoring.significance.base import MIN_OBSERVATIONS, Alternative, HypothesisTest
from lstm_stock.scoring.significance.confidence_set import model_confidence_set
from lstm_stock.scoring.significance.consistency import (
    ConsistentTest,
    consistent_test,
    smallest_consistent_gain,
)
from lstm_stock.scoring.significance.coverage import (
    christoffersen,
    coverage_by_third,
    kupiec,
    kupiec_by_offset,
    martingale_test,
    uniformity,
    uniformity_by_offset,
    volatility_products,
    volatility_thirds,
)
from lstm_stock.scoring.significance.direction import (
    direction_products,
    fisher_exact,
    has_few_signs,
    pesaran_timmermann,
)
from lstm_stock.scoring.significance.multiple import holm, hommel, rejected_in_families
from lstm_stock.scoring.significance.value_at_risk import (
    ExceedanceTests,
    design_effects,
    exceedance_tests,
    shortfall_test,
    tail_ratio,
)

__all__ = [
    "MIN_OBSERVATIONS",
    "Alternative",
    "ConsistentTest",
    "ExceedanceTests",
    "HypothesisTest",
    "by_date",
    "christoffersen",
    "consistent_test",
    "coverage_by_third",
    "design_effects",
    "diebold_mariano",
    "direction_products",
    "exceedance_tests",
    "fisher_exact",
    "has_few_signs",
    "holm",
    "hommel",
    "kupiec",
    "kupiec_by_offset",
    "long_run_variance",
    "martingale_test",
    "mean_test",
    "model_confidence_set",
    "pesaran_timmermann",
    "rejected_in_families",
    "shortfall_test",
    "skill_interval",
    "smallest_consistent_gain",
    "smallest_gain",
    "tail_ratio",
    "truncation",
    "uniformity",
    "uniformity_by_offset",
    "volatility_products",
    "volatility_thirds",
]
