from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lstm_stock.scoring.verdict import Subject, judge
from tests.scoring.forecasts import (
    N,
    baselines,
    rows,
    t_forecast,
    volatile_returns,
)


@pytest.fixture(scope="module")
def panel() -> dict:
    tables = []
    for i, ticker in enumerate("ABC"):
        realised, volatility = volatile_returns(i)
        noise = np.random.default_rng(i).normal(0, 0.001, N)
        tables += [
            rows("lstm", t_forecast(volatility, noise), realised, ticker),
            *baselines(realised, ticker),
        ]
    return judge(pd.concat(tables), Subject("lstm"))
