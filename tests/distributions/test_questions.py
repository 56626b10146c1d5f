from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from scipy import stats

from lstm_stock.distributions import StudentT
from lstm_stock.distributions.calibrated import Calibrated
from lstm_stock.distributions.intervals import LEVELS, Intervals
from lstm_stock.distributions.questions import (
    EXPECTED_SHORTFALL,
    FORMS,
    VALUE_AT_RISK,
    parse_questions,
    probability,
    tail_losses,
)
from lstm_stock.errors import ConfigError

LAST_CLOSE = 200.0


def as_trained(loc: float = 0.001, scale: float = 0.02, df: float = 4.0) -> Calibrated:
    returns = StudentT([[loc, 2 * loc]], [[scale, 1.5 * scale]], [[df, df]])
    return Calibrated.of(returns, Intervals.of(returns, LEVELS))


def answer(text: str, dividends=(0.0, 0.0)) -> list[float]:
    (question,) = parse_questions([text])
    return probability(question, as_trained(), LAST_CLOSE, np.array(dividends)).tolist()


def cdf(price: float, step: int = 0, dividend: float = 0.0) -> float:
    """The probability of a close of `price` or less, by SciPy."""
    loc, scale = ((0.001, 0.02), (0.002, 0.03))[step]
    return stats.t.cdf(np.log((price + dividend) / LAST_CLOSE), 4.0, loc, scale)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("up", lambda step: 1 - cdf(200, step)),
        ("down", lambda step: cdf(200, step)),
        ("below 190", lambda step: cdf(190, step)),
        ("above 205.5", lambda step: 1 - cdf(205.5, step)),
        ("between 190 and 205", lambda step: cdf(205, step) - cdf(190, step)),
        ("move 5%", lambda step: cdf(190, step) + 1 - cdf(210, step)),
        ("move 3", lambda step: cdf(197, step) + 1 - cdf(203, step)),
        ("rise 2.5 %", lambda step: 1 - cdf(205, step)),
        ("fall 2.5%", lambda step: cdf(195, step)),
        ("fall 100%", lambda step: 0.0),
        ("move 300 %", lambda step: 1 - cdf(800, step)),
    ],
)
def test_probabilities_are_those_of_the_student_t(text, expected):
    assert answer(text) == pytest.approx([expected(0), expected(1)], abs=1e-12)


def test_a_dividend_lowers_the_close_from_its_ex_date_on():
    assert answer("up", dividends=(0.0, 1.5)) == pytest.approx([1 - cdf(200), 1 - cdf(200, 1, dividend=1.5)])
    assert answer("below 190", dividends=(0.0, 1.5))[1] == pytest.approx(cdf(190, 1, dividend=1.5))


def test_tail_losses_are_those_of_simulated_returns():
    losses = tail_losses(as_trained())
    returns = stats.t.ppf((np.arange(2_000_000) + 0.5) / 2_000_000, 4.0, 0.001, 0.02)
    for i, p in enumerate((0.01, 0.025, 0.05)):
        worst = returns[: int(p * 2_000_000)]
        assert losses[VALUE_AT_RISK][i, 0] == pytest.approx(1 - np.exp(worst[-1]), abs=1e-6)
        assert losses[EXPECTED_SHORTFALL][i, 0] == pytest.approx(1 - np.exp(worst).mean(), abs=1e-5)


@pytest.mark.parametrize("example", [form.example for form in FORMS.values()])
def test_every_form_parses_its_own_example_and_its_usual_form(example):
    (question,) = parse_questions([example])
    assert parse_questions([question.text]) == (question,)


@pytest.mark.parametrize(
    ("texts", "usual"),
    [
        (["up, below 180", "above 200"], ["up", "below 180", "above 200"]),
        (["Move > 5 %", "move>5%", "MOVE 5%"], ["move 5 %"]),
        (["below<180.50"], ["below 180.5"]),
        (["between 170 190"], ["between 170 and 190"]),
    ],
)
def test_spelling_and_repetition_do_not_matter(texts, usual):
    assert [question.text for question in parse_questions(texts)] == usual


def test_a_question_may_name_its_session():
    first, second = parse_questions(["below 180 at step 3", "move > 5 % on 2024-01-05"])
    assert (first.step, first.date, second.step, second.date) == (3, None, None, dt.date(2024, 1, 5))
    assert first.asks_about(3, dt.date(2024, 1, 4))
    assert not first.asks_about(2, dt.date(2024, 1, 3))
    assert second.asks_about(4, dt.date(2024, 1, 5))
    assert not second.asks_about(3, dt.date(2024, 1, 4))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got '', expected a question"),
        ("bellow 180", "did you mean `below 180`?"),
        ("rises 3%", "did you mean `rise 3%`?"),
        ("tomorrow", "got 'tomorrow', expected a question"),
        ("below", "expected a question such as `below 180`"),
        ("below low", "expected a number after `below`"),
        ("below 5%", "expected a price after `below`, not a percentage"),
        ("below 0", "expected a number above 0"),
        ("above < 200", "expected a number after `above`"),
        ("between 190 and 170", "expected the lower price first"),
        ("between 170", "expected a question such as `between 170 and 190`"),
        ("up 3", "expected a question such as `up`"),
        ("move 5 % please", "expected a question such as `move 5%`"),
        ("below 1,800", "got '800', expected a question"),
        ("up at step 0", "a step of 1 or more"),
        ("up at step two", "a step of 1 or more"),
        ("up on friday", "a date such as 2024-01-05"),
        ("up on 2024-02-30", "a date such as 2024-01-05"),
        (", ".join(f"below {n}" for n in range(1, 30)), "got 29 questions"),
    ],
)
def test_another_text_is_an_error_that_says_what_is_meant(text, message):
    with pytest.raises(ConfigError) as error:
        parse_questions([text])
    assert message in error.value.message
    assert error.value.hint
