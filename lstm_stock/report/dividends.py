"""Sentences on the dividends of a forecast: those taken off its prices, and those that may be missing."""

from __future__ import annotations

from collections.abc import Mapping

from lstm_stock.prices.dividends import DividendsAhead
from lstm_stock.prices.table import counted
from lstm_stock.report.text import MAX_DETAILED_TICKERS, name_tickers


def taken_off(dividends: Mapping[str, DividendsAhead]) -> list[str]:
    """Return a sentence for each dividend that the forecasts take off, or one for many tickers.

    Args:
        dividends: Those of each ticker.
    """
    if len(dividends) > MAX_DETAILED_TICKERS:
        tickers = [ticker for ticker, ahead in dividends.items() if ahead.usual]
        return [f"less usual dividends: {name_tickers(tickers)} (`--ticker` shows them)"] if tickers else []
    texts = []
    for ticker, ahead in dividends.items():
        texts += [
            f"{ticker}: from {day:%a %F} on, prices are less the dividend of {amount_text(amount)}"
            for day, amount in sorted(ahead.known.items())
            if amount > 0
        ]
        texts += [
            f"{ticker}: from {one.ex_date:%a %F} on, prices are less the usual dividend of "
            f"{amount_text(one.amount)}, expected on that date (off by at most {counted(one.uncertainty, 'day')} "
            f"for the last {one.n_past}; `--dividend` replaces it)"
            for one in ahead.usual
        ]
    return texts


def left_out(dividends: Mapping[str, DividendsAhead]) -> list[str]:
    """Return a sentence for each usual dividend that may be missing in the forecasts, or one for many tickers.

    Args:
        dividends: Those of each ticker.
    """
    if len(dividends) > MAX_DETAILED_TICKERS:
        tickers = [ticker for ticker, ahead in dividends.items() if ahead.possible]
        text = (
            f"dividends that may fall into the horizon are not taken off: {name_tickers(tickers)} (`--ticker` "
            "shows them)"
        )
        return [text] if tickers else []
    return [
        f"{ticker}: a dividend of about {amount_text(one.amount)} is usual around {one.ex_date:%a %F}, give or "
        f"take {counted(one.uncertainty, 'day')}: prices from its ex-date on will be lower by it, which the "
        "forecast does not take off (`--dividend DATE=AMOUNT` does)"
        for ticker, ahead in dividends.items()
        for one in ahead.possible
    ]


def amount_text(amount: float) -> str:
    """Format a dividend: at least two decimals, at most four.

    >>> amount_text(0.24), amount_text(0.1925), amount_text(1.5)
    ('0.24', '0.1925', '1.50')
    """
    text = f"{amount:.4f}".rstrip("0")
    return text + "0" * (2 - len(text.partition(".")[2]))
