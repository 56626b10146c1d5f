from __future__ import annotations

from lstm_stock.scoring.verdict import read_verdict, short_verdict


def test_a_verdict_of_this_version_is_read_unchanged(panel):
    assert read_verdict(panel) == panel
    assert read_verdict({}) == {}


def test_a_verdict_of_an_older_version_is_read_in_the_terms_of_this_one():
    test = {"test": "", "statistic": None, "p": None, "p_holm": None, "n": 700}
    saved = {
        "calibration": {
            "verdict": "miscalibrated",
            "tests": {"coverage": test, "independence": test | {"p": 0.001}, "pit": test | {"p": 0.5}},
            "faults": ["independence"],
            "sentence": "90 % interval: covers 89.8 %; misses avoid each other (Christoffersen p = 0.001); no",
        },
        "lag_copy": {"kind": "stays", "stray": 0.1},
    }
    found = read_verdict(saved)
    assert found["lag_copy"] == {"kind": "near_last_close", "stray": 0.1}
    assert (found["calibration"]["verdict"], found["calibration"]["faults"]) == ("no evidence", [])
    assert found["calibration"]["sentence"] == "90 % interval: covers 89.8 %; no"
    assert short_verdict(found) == "no evidence"
    both = {**saved["calibration"], "faults": ["independence", "pit"]}
    assert read_verdict({"calibration": both})["calibration"]["verdict"] == "miscalibrated"
    counts = {"stays": 3, "copy": 1, "other": 0}
    read = read_verdict({"tickers": {"A": saved}, "lag_copy": {"kinds": counts}})
    assert read["lag_copy"]["kinds"] == {"near_last_close": 3, "shifted": 1, "other": 0}
    assert read["tickers"]["A"] == found
