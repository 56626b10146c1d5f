from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from benchmarks.verdict.batch import claims
from benchmarks.verdict.claims import STEPS, agreement, score
from benchmarks.verdict.forecasters import FOLLOWERS, equal_forecasts
from benchmarks.verdict.worlds import market
from lstm_stock.distributions import PointForecast
from lstm_stock.report.text import verdict_text
from lstm_stock.scoring.significance import diebold_mariano, kupiec, pesaran_timmermann
from lstm_stock.scoring.verdict import ALPHA, Subject, judge, short_verdict
from tests.scoring.forecasts import (
    NOISE,
    REALISED,
    VOLATILITY,
    N,
    baselines,
    rows,
    t_forecast,
    verdict_of,
    volatile_returns,
)

SECTIONS = ("point", "direction", "distribution", "calibration")


def test_a_network_with_information_is_better_in_everything():
    verdict = verdict_of(t_forecast(0.6 * VOLATILITY, 0.5 * REALISED), REALISED)
    assert [verdict[name]["verdict"] for name in SECTIONS[:3]] == ["better"] * 3
    assert short_verdict(verdict) == "better point and direction and distribution, miscalibrated"
    assert " Yes (0.727 % of the price against 1.450 %, " in verdict["point"]["sentence"]
    assert verdict["distribution"]["beaten"] == ["naive", "constant_t"]
    assert " Yes, than that of every one; the best: " in verdict["distribution"]["sentence"]
    assert " Yes (right " in verdict["direction"]["sentence"]


def test_a_network_that_knows_the_volatility_is_better_in_the_distribution_only():
    verdict = verdict_of(t_forecast(VOLATILITY, 1e-5 * np.sign(NOISE)), REALISED)
    assert [verdict[name]["verdict"] for name in SECTIONS] == [
        *("no evidence", "no evidence", "better", "no evidence")
    ]
    assert short_verdict(verdict) == "better distribution"


def test_a_noisy_centre_and_a_wrong_width_are_worse():
    verdict = verdict_of(t_forecast(0.005, NOISE), REALISED)
    assert verdict["point"]["verdict"] == "worse"
    assert verdict["distribution"]["verdict"] == "worse"
    assert verdict["distribution"]["beaten"] == []
    assert verdict["calibration"]["verdict"] == "miscalibrated"
    assert "too few at 50 % (p < 0.001)" in verdict["calibration"]["sentence"]
    assert verdict["calibration"]["sentence"].endswith("Do not take these probabilities as stated")
    assert " No, it is higher (1.956 % of the price against " in verdict["point"]["sentence"]
    assert short_verdict(verdict) == "worse point and distribution, miscalibrated"
    assert verdict["lag_copy"]["kind"] == "shifted"


def test_a_naive_network_gets_a_p_of_one_and_no_claim():
    verdict = verdict_of(t_forecast(0.015), REALISED)
    assert verdict["point"]["p"] == 1.0
    assert verdict["point"]["verdict"] == "no evidence"
    assert verdict["point"]["skill"] == 0.0
    assert verdict["direction"]["verdict"] == "not tested"
    assert "it never leaves the last close" in verdict["direction"]["sentence"]
    assert verdict["distribution"]["verdict"] == "not tested"
    assert "does not follow volatility (a volatility twice as high" in verdict["distribution"]["sentence"]


def test_a_network_that_always_forecasts_up_has_no_direction_to_test():
    verdict = verdict_of(t_forecast(VOLATILITY, 0.0004), REALISED)
    assert verdict["direction"]["verdict"] == "not tested"
    assert verdict["direction"]["p"] is None
    assert "always forecasts a rise" in verdict["direction"]["sentence"]


def test_of_a_point_forecast_only_the_point_is_tested():
    verdict = verdict_of(PointForecast((0.3 * REALISED)[:, None]), REALISED)
    assert verdict["point"]["verdict"] == "better"
    assert verdict["distribution"]["verdict"] == "not tested"
    assert "forecasts a point, not a distribution" in verdict["distribution"]["sentence"]
    assert verdict["calibration"]["verdict"] == "not tested"
    assert "the forecast has no distribution" in verdict["calibration"]["sentence"]
    assert verdict["intervals"]["sentence"] == "Intervals shown: none"


def test_the_numbers_are_those_of_the_tests():
    network = t_forecast(VOLATILITY, 0.1 * NOISE)
    verdict = verdict_of(network, REALISED)
    network_rows = rows("lstm", network, REALISED)
    outside = (network_rows["y_true"] < network_rows["lo_90"]) | (
        network_rows["y_true"] > network_rows["hi_90"]
    )
    assert verdict["calibration"]["p"] == pytest.approx(kupiec(outside.astype(float), 0.1).p, rel=1e-9)
    assert verdict["calibration"]["coverage"]["90"] == pytest.approx(1 - outside.mean())
    assert verdict["intervals"]["coverage"]["90"] == pytest.approx(1 - outside.mean())
    tested = pesaran_timmermann(
        network_rows["y_true"] - network_rows["last_close"], network_rows["direction"]
    )
    assert (verdict["direction"]["statistic"], verdict["direction"]["p"]) == (tested.statistic, tested.p)
    naive = rows("naive", t_forecast(0.015), REALISED)
    ours, theirs = (table["crps"] / (100 * table["trailing_vol"]) for table in (network_rows, naive))
    expected = 100 * (1 - ours.mean() / theirs.mean())
    compared = {one["baseline"]: one for one in verdict["distribution"]["comparisons"]}
    assert compared["naive"]["skill"] == pytest.approx(expected)
    assert compared["naive"]["skill_lo_90"] < expected < compared["naive"]["skill_hi_90"]
    errors = 100 * (network_rows["y_true"] - network_rows["y_pred"]) / network_rows["last_close"]
    assert verdict["point"]["score"] == pytest.approx(math.sqrt((errors**2).mean()))


def test_every_section_has_its_keys_and_is_plain_json():
    for network in (t_forecast(VOLATILITY, NOISE), t_forecast(0.015), PointForecast(np.zeros((N, 1)))):
        verdict = verdict_of(network, REALISED)
        assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
        for question in SECTIONS:
            assert {"verdict", "baseline", "statistic", "p", "n", "sentence"} <= set(verdict[question])


def test_the_order_of_rows_does_not_matter():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY, NOISE), REALISED), *baselines(REALISED)])
    shuffled = table.sample(frac=1, random_state=0)
    ours, theirs = judge(table, Subject("lstm")), judge(shuffled, Subject("lstm"))
    assert ours["point"] == theirs["point"]
    assert ours["calibration"] == theirs["calibration"]
    assert ours["lag_copy"] == theirs["lag_copy"]


def test_too_few_cutoffs_are_not_tested():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY, NOISE), REALISED), *baselines(REALISED)])
    verdict = judge(table[table["cutoff"] < table["cutoff"].unique()[15]], Subject("lstm"))
    assert [verdict[name]["verdict"] for name in SECTIONS] == ["not tested"] * 4
    for name in SECTIONS:
        assert "15 cutoffs are too few" in verdict[name]["sentence"], name
    assert "Lag: not tested" in verdict["lag_copy"]["sentence"]


@pytest.mark.parametrize("n", [1, 19, 20, 21, 30])
@pytest.mark.parametrize("tickers", ["A", "AB"])
def test_any_number_of_cutoffs_gives_a_verdict(n, tickers):
    network = t_forecast(VOLATILITY, NOISE)
    tables = [
        t
        for ticker in tickers
        for t in (rows("lstm", network, REALISED, ticker), *baselines(REALISED, ticker))
    ]
    table = pd.concat(tables)
    verdict = judge(table[table["cutoff"].isin(table["cutoff"].unique()[:n])], Subject("lstm"))
    json.dumps(verdict, allow_nan=False)
    assert (verdict["point"]["verdict"] == "not tested") == (n < 20)
    assert (verdict["calibration"]["verdict"] == "not tested") == (n <= 20)
    assert verdict_text(verdict)


def test_a_baseline_of_other_dates_is_not_compared():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY, NOISE), REALISED), *baselines(REALISED)])
    half = table["cutoff"] < table["cutoff"].unique()[300]
    apart = table[np.where(table["model"] == "constant_t", half, ~half)]
    verdict = judge(apart, Subject("lstm"))
    json.dumps(verdict, allow_nan=False)
    compared = {one["baseline"]: one for one in verdict["distribution"]["comparisons"]}
    assert compared["constant_t"]["n"] == 0
    assert compared["constant_t"]["score"] is None


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="no rows of 'gru'"):
        judge(pd.concat(baselines(REALISED)), Subject("gru"))


def test_without_the_baseline_of_the_point_the_rest_is_tested():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY, NOISE), REALISED), baselines(REALISED)[1]])
    verdict = judge(table, Subject("lstm"))
    assert verdict["point"]["verdict"] == "not tested"
    assert verdict["distribution"]["baseline"] == "constant_t"


def test_several_tickers_are_judged_together_and_each_alone(panel):
    assert panel["n_tickers"] == 3
    assert panel["distribution"]["verdict"] == "better"
    assert panel["distribution"]["n"] == N
    assert "% of the price" in panel["point"]["sentence"]
    assert list(panel["tickers"]) == ["A", "B", "C"]
    assert panel["alpha"] == ALPHA / 2
    assert all(one["alpha"] == ALPHA / 6 for one in panel["tickers"].values())
    assert panel["lag_copy"]["kinds"] == {"near_last_close": 3, "shifted": 0, "other": 0}
    assert panel["calibration"]["verdict"] == "no evidence"
    assert panel["direction"]["test"] == "by date"


def test_ten_copies_of_a_ticker_are_no_more_evidence_than_one():
    network = t_forecast(VOLATILITY, 0.1 * NOISE)
    tables = [
        table
        for ticker in "ABCDEFGHIJ"
        for table in (rows("lstm", network, REALISED, ticker), *baselines(REALISED, ticker))
    ]
    ten, one = judge(pd.concat(tables), Subject("lstm")), verdict_of(network, REALISED)
    assert ten["distribution"]["p"] == pytest.approx(one["distribution"]["p"], rel=1e-6)
    assert ten["distribution"]["n"] == one["distribution"]["n"]


def test_a_baseline_that_one_ticker_lacks_is_compared_on_the_others():
    tables = []
    for i, ticker in enumerate("AB"):
        realised, volatility = volatile_returns(i)
        tables.append(rows("lstm", t_forecast(volatility), realised, ticker))
        tables += baselines(realised, ticker)[: 3 - i - i]
    verdict = judge(pd.concat(tables), Subject("lstm"))
    compared = [one["baseline"] for one in verdict["distribution"]["comparisons"]]
    assert compared == ["naive", "constant_t"]
    assert [one["baseline"] for one in verdict["tickers"]["B"]["distribution"]["comparisons"]] == ["naive"]


def test_the_best_baseline_is_one_that_every_ticker_has():
    """On a wild ticker every CRPS is greater: a baseline not scored there would look best."""
    tables = []
    for ticker, wild in (("A", 1.0), ("B", 4.0)):
        tables.append(rows("lstm", t_forecast(wild * VOLATILITY), wild * REALISED, ticker))
        tables.append(rows("naive", t_forecast(wild * 0.015), wild * REALISED, ticker))
    tables.append(rows("garch", t_forecast(0.014), REALISED, "A"))
    found = judge(pd.concat(tables), Subject("lstm"))["distribution"]
    assert found["baseline"] == "naive"
    assert found["partial"] == ["garch"]
    assert found["sentence"].endswith(". garch could not be fitted to every ticker")


def test_the_hit_rate_by_chance_is_that_of_each_ticker():
    """One ticker is always forecast up and one down: that is no direction, and chance is as often right."""
    rising, falling = REALISED + 0.004, REALISED - 0.004
    tables = [
        *(rows("lstm", t_forecast(VOLATILITY, 0.001), rising, "A"), *baselines(rising, "A")),
        *(rows("lstm", t_forecast(VOLATILITY, -0.001), falling, "B"), *baselines(falling, "B")),
    ]
    direction = judge(pd.concat(tables), Subject("lstm"))["direction"]
    assert direction["verdict"] == "not tested"
    assert "always forecasts the same direction for each ticker" in direction["sentence"]
    assert direction["score"] == pytest.approx(direction["baseline_score"])


def test_the_text_fits_a_terminal_and_names_every_ticker(panel):
    text = verdict_text(panel)
    assert max(map(len, text.splitlines())) <= 79
    assert text.startswith(f"verdict on {N} days, 1 step ahead, 3 tickers together:\nPoint: ")
    for ticker in "ABC":
        assert f"\n{ticker}: " in text


def test_one_ticker_has_eight_paragraphs():
    text = verdict_text(verdict_of(t_forecast(VOLATILITY, NOISE), REALISED))
    starts = [line.split(":")[0] for line in text.splitlines() if not line.startswith("    ")]
    assert starts == [
        f"verdict on {N} days, 1 step ahead",
        *("Point", "Direction", "Distribution", "Calibration", "Intervals shown", "Risk", "P(up)", "Lag"),
    ]


def test_a_small_p_that_claims_nothing_is_explained():
    """One of two questions has half of 5 %: a p between the two is explained."""
    for seed in range(400):
        signs = np.random.default_rng(seed).choice([-1e-5, 1e-5], N)
        if ALPHA / 2 < pesaran_timmermann(REALISED, signs).p < ALPHA:
            break
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY, signs), REALISED), *baselines(REALISED)])
    direction = judge(table, Subject("lstm", followers=()))["direction"]
    assert ALPHA / 2 < direction["p"] < ALPHA
    assert direction["verdict"] == "no evidence"
    assert "not significant: all questions share 5 %, the tests of this one 2.5 %" in direction["sentence"]


@pytest.mark.parametrize("world", ["log-vol AR(.98)", "GARCH-t", "regimes"])
def test_equally_good_forecasters_are_rarely_called_better_or_worse(world):
    """200 series a side: 5 % of them are 10; more than 19 would come once in 300 times."""
    random = np.random.default_rng(3)
    of = market(random, world, 200, 1, 250)
    null = next(iter(FOLLOWERS))
    forecasts = {step: equal_forecasts(random, null, world, of, step, 3) for step in STEPS}
    for side in claims(score(random, of, forecasts), ALPHA):
        assert side.any(axis=1).sum() <= 19


def test_the_claims_of_the_benchmark_are_those_of_the_verdict():
    assert agreement(4, gain=5.0) == (4, 4)


def test_a_point_is_tested_and_stated_in_percent():
    """A hundredfold price must not give the late years more weight."""
    drift = np.full(N, 0.0077)
    table = pd.concat(
        [rows("lstm", t_forecast(0.015, 0.002), REALISED + drift), *baselines(REALISED + drift)]
    )
    point = judge(table, Subject("lstm"))["point"]
    network_rows = table[table["model"] == "lstm"]
    naive = table[table["model"] == "naive"]
    ours, theirs = (
        (100 * (one["y_true"] / one["last_close"] - one["y_pred"] / one["last_close"]).to_numpy()) ** 2
        for one in (network_rows, naive)
    )
    assert point["score"] == pytest.approx(math.sqrt(ours.mean()))
    assert point["baseline_score"] == pytest.approx(math.sqrt(theirs.mean()))
    assert point["p"] == pytest.approx(diebold_mariano(ours - theirs, 1, "less").p, rel=1e-9)


def test_only_baselines_that_follow_volatility_are_in_the_claims():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY), REALISED), *baselines(REALISED)])
    alone = judge(table, Subject("lstm", followers=()))
    assert alone["distribution"]["verdict"] == "not tested"
    assert "no baseline with changing volatility" in alone["distribution"]["sentence"]
    assert alone["point"]["baseline"] == "naive"  # the point does not depend on volatility
    with_ewma = pd.concat([table, rows("ewma", t_forecast(1.1 * VOLATILITY), REALISED)])
    found = judge(with_ewma, Subject("lstm", followers=("ewma", "garch")))["distribution"]
    assert [one["baseline"] for one in found["comparisons"]] == ["ewma"]
    assert found["confidence_set"] in (["lstm"], ["lstm", "ewma"])


def test_a_network_of_constant_width_is_not_called_better_but_may_be_worse():
    good = rows("ewma", t_forecast(VOLATILITY), REALISED)
    bad = rows("garch", t_forecast(4 * VOLATILITY), REALISED)
    verdict = judge(pd.concat([rows("lstm", t_forecast(0.015), REALISED), good, bad]), Subject("lstm"))
    assert verdict["distribution"]["beaten"] == []
    assert verdict["distribution"]["width_slope"] == pytest.approx(0, abs=0.05)
    worse = judge(pd.concat([rows("lstm", t_forecast(0.08), REALISED), good]), Subject("lstm"))
    assert worse["distribution"]["verdict"] == "worse"


def test_a_gain_on_wild_days_alone_is_not_claimed_and_explained():
    network = rows("lstm", t_forecast(VOLATILITY), REALISED)
    order = network["trailing_vol"].rank(pct=True)
    loss = network["crps"] * np.select([order > 2 / 3, order > 1 / 3], [1.6, 0.99], 0.99)
    table = pd.concat([network, network.assign(model="ewma", crps=loss)])
    found = judge(table, Subject("lstm"))["distribution"]
    assert found["p"] < 0.01
    assert (found["verdict"], found["beaten"]) == ("no evidence", [])
    assert (
        "not claimed: the difference is not there on quiet, middle and wild days alike" in found["sentence"]
    )


def test_the_last_step_is_judged_too_and_shares_the_level():
    first = pd.concat([rows("lstm", t_forecast(VOLATILITY, NOISE), REALISED), *baselines(REALISED)])
    both = judge(pd.concat([first, first.assign(step=5)]), Subject("lstm"))
    assert (both["step"], both["last"]["step"]) == (1, 5)
    assert both["last"]["point"]["p"] == pytest.approx(
        diebold_mariano(both_squares(first), 5, "less").p, rel=1e-9
    )
    assert both["point"]["p"] == judge(first, Subject("lstm"))["point"]["p"]
    text = verdict_text(both)
    assert f"\nverdict on {N} days, 5 steps ahead; moves overlap, which the tests allow for:\nPoint: " in text
    assert text.count("Lag: ") == 1


def both_squares(table: pd.DataFrame) -> np.ndarray:
    """Squared errors in percent of the network less those of naive."""
    squares = (100 * (table["y_true"] - table["y_pred"]) / table["last_close"]) ** 2
    return squares[table["model"] == "lstm"].to_numpy() - squares[table["model"] == "naive"].to_numpy()


def test_the_smallest_gain_of_a_test_period_is_stated():
    verdict = verdict_of(t_forecast(VOLATILITY, 1e-5 * np.sign(NOISE)), REALISED)
    gain = verdict["point"]["smallest_gain"]
    assert 0 < gain < 100
    assert (
        f"These {N} days show a true reduction of {gain:.2g} % with 80 % probability"
        in verdict["point"]["sentence"]
    )


def test_few_signs_of_one_kind_are_tested_exactly():
    signs = np.ones(N)
    signs[[50, 200, 350]] = -1
    direction = verdict_of(t_forecast(VOLATILITY, 1e-4 * signs), REALISED)["direction"]
    assert direction["test"] == "Fisher's exact test"
