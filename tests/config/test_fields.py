from __future__ import annotations

import pytest

from lstm_stock.config.tickers import normalise_ticker
from lstm_stock.errors import DataError

TICKER = (
    "must be a ticker: 1 to 32 letters, digits and `.-^=&_+$:`, not beginning with `.` or `-`, without `..`"
)


@pytest.mark.parametrize(
    "text",
    ["", " ", "A B", "AAPL\n", "A/B", "A\\B", "..", ".", "A..B", "-A", "^", "A" * 33, "Å", "ſ", "A\0"],
)
def test_invalid_tickers_are_refused(text: str) -> None:
    with pytest.raises(DataError) as caught:
        normalise_ticker(text)
    assert caught.value.message.endswith(TICKER)
    assert caught.value.hint == "write it as Yahoo does: AAPL, BRK-B, ^GSPC, 0700.HK"


def test_tickers_are_upper_case() -> None:
    assert [normalise_ticker(text) for text in ("aapl", "^gspc", "0700.hk")] == ["AAPL", "^GSPC", "0700.HK"]
