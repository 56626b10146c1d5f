from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import MCS

from lstm_stock.scoring.significance import confidence_set, model_confidence_set

RANDOM = np.random.default_rng(31)


def test_the_set_is_that_of_another_implementation_with_the_same_resamples(monkeypatch):
    losses = RANDOM.standard_normal((120, 6)) + RANDOM.standard_normal((120, 1)) + [0, 0, 0.1, 0.2, 0.3, 0.6]
    other = MCS(losses, size=0.1, reps=300, block_size=10, method="max", seed=1)
    other.compute()
    counts = np.array([np.bincount(rows, minlength=120) for rows in other._bootstrap_indices], float)
    monkeypatch.setattr(confidence_set, "stationary_counts", lambda n, mean_length: counts)
    expected = other.pvalues["Pvalue"].sort_index()
    found = model_confidence_set(losses)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert len(set(found)) > 3


def test_the_set_is_about_that_of_other_resamples():
    losses = RANDOM.standard_normal((400, 4)) + np.array([0, 0, 0.1, 0.2])
    other = MCS(losses, size=0.1, reps=1000, block_size=26, method="max", seed=2)
    other.compute()
    np.testing.assert_allclose(model_confidence_set(losses), other.pvalues["Pvalue"].sort_index(), atol=0.05)


def test_order_and_unit_of_the_losses_do_not_matter():
    losses = RANDOM.standard_normal((100, 5)) + np.array([0.3, 0, 0, 0.2, 0])
    p, order = model_confidence_set(losses), [3, 1, 4, 0, 2]
    np.testing.assert_allclose(model_confidence_set(losses[:, order]), p[order])
    np.testing.assert_allclose(model_confidence_set(7 + 100 * losses), p)


def test_equal_forecasts_cannot_be_told_apart():
    loss = RANDOM.standard_normal((100, 1))
    assert model_confidence_set(np.repeat(loss, 3, axis=1)).tolist() == [1, 1, 1]
    assert model_confidence_set(loss).tolist() == [1]
    p = model_confidence_set(np.hstack([loss, loss + RANDOM.standard_normal((100, 1)) + 1, loss]))
    assert p[0] == p[2] == 1
    assert p[1] < 0.01


def test_a_loss_that_is_always_greater_is_outside():
    loss = RANDOM.standard_normal(100)
    assert model_confidence_set(np.column_stack([loss + 0.25, loss])).tolist() == [0, 1]


def test_a_best_forecast_is_in_the_set_and_a_bad_one_is_not():
    inside = np.mean(
        [
            model_confidence_set(RANDOM.standard_normal((100, 4)) + np.array([0, 0, 0.2, 0.7])) >= 0.1
            for _ in range(60)
        ],
        axis=0,
    )
    assert inside[:2].min() > 0.85
    assert inside[3] < 0.1


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (np.zeros(30), "two axes"),
        (np.zeros((30, 0)), "a column or more"),
        (np.zeros((19, 2)), "20 values or more"),
        (np.full((30, 2), np.inf), "must be finite"),
    ],
)
def test_invalid_losses_are_refused(losses, message):
    with pytest.raises(ValueError, match=message):
        model_confidence_set(losses)
