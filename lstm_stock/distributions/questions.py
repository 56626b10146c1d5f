"""Questions that people ask about the next closes, and their answers from the calibrated distribution.

A question is one of the `FORMS`, with the numbers that the form takes, and may end with the session that it is
about: `below 180`, `move 5%`, `up at step 3`, `above 200 on 2024-01-05`. Without one it is about every session of
the forecast. `parse_questions` reads questions, `probability` and `tail_losses` answer them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lstm_stock.distributions.base import Array
from lstm_stock.distributions.calibrated import Calibrated
from lstm_stock.errors import ConfigError

TAIL_PROBABILITIES = (0.01, 0.025, 0.05)
"""Probabilities of the value at risk and of the expected shortfall."""

MAX_QUESTIONS = 20
"""More questions than this do not fit into a table."""


@dataclass(frozen=True)
class Amount:
    """A number of a question.

    Attributes:
        value: The number.
        percent: Whether it is in percent of the last close, and not in the currency of the prices.
    """

    value: float
    percent: bool = False

    def __str__(self) -> str:
        """Write it as a question does."""
        return f"{self.value:.12g}{' %' if self.percent else ''}"

    def of(self, last_close: float) -> float:
        """Return the amount in the currency of the prices."""
        return self.value * last_close / 100 if self.percent else self.value


@dataclass(frozen=True)
class Range:
    """The closes that a question is about: those between two prices, or the others."""

    low: float
    high: float
    outside: bool = False


@dataclass(frozen=True)
class Form:
    """A form of question.

    Attributes:
        example: A question of this form.
        asks: What it asks for, for the help.
        n_numbers: Count of numbers that it takes.
        percent: Whether these may be in percent of the last close.
        symbol: A sign that may stand before the number; empty for none.
        closes: Function from the last close and the numbers, as prices, to the closes asked about; None for a
            question about the size of losses.
        measures: What such a question reports: `value at risk`, `expected shortfall`.
    """

    example: str
    asks: str
    n_numbers: int = 0
    percent: bool = False
    symbol: str = ""
    closes: Callable[[float, Sequence[float]], Range] | None = None
    measures: tuple[str, ...] = ()


VALUE_AT_RISK, EXPECTED_SHORTFALL = "value at risk", "expected shortfall"

FORMS: dict[str, Form] = {
    "up": Form("up", "close above the last close", closes=lambda last, _: Range(last, np.inf)),
    "down": Form("down", "close below the last close", closes=lambda last, _: Range(-np.inf, last)),
    "below": Form(
        "below 180", "close below a price", 1, symbol="<", closes=lambda _, x: Range(-np.inf, x[0])
    ),
    "above": Form("above 200", "close above a price", 1, symbol=">", closes=lambda _, x: Range(x[0], np.inf)),
    "between": Form(
        "between 170 and 190", "close between two prices", 2, closes=lambda _, x: Range(x[0], x[1])
    ),
    "move": Form(
        "move 5%",
        "close more than 5 % away from the last close, up or down",
        1,
        percent=True,
        symbol=">",
        closes=lambda last, x: Range(last - x[0], last + x[0], outside=True),
    ),
    "rise": Form(
        "rise 3%",
        "close more than 3 % above the last close",
        1,
        percent=True,
        symbol=">",
        closes=lambda last, x: Range(last + x[0], np.inf),
    ),
    "fall": Form(
        "fall 3%",
        "close more than 3 % below the last close",
        1,
        percent=True,
        symbol=">",
        closes=lambda last, x: Range(-np.inf, last - x[0]),
    ),
    "var": Form("var", "value at risk at 1, 2.5 and 5 %", measures=(VALUE_AT_RISK,)),
    "es": Form("es", "expected shortfall at 1, 2.5 and 5 %", measures=(EXPECTED_SHORTFALL,)),
    "risk": Form("risk", "both of these", measures=(VALUE_AT_RISK, EXPECTED_SHORTFALL)),
}
"""The forms of questions by their first word."""

DIRECTIONS = ("up", "down")
"""Forms that ask for the sign of the next move."""


@dataclass(frozen=True)
class Question:
    """A question.

    Attributes:
        form: A key of `FORMS`.
        numbers: The numbers that the form takes.
        step: The step that it is about; None for all, or for that of `date`.
        date: The session that it is about; None for all, or for that of `step`.
    """

    form: str
    numbers: tuple[Amount, ...] = ()
    step: int | None = None
    date: dt.date | None = None

    @property
    def measures(self) -> tuple[str, ...]:
        """What a question about the size of losses reports; empty for a probability."""
        return FORMS[self.form].measures

    @property
    def text(self) -> str:
        """The question in its usual form, without its session.

        >>> parse_questions(["Move>5%"])[0].text
        'move 5 %'
        """
        return " and ".join(
            [f"{self.form} {self.numbers[0]}", *map(str, self.numbers[1:])] if self.numbers else [self.form]
        )

    def asks_about(self, step: int, date: dt.date) -> bool:
        """Whether it is about one session of a forecast."""
        return self.step in (None, step) and self.date in (None, date)


def parse_questions(texts: Sequence[str]) -> tuple[Question, ...]:
    """Parse questions.

    Args:
        texts: One question each, or several with commas between them.

    Raises:
        ConfigError: One of them is none of the `FORMS`, a number is missing or makes no sense, or there are none
            or too many.

    >>> [one.text for one in parse_questions(["up, below 180", "between 170 and 190 at step 2"])]
    ['up', 'below 180', 'between 170 and 190']
    """
    parts = [part.strip() for text in texts for part in text.split(",")]
    questions = tuple(dict.fromkeys(_parse(part) for part in parts if part))
    if not questions:
        raise _error("", "a question")
    if len(questions) > MAX_QUESTIONS:
        raise ConfigError(
            f"--ask: got {len(questions)} questions, expected {MAX_QUESTIONS} or fewer",
            "ask in several calls",
        )
    return questions


def _parse(text: str) -> Question:
    words = re.findall(r"\d{4}-\d\d-\d\d|[0-9.]+|[a-z]+|\S", text.lower())
    name, rest = words[0], words[1:]
    if name not in FORMS:
        raise _unknown(text, name)
    form = FORMS[name]
    rest, step, date = _session(text, rest)
    if form.symbol and rest[:1] == [form.symbol]:
        rest = rest[1:]
    numbers: list[Amount] = []
    while rest and len(numbers) < form.n_numbers:
        if numbers and rest[0] == "and":
            rest = rest[1:]
        numbers.append(_amount(text, rest[0] if rest else "", name))
        rest = rest[1:]
        if rest[:1] == ["%"]:
            if not form.percent:
                raise ConfigError(
                    f"--ask: got {text!r}, expected a price after `{name}`, not a percentage",
                    "ask for `fall 5%`, `rise 5%` or `move 5%`",
                )
            numbers[-1] = Amount(numbers[-1].value, percent=True)
            rest = rest[1:]
    if rest or len(numbers) < form.n_numbers:
        raise _error(text, f"a question such as `{form.example}`")
    if len(numbers) == 2 and not numbers[0].value < numbers[1].value:
        raise _error(text, "the lower price first")
    return Question(name, tuple(numbers), step, date)


def _session(text: str, words: Sequence[str]) -> tuple[list[str], int | None, dt.date | None]:
    """Split `at step 3` or `on 2024-01-05` from the end of a question."""
    if len(words) >= 3 and list(words[-3:-1]) == ["at", "step"]:
        if not words[-1].isdecimal() or int(words[-1]) < 1:
            raise _error(text, "a step of 1 or more after `at step`")
        return list(words[:-3]), int(words[-1]), None
    if len(words) >= 2 and words[-2] == "on":
        try:
            return list(words[:-2]), None, dt.date.fromisoformat(words[-1])
        except ValueError as error:
            raise _error(text, "a date such as 2024-01-05 after `on`") from error
    return list(words), None, None


def _amount(text: str, word: str, name: str) -> Amount:
    try:
        value = float(word)
    except ValueError as error:
        raise _error(text, f"a number after `{name}`") from error
    if not value > 0:
        raise _error(text, f"a number above 0 after `{name}`")
    return Amount(value)


def _unknown(text: str, word: str) -> ConfigError:
    from difflib import get_close_matches  # loaded for a fault alone

    near = get_close_matches(word, FORMS, n=1)
    meant = f"; did you mean `{FORMS[near[0]].example}`?" if near else ""
    found = _error(text, "a question")
    return ConfigError(found.message + meant, found.hint)


def _error(text: str, expected: str) -> ConfigError:
    examples = ", ".join(form.example for form in FORMS.values())
    return ConfigError(
        f"--ask: got {text!r}, expected {expected}",
        f"ask one of: {examples}; each may end with `at step 3` or `on 2024-01-05`, and commas separate several",
    )


def probability(question: Question, returns: Calibrated, last_close: float, dividends: Array) -> Array:
    """Answer a question about closes.

    The close is `last_close exp(r) - D`, with D the dividends taken off, so that it is comparable with the stored
    close: it is below x with the probability of a return of `log((x + D) / last_close)` or less.

    Args:
        question: One without `measures`.
        returns: The calibrated k-bar log returns of one cutoff, shape `(1, horizon)`.
        last_close: The close at the cutoff.
        dividends: D at each step, shape `(horizon,)`.

    Returns:
        Probabilities, shape `(horizon,)`.
    """
    closes = FORMS[question.form].closes
    if closes is None:
        raise ValueError(f"`{question.text}` does not ask for a probability")
    asked = closes(last_close, [amount.of(last_close) for amount in question.numbers])

    def below(price: float) -> Array:
        ratio = np.maximum((price + dividends) / last_close, 0.0)
        with np.errstate(divide="ignore"):
            return np.where(ratio > 0, returns.cdf(np.log(np.where(ratio > 0, ratio, 1.0)))[0], 0.0)

    high = np.ones(len(dividends)) if np.isinf(asked.high) else below(asked.high)
    low = np.zeros(len(dividends)) if np.isinf(asked.low) else below(asked.low)
    return 1 - (high - low) if asked.outside else high - low


def tail_losses(returns: Calibrated) -> dict[str, Array]:
    """Return value at risk and expected shortfall of the k-bar return, as shares of the last close.

    A loss is positive. With Q* the quantile of the log return r, at each probability p of `TAIL_PROBABILITIES`,

        value at risk        1 - exp(Q*(p)): a larger loss has probability p
        expected shortfall   1 - E[exp(r) | r <= Q*(p)]: the mean loss in this share of cases

    The return is a total return: who holds a share over an ex-date has the dividend, too.

    Args:
        returns: The calibrated k-bar log returns of one cutoff, shape `(1, horizon)`.

    Returns:
        By measure, shape `(n_probabilities, horizon)`.
    """
    quantiles = np.stack([returns.quantile(p)[0] for p in TAIL_PROBABILITIES])
    return {
        VALUE_AT_RISK: -np.expm1(quantiles),
        EXPECTED_SHORTFALL: 1 - returns.mean_below(TAIL_PROBABILITIES)[:, 0],
    }
