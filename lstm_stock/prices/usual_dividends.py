"""Usual dividends: which payments of a price table are regular, and when the next ones are expected.

Nothing here knows what a company has announced: a rule on past payments sees only what repeats.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lstm_stock.prices.table import Array, Days, Rows

PERIODS = {1: 15, 3: 60, 6: 90, 12: 90}
"""Months from one regular payment to the next, and the days by which such a gap may differ."""

MIN_PAYMENTS = 4
"""Least number of regular payments; they must also fill a year."""

MAX_ERROR_TAKEN = 2
"""Largest error of the rule in the past, in days, with which its next date counts as known."""

ERROR_IF_UNKNOWN = 7
"""Uncertainty of a date, in days, where the rule has no past predictions."""

_GAP_WEIGHT, _AMOUNT_WEIGHT = 0.8, 0.5
"""Penalties of a sequence for a gap that differs by the whole tolerance, and for a log ratio of amounts of 1; each
payment counts 1."""

_YEARS_OF_ERRORS = 2


@dataclass(frozen=True)
class UsualDividend:
    """A payment that is expected because its payer pays regularly.

    Attributes:
        ex_date: The expected ex-date, the first day that trades without the dividend. A date without a session
            means the next session.
        amount: The expected amount per share.
        uncertainty: Largest error of the rule's predictions of the past two years, in days.
        n_past: Number of these predictions.
    """

    ex_date: dt.date
    amount: float
    uncertainty: int
    n_past: int

    @property
    def earliest(self) -> dt.date:
        """The expected date less its uncertainty."""
        return self.ex_date - dt.timedelta(days=self.uncertainty)

    @property
    def latest(self) -> dt.date:
        """The expected date plus its uncertainty."""
        return self.ex_date + dt.timedelta(days=self.uncertainty)

    @property
    def is_reliable(self) -> bool:
        """Whether at least four predictions in the past were off by two days at most."""
        return self.n_past >= MIN_PAYMENTS and self.uncertainty <= MAX_ERROR_TAKEN


def usual_dividends(days: Days, amounts: Array, after: dt.date, until: dt.date) -> tuple[UsualDividend, ...]:
    """Return the usual dividends whose ex-date may fall between two dates.

    A payment is expected one year after the same payment of the last year, on the nearest day with its weekday,
    or on its calendar date, whichever was closer in the past two years. Its amount is the last regular payment, or
    that of the same payment of the last year where this was closer.

    Args:
        days: Increasing ex-dates up to `after`, shape `(n_payments,)`.
        amounts: The amount of each per share, above 0, shape `(n_payments,)`.
        after: The last day with known prices.
        until: The last day that matters.

    Returns:
        In order of date; empty if there are no regular payments, or if the expected one did not come.
    """
    found = regular_payments(days, amounts)
    if found is None:
        return ()
    months, rows = found
    per_year = 12 // months
    dates = [day.astype(object) for day in days[rows]]
    paid = [float(amount) for amount in amounts[rows]]
    recent = range(len(dates))[per_year:][-max(_YEARS_OF_ERRORS * per_year, MIN_PAYMENTS) :]

    def errors(rule: Callable[[dt.date], dt.date]) -> list[int]:
        return [abs((dates[i] - rule(dates[i - per_year])).days) for i in recent]

    rule = min((same_weekday, same_date), key=lambda one: sum(errors(one)))
    uncertainty = max(errors(rule), default=ERROR_IF_UNKNOWN)
    # How many payments ago the amount is taken from: one, or a year.
    lag = min((1, per_year), key=lambda k: sum(abs(np.log(paid[i] / paid[i - k])) for i in recent))
    expected: list[UsualDividend] = []
    while True:
        dates.append(rule(dates[-per_year]))
        paid.append(paid[-lag])
        one = UsualDividend(dates[-1], paid[-1], uncertainty, len(recent))
        if one.latest <= after and not expected:
            return ()
        if one.earliest > until:
            return tuple(expected)
        expected.append(one)


def regular_payments(days: Days, amounts: Array) -> tuple[int, Rows] | None:
    """Return the months between the regular payments and their rows, or None where there are none.

    Of all sequences of payments with about the same gap, the best one has the most payments, less a penalty for
    unequal gaps and unequal amounts. So a special dividend between two regular ones is left out. The shortest
    period with enough payments counts.

    Args:
        days: Increasing ex-dates, shape `(n_payments,)`.
        amounts: Amounts above 0, shape `(n_payments,)`.
    """
    for months in PERIODS:
        rows = _best_sequence(days.astype("datetime64[D]").astype(int), np.log(amounts), months)
        is_most = len(rows) > 0 and 2 * len(rows) > len(days) - rows[0]
        if len(rows) >= max(MIN_PAYMENTS, 12 // months) and is_most:
            return months, rows
    return None


def same_weekday(day: dt.date) -> dt.date:
    """Return the day nearest to one year later that has the same weekday.

    >>> same_weekday(dt.date(2023, 2, 10))
    datetime.date(2024, 2, 9)
    """
    later = _year_later(day)
    return later + dt.timedelta(days=(day.weekday() - later.weekday() + 3) % 7 - 3)


def same_date(day: dt.date) -> dt.date:
    """Return the same date one year later; a Saturday or Sunday becomes Monday.

    >>> same_date(dt.date(2023, 2, 10))
    datetime.date(2024, 2, 12)
    """
    later: dt.date = np.busday_offset(_year_later(day), 0, roll="forward").astype(object)
    return later


def _year_later(day: dt.date) -> dt.date:
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year + 1, day=28 if is_leap_day else day.day)


def _best_sequence(days: Rows, log_amounts: Array, months: int) -> Rows:
    """Return the rows of the best sequence of payments that ends about when the last payment was made."""
    period, tolerance = months * 365.25 / 12, PERIODS[months]
    score, before = np.zeros(len(days)), np.full(len(days), -1)
    for i in range(1, len(days)):
        gap = (days[i] - days[:i] - period) / tolerance
        link = 1 - _GAP_WEIGHT * gap**2 - _AMOUNT_WEIGHT * np.abs(log_amounts[i] - log_amounts[:i])
        total = np.where(np.abs(gap) <= 1, score[:i] + link, -np.inf)
        if total.max() > 0:
            before[i] = np.argmax(total)
            score[i] = total.max()
    if len(days) == 0:
        return np.array([], np.intp)
    late = np.flatnonzero(days >= days[-1] - tolerance)
    row, rows = int(late[np.argmax(score[late])]), []
    while row >= 0:
        rows.append(row)
        row = int(before[row])
    return np.array(rows[::-1], np.intp)
