"""Regular payers, their next ex-dates and amounts: real patterns, and sequences made by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.prices.usual_dividends import (
    UsualDividend,
    regular_payments,
    same_date,
    same_weekday,
    usual_dividends,
)
from tests.helpers import AAPL_DIVIDENDS

QUARTERLY = {
    f"{year}-{day}": 0.5 + 0.02 * (year - 2018)
    for year in range(2018, 2023)
    for day in ("02-14", "05-14", "08-14", "11-14")
}
"""Paid on the same calendar dates, raised every year."""


def expected(payments: dict[str, float], after: str, until: str) -> list[tuple[str, float]]:
    found = usual(payments, after, until)
    return [(str(one.ex_date), round(one.amount, 4)) for one in found]


def usual(payments: dict[str, float], after: str, until: str) -> tuple[UsualDividend, ...]:
    known = {day: amount for day, amount in sorted(payments.items()) if day <= after}
    days = np.array(list(known), "datetime64[D]")
    amounts = np.array(list(known.values()), np.float64)
    return usual_dividends(days, amounts, dt.date.fromisoformat(after), dt.date.fromisoformat(until))


def test_the_next_dividends_of_apple():
    (first, *others) = usual(AAPL_DIVIDENDS, "2023-12-29", "2024-12-31")
    # Paid: 0.24 on 2024-02-09, and on 2024-05-10, 08-12 and 11-08, with a raise to 0.25 in May.
    assert (str(first.ex_date), first.amount) == ("2024-02-09", 0.24)
    assert [str(one.ex_date) for one in others] == ["2024-05-10", "2024-08-09", "2024-11-08"]
    # Each ex-date of 2023 was a week later in the year than that of 2022: Friday 2023-02-03 was expected.
    assert (first.uncertainty, first.n_past, first.is_reliable) == (7, 8, False)
    assert (str(first.earliest), str(first.latest)) == ("2024-02-02", "2024-02-16")


def test_before_2023_the_dates_of_apple_were_predicted_within_a_day():
    (one,) = usual(AAPL_DIVIDENDS, "2022-02-03", "2022-02-08")
    # Friday 2021-02-05, a year later; only the Thursday of November 2019 had become a Friday.
    assert one == UsualDividend(dt.date(2022, 2, 4), 0.22, uncertainty=1, n_past=8)
    assert one.is_reliable


def test_a_payer_with_fixed_dates_is_expected_on_its_date():
    # 2023-05-14 is a Sunday: the ex-date is expected on Monday. The raised amount is the last one.
    (first, second) = usual(QUARTERLY, "2022-12-30", "2023-05-20")
    assert (str(first.ex_date), str(second.ex_date)) == ("2023-02-14", "2023-05-15")
    assert first.amount == second.amount == pytest.approx(0.58)
    assert first.uncertainty <= 2


@pytest.mark.parametrize(
    "special",
    [
        {"2021-12-20": 3.0},
        {"2022-11-15": 5.0},
        {"2022-12-22": 2.0},
        {"2020-06-29": 0.4, "2021-06-29": 0.1, "2022-06-29": 7.0},
        {"2022-11-13": 0.01},
    ],
    ids=str,
)
def test_special_dividends_change_nothing(special):
    plain = usual(QUARTERLY, "2022-12-30", "2023-12-31")
    assert len(plain) == 4
    assert usual(QUARTERLY | special, "2022-12-30", "2023-12-31") == plain


def test_a_half_yearly_payer_with_a_small_and_a_large_payment():
    halves = {"05-03": 0.7, "10-04": 0.3}
    payments = {f"{year}-{day}": size for year in range(2017, 2023) for day, size in halves.items()}
    assert expected(payments, "2022-12-01", "2023-12-31") == [("2023-05-03", 0.7), ("2023-10-04", 0.3)]
    assert expected(payments, "2022-06-01", "2022-12-31") == [("2022-10-04", 0.3)]


def test_a_yearly_payer():
    payments = {"2018-04-25": 1.0, "2019-04-24": 1.1, "2020-04-29": 1.2, "2021-04-28": 1.2, "2022-04-27": 1.3}
    # The last Wednesdays of April: 53 weeks passed before that of 2020, and the rule expected 52.
    (one,) = usual(payments, "2022-12-30", "2023-12-31")
    assert one == UsualDividend(dt.date(2023, 4, 26), 1.3, uncertainty=7, n_past=4)


def test_a_monthly_payer():
    # The first business day of each month of two years.
    months = np.arange("2021-01", "2023-01", dtype="datetime64[M]").astype("datetime64[D]")
    payments = {str(day): 0.25 for day in np.busday_offset(months, 0, roll="forward")}
    dates = [day for day, _ in expected(payments, "2022-12-30", "2023-04-05")]
    assert len(dates) == 4
    truth = np.busday_offset(np.arange("2023-01", "2023-05", dtype="datetime64[M]"), 0, roll="forward")
    assert np.abs(np.array(dates, "datetime64[D]") - truth).max() <= np.timedelta64(2, "D")


@pytest.mark.parametrize(
    "payments",
    [
        {},
        {"2022-02-14": 0.5, "2022-05-14": 0.5, "2022-08-14": 0.5},
        {"2015-03-01": 1.0, "2017-11-20": 2.0, "2018-01-05": 0.3, "2021-07-07": 4.0, "2022-06-01": 1.0},
    ],
    ids=["none", "three", "irregular"],
)
def test_no_regular_payer(payments):
    assert usual(payments, "2022-12-30", "2023-12-31") == ()


def test_a_payer_that_stopped_is_not_expected_to_pay():
    assert usual(QUARTERLY, "2023-02-14", "2023-06-30") != ()
    assert usual(QUARTERLY, "2023-03-01", "2023-06-30") == ()


def test_four_payments_without_a_past_prediction_have_a_week_of_uncertainty():
    payments = dict.fromkeys(("2022-02-14", "2022-05-14", "2022-08-14", "2022-11-14"), 0.3)
    (one,) = usual(payments, "2022-12-30", "2023-03-01")
    assert (one.uncertainty, one.n_past, one.is_reliable) == (7, 0, False)


def test_a_yearly_payer_that_became_a_quarterly_one():
    yearly = {f"{year}-06-10": 1.0 for year in range(2012, 2021)}
    quarterly = {day: amount / 4 for day, amount in QUARTERLY.items() if day > "2021"}
    known = {**yearly, **quarterly}
    days = np.array(list(known), "datetime64[D]")
    months, rows = regular_payments(days, np.array(list(known.values())))
    assert months == 3
    assert set(days[rows].astype(str)) >= set(quarterly)


@settings(max_examples=50)
@given(st.dates(dt.date(1990, 1, 1), dt.date(2090, 12, 31)).filter(lambda day: day.weekday() < 5))
def test_a_year_later_is_near_the_same_date(day):
    later = same_weekday(day)
    assert later.weekday() == day.weekday()
    assert abs((later - day).days - 365.5) <= 4.5
    assert same_date(day).weekday() < 5
    assert 365 <= (same_date(day) - day).days <= 368


@settings(max_examples=30)
@given(
    scale=st.floats(0.01, 100),
    noise=st.lists(st.integers(-3, 3), min_size=20, max_size=20),
    horizon=st.integers(1, 400),
)
def test_dates_do_not_depend_on_the_unit_of_the_amounts_and_lie_in_the_horizon(scale, noise, horizon):
    days = np.array(list(QUARTERLY), "datetime64[D]") + np.array(noise)
    amounts = np.array(list(QUARTERLY.values()))
    after, until = dt.date(2022, 12, 30), dt.date(2022, 12, 30) + dt.timedelta(days=horizon)
    found = usual_dividends(days, amounts, after, until)
    scaled = usual_dividends(days, scale * amounts, after, until)
    assert [one.ex_date for one in scaled] == [one.ex_date for one in found]
    np.testing.assert_allclose([one.amount for one in scaled], [scale * one.amount for one in found])
    assert all(one.earliest <= until and one.latest > after for one in found)
    assert sorted(one.ex_date for one in found) == [one.ex_date for one in found]
