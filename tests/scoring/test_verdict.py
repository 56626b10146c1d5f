from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from benchmarks.verdict_size_power import claims_under_the_null
from lstm_stock.distributions import Distribution, PointForecast, SignForecast, StudentT
from lstm_stock.distributions.intervals import LEVELS, Calibrator, Intervals
from lstm_stock.report.text import comparison, verdict_text
from lstm_stock.scoring.forecast_table import FORECAST_COLUMNS, price_intervals
from lstm_stock.scoring.scores import pooled_scores, score_table, ticker_scores
from lstm_stock.scoring.significance import christoffersen, diebold_mariano, kupiec, pesaran_timmermann
from lstm_stock.scoring.verdict import ALPHA, judge, read_verdict, short_verdict

SECTIONS = ("point", "direction", "distribution", "calibration")
N = 600
DF = 6.0


def volatile_returns(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns of a slowly moving volatility, which is given too."""
    random = np.random.default_rng(seed)
    log_volatility = np.zeros(N + 1)
    for i in range(1, N + 1):
        log_volatility[i] = 0.97 * log_volatility[i - 1] + random.normal(0, 0.15)
    volatility = 0.012 * np.exp(log_volatility[1:])
    return volatility * random.standard_t(DF, N) * math.sqrt((DF - 2) / DF), volatility


def t_forecast(volatility, centre=0.0) -> StudentT:
    scale = np.broadcast_to(volatility, (N,))[:, None] * math.sqrt((DF - 2) / DF)
    return StudentT(np.broadcast_to(centre, (N,))[:, None], scale, DF)


def rows(model: str, returns: Distribution, came: np.ndarray, ticker: str = "AAA") -> pd.DataFrame:
    """One model's rows of a forecast table, one step ahead."""
    close = 100 * np.exp(np.concatenate([[0.0], np.cumsum(came)]))
    last, y = close[:-1, None], came[:, None]
    percent = returns.rescale(100.0)
    cells = {
        "last_close": last,
        "y_true": last * np.exp(y),
        "direction": returns.direction(),
        **price_intervals(Intervals.of(returns, LEVELS), last),
        "crps": percent.crps(100 * y),
        "nll": percent.log_score(100 * y),
        "pit": percent.cdf(100 * y),
    }
    dates = pd.bdate_range("2015-01-01", periods=N + 1, unit="s")
    table = pd.DataFrame({name: np.ravel(values) for name, values in cells.items()})
    table = table.assign(ticker=ticker, model=model, step=1, insample_mae=1.0)
    return table.assign(cutoff=dates[:-1], date=dates[1:])[list(FORECAST_COLUMNS)]


def baselines(came, ticker="AAA") -> list[pd.DataFrame]:
    flat, drifting = t_forecast(0.015), t_forecast(0.015, 0.0005)
    up = SignForecast(np.ones((N, 1)))
    named = {"naive": flat, "constant_t": drifting, "always_up": up}
    return [rows(name, returns, came, ticker) for name, returns in named.items()]


def verdict_of(network: Distribution, came: np.ndarray) -> dict:
    return judge(pd.concat([rows("lstm", network, came), *baselines(came)]), "lstm")


CAME, VOLATILITY = volatile_returns(1)
NOISE = np.random.default_rng(9).normal(0, 0.012, N)


def test_who_knows_everything_is_better_in_everything():
    verdict = verdict_of(t_forecast(0.6 * VOLATILITY, 0.5 * CAME), CAME)
    assert [verdict[name]["verdict"] for name in SECTIONS[:3]] == ["better"] * 3
    assert short_verdict(verdict) == "better point and direction and distribution, miscalibrated"
    assert verdict["point"]["sentence"].startswith("Point: better than naive (RMSE ")
    assert verdict["distribution"]["beaten"] == ["naive", "constant_t"]
    assert "better than every baseline" in verdict["distribution"]["sentence"]
    assert "predicts it better than chance" in verdict["direction"]["sentence"]


def test_who_knows_the_volatility_is_better_in_the_distribution_only():
    verdict = verdict_of(t_forecast(VOLATILITY, 1e-5 * np.sign(NOISE)), CAME)
    assert [verdict[name]["verdict"] for name in SECTIONS] == [
        *("no evidence", "no evidence", "better", "no evidence")
    ]
    assert short_verdict(verdict) == "better distribution"


def test_a_noisy_centre_and_a_wrong_width_are_worse():
    verdict = verdict_of(t_forecast(0.005, NOISE), CAME)
    assert verdict["point"]["verdict"] == "worse"
    assert verdict["distribution"]["verdict"] == "worse"
    assert verdict["distribution"]["beaten"] == []
    assert verdict["calibration"]["verdict"] == "miscalibrated"
    assert "which is too few" in verdict["calibration"]["sentence"]
    assert verdict["point"]["sentence"].startswith("Point: worse than naive")
    assert short_verdict(verdict) == "worse point and distribution, miscalibrated"
    assert verdict["lag_copy"]["kind"] == "shifted"


def test_who_is_naive_gets_a_p_of_one_and_no_claim():
    verdict = verdict_of(t_forecast(0.015), CAME)
    assert verdict["point"]["p"] == 1.0
    assert verdict["point"]["verdict"] == "no evidence"
    assert verdict["point"]["skill"] == 0.0
    assert verdict["direction"]["verdict"] == "not tested"
    assert "never leaves the last close" in verdict["direction"]["sentence"]
    assert verdict["distribution"]["verdict"] == "no evidence"


def test_who_always_says_up_names_no_direction():
    verdict = verdict_of(t_forecast(VOLATILITY, 0.0004), CAME)
    assert verdict["direction"]["verdict"] == "not tested"
    assert verdict["direction"]["p"] is None
    assert "always forecasts up" in verdict["direction"]["sentence"]


def test_a_point_claims_no_distribution_and_is_judged_as_a_point():
    verdict = verdict_of(PointForecast((0.3 * CAME)[:, None]), CAME)
    assert verdict["point"]["verdict"] == "better"
    assert verdict["distribution"]["verdict"] == "not tested"
    assert "forecasts a point, not a distribution" in verdict["distribution"]["sentence"]
    assert verdict["calibration"]["verdict"] == "not tested"
    assert "the forecast has none" in verdict["calibration"]["sentence"]


def test_the_numbers_are_those_of_the_tests():
    network = t_forecast(VOLATILITY, 0.1 * NOISE)
    verdict = verdict_of(network, CAME)
    mine = rows("lstm", network, CAME)
    outside = (mine["y_true"] < mine["lo_90"]) | (mine["y_true"] > mine["hi_90"])
    assert verdict["calibration"]["p"] == pytest.approx(kupiec(outside.astype(float), 0.1).p, rel=1e-9)
    assert verdict["calibration"]["score"] == pytest.approx(1 - outside.mean())
    tested = pesaran_timmermann(mine["y_true"] - mine["last_close"], mine["direction"])
    assert (verdict["direction"]["statistic"], verdict["direction"]["p"]) == (tested.statistic, tested.p)
    naive = rows("naive", t_forecast(0.015), CAME)
    expected = 100 * (1 - mine["crps"].mean() / naive["crps"].mean())
    compared = {one["baseline"]: one for one in verdict["distribution"]["comparisons"]}
    assert compared["naive"]["skill"] == pytest.approx(expected)
    assert compared["naive"]["skill_lo_90"] < expected < compared["naive"]["skill_hi_90"]
    rmse = math.sqrt(((mine["y_true"] - mine["y_pred"]) ** 2).mean())
    assert verdict["point"]["score"] == pytest.approx(rmse)


def test_every_answer_has_its_parts_and_is_plain_json():
    for network in (t_forecast(VOLATILITY, NOISE), t_forecast(0.015), PointForecast(np.zeros((N, 1)))):
        verdict = verdict_of(network, CAME)
        assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
        for question in SECTIONS:
            assert {"verdict", "baseline", "statistic", "p", "n", "sentence"} <= set(verdict[question])


def test_the_order_of_rows_does_not_matter():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY, NOISE), CAME), *baselines(CAME)])
    shuffled = table.sample(frac=1, random_state=0)
    ours, theirs = judge(table, "lstm"), judge(shuffled, "lstm")
    assert ours["point"] == theirs["point"]
    assert ours["calibration"] == theirs["calibration"]
    assert ours["lag_copy"] == theirs["lag_copy"]


def test_too_few_cutoffs_are_not_tested():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY, NOISE), CAME), *baselines(CAME)])
    verdict = judge(table[table["cutoff"] < table["cutoff"].unique()[15]], "lstm")
    assert [verdict[name]["verdict"] for name in SECTIONS] == ["not tested"] * 4
    for name in SECTIONS:
        assert "15 cutoffs are too few" in verdict[name]["sentence"], name
    assert "Lag: not tested" in verdict["lag_copy"]["sentence"]


@pytest.mark.parametrize("n", [1, 19, 20, 21, 30])
@pytest.mark.parametrize("tickers", ["A", "AB"])
def test_any_number_of_cutoffs_gives_a_verdict(n, tickers):
    network = t_forecast(VOLATILITY, NOISE)
    tables = [
        t for ticker in tickers for t in (rows("lstm", network, CAME, ticker), *baselines(CAME, ticker))
    ]
    table = pd.concat(tables)
    verdict = judge(table[table["cutoff"].isin(table["cutoff"].unique()[:n])], "lstm")
    json.dumps(verdict, allow_nan=False)
    assert (verdict["point"]["verdict"] == "not tested") == (n < 20)
    assert (verdict["calibration"]["verdict"] == "not tested") == (n <= 20)
    assert verdict_text(verdict)


def test_a_baseline_of_other_dates_is_not_compared():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY, NOISE), CAME), *baselines(CAME)])
    half = table["cutoff"] < table["cutoff"].unique()[300]
    apart = table[np.where(table["model"] == "constant_t", half, ~half)]
    verdict = judge(apart, "lstm")
    json.dumps(verdict, allow_nan=False)
    compared = {one["baseline"]: one for one in verdict["distribution"]["comparisons"]}
    assert compared["constant_t"]["n"] == 0
    assert compared["constant_t"]["score"] is None


def test_an_unknown_model_is_told():
    with pytest.raises(ValueError, match="no rows of 'gru'"):
        judge(pd.concat(baselines(CAME)), "gru")


def test_without_the_baseline_of_the_point_the_rest_is_judged():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY, NOISE), CAME), baselines(CAME)[1]])
    verdict = judge(table, "lstm")
    assert verdict["point"]["verdict"] == "not tested"
    assert verdict["distribution"]["baseline"] == "constant_t"


# --- several tickers --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel() -> dict:
    tables = []
    for i, ticker in enumerate("ABC"):
        came, volatility = volatile_returns(i)
        noise = np.random.default_rng(i).normal(0, 0.001, N)
        tables += [rows("lstm", t_forecast(volatility, noise), came, ticker), *baselines(came, ticker)]
    return judge(pd.concat(tables), "lstm")


def test_several_tickers_are_judged_together_and_one_by_one(panel):
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
        for table in (rows("lstm", network, CAME, ticker), *baselines(CAME, ticker))
    ]
    ten, one = judge(pd.concat(tables), "lstm"), verdict_of(network, CAME)
    assert ten["distribution"]["p"] == pytest.approx(one["distribution"]["p"], rel=1e-6)
    assert ten["distribution"]["n"] == one["distribution"]["n"]


def test_a_baseline_that_one_ticker_lacks_is_compared_on_the_others():
    tables = []
    for i, ticker in enumerate("AB"):
        came, volatility = volatile_returns(i)
        tables.append(rows("lstm", t_forecast(volatility), came, ticker))
        tables += baselines(came, ticker)[: 3 - i - i]
    verdict = judge(pd.concat(tables), "lstm")
    compared = [one["baseline"] for one in verdict["distribution"]["comparisons"]]
    assert compared == ["naive", "constant_t"]
    assert [one["baseline"] for one in verdict["tickers"]["B"]["distribution"]["comparisons"]] == ["naive"]


def test_the_best_baseline_is_one_that_every_ticker_has():
    """On a wild ticker every CRPS is greater: who is not scored there would look best."""
    tables = []
    for ticker, wild in (("A", 1.0), ("B", 4.0)):
        tables.append(rows("lstm", t_forecast(wild * VOLATILITY), wild * CAME, ticker))
        tables.append(rows("naive", t_forecast(wild * 0.015), wild * CAME, ticker))
    tables.append(rows("garch", t_forecast(0.014), CAME, "A"))
    found = judge(pd.concat(tables), "lstm")["distribution"]
    assert found["baseline"] == "naive"
    assert found["partial"] == ["garch"]
    assert found["sentence"].endswith("; garch could not be fitted to every ticker")


def test_luck_knows_how_often_each_ticker_rises():
    """One ticker is told up and one down, always: that is no direction, and luck would be as right."""
    rising, falling = CAME + 0.004, CAME - 0.004
    tables = [
        *(rows("lstm", t_forecast(VOLATILITY, 0.001), rising, "A"), *baselines(rising, "A")),
        *(rows("lstm", t_forecast(VOLATILITY, -0.001), falling, "B"), *baselines(falling, "B")),
    ]
    direction = judge(pd.concat(tables), "lstm")["direction"]
    assert direction["verdict"] == "not tested"
    assert "always forecasts the same direction for each ticker" in direction["sentence"]
    assert direction["score"] == pytest.approx(direction["baseline_score"])


def test_the_words_fit_a_terminal_and_name_every_ticker(panel):
    text = verdict_text(panel)
    assert max(map(len, text.splitlines())) <= 79
    assert text.startswith("verdict, 1 step ahead, 3 tickers together:\nPoint: ")
    for ticker in "ABC":
        assert f"\n{ticker}: " in text


def test_one_ticker_has_five_paragraphs():
    text = verdict_text(verdict_of(t_forecast(VOLATILITY, NOISE), CAME))
    starts = [line.split(":")[0] for line in text.splitlines() if not line.startswith("    ")]
    assert starts == ["verdict, 1 step ahead", "Point", "Direction", "Distribution", "90 % interval", "Lag"]


def test_a_small_p_that_claims_nothing_is_explained():
    """One of three questions has a third of 5 %: a p between the two is told with its reason."""
    for seed in range(400):
        signs = np.random.default_rng(seed).choice([-1e-5, 1e-5], N)
        if ALPHA / 3 < pesaran_timmermann(CAME, signs).p < ALPHA:
            break
    direction = verdict_of(t_forecast(0.015, signs), CAME)["direction"]
    assert ALPHA / 3 < direction["p"] < ALPHA
    assert direction["verdict"] == "no evidence"
    assert "not significant: the questions share 5 %, 1.7 % are for this one" in direction["sentence"]


# --- the promise ------------------------------------------------------------------------------------------------


def test_skill_is_rarely_claimed_of_those_who_have_none():
    """20 walks a forecaster: 5 % of them are 1; more than 4 would come once in 400 times."""
    found: dict[str, int] = {}
    for i in range(10):
        for shocks in ("Gaussian", "Student-t(5)"):
            for name, claims in claims_under_the_null(np.random.default_rng([3, i]), shocks):
                found[name] = found.get(name, 0) + claims["any claim"]
                assert not (name == "shrunk" and claims["shifted price"])
    found.pop("the truth, whose skill is real")
    assert found.keys() == {"noise", "shrunk", "as good as all"}
    assert max(found.values()) <= 4, found


def adaptive_rows(returns: Distribution, came: np.ndarray, ticker: str = "AAA") -> pd.DataFrame:
    """The network's rows with adaptive intervals."""
    table = rows("lstm", returns, came, ticker)
    start = np.ones((1, len(LEVELS)))
    intervals = Calibrator("adaptive", LEVELS, start).apply(returns, came[:, None], np.ones((len(came), 1)))
    prices = price_intervals(intervals, table["last_close"].to_numpy()[:, None])
    return table.assign(**{name: values.ravel() for name, values in prices.items()})


def test_of_adaptive_intervals_the_trained_ones_are_tested():
    network = t_forecast(0.4 * VOLATILITY)
    table = adaptive_rows(network, CAME)
    trained = rows("lstm", network, CAME)
    found = judge(pd.concat([table, *baselines(CAME)]), "lstm", "adaptive")["calibration"]
    misses = ((trained["pit"] < 0.05) | (trained["pit"] > 0.95)).astype(float)
    outside = (trained["y_true"] < trained["lo_90"]) | (trained["y_true"] > trained["hi_90"])
    assert misses.tolist() == outside.astype(float).tolist()
    assert found["tests"]["coverage"]["p"] == pytest.approx(kupiec(misses, 0.1).p)
    assert found["tests"]["independence"]["p"] == pytest.approx(christoffersen(misses).p)
    assert (found["tested"], found["tested_score"]) == ("trained", pytest.approx(1 - misses.mean()))
    reported = (table["y_true"] < table["lo_90"]) | (table["y_true"] > table["hi_90"])
    assert found["score"] == pytest.approx(1 - reported.mean())
    assert found["score"] > found["tested_score"] + 0.1
    assert {"coverage", "pit"} <= set(found["faults"])
    assert "not tested: adaptive intervals reach their level by construction" in found["sentence"]
    assert (
        f"the trained interval covers {100 * found['tested_score']:.1f} %, which is too few (Kupiec p <"
        in found["sentence"]
    )
    assert "the shape of the trained distribution is wrong" in found["sentence"]


def test_misses_of_adaptive_intervals_that_avoid_each_other_are_no_fault():
    """An adaptive interval widens after a miss, so that its misses avoid each other whatever the forecast."""
    network = t_forecast(VOLATILITY)
    table = adaptive_rows(network, CAME)
    every_tenth = np.arange(N) % 10 == 0
    last = table["last_close"]
    table = table.assign(lo_90=np.where(every_tenth, 2 * last, 0.01 * last), hi_90=100 * last)
    verdicts = {
        kind: judge(pd.concat([table, *baselines(CAME)]), "lstm", kind) for kind in ("none", "adaptive")
    }
    assert verdicts["none"]["calibration"]["faults"] == ["independence"]
    assert verdicts["adaptive"]["calibration"]["faults"] == []
    assert "miscalibrated" not in short_verdict(verdicts["adaptive"])


def test_calibration_of_the_truth_is_tested_alike_with_and_without_adaptive_intervals():
    """The same three tests share one level, so that the promise of 5 % holds for both."""
    for seed in range(5):
        came, volatility = volatile_returns(seed)
        network = t_forecast(volatility)
        plain, adaptive = (
            judge(pd.concat([table, *baselines(came)]), "lstm", kind)["calibration"]
            for table, kind in (
                (rows("lstm", network, came), "none"),
                (adaptive_rows(network, came), "adaptive"),
            )
        )
        assert plain["tests"] == adaptive["tests"]
        assert plain["faults"] == adaptive["faults"]


def test_adaptive_intervals_of_several_tickers_are_tested_by_date():
    tables = []
    for i, ticker in enumerate("AB"):
        came, volatility = volatile_returns(i)
        tables += [adaptive_rows(t_forecast(0.4 * volatility), came, ticker), *baselines(came, ticker)]
    found = judge(pd.concat(tables), "lstm", "adaptive")["calibration"]
    assert found["tests"]["coverage"]["test"] == "by date"
    assert "coverage" in found["faults"]


def test_adaptive_intervals_around_a_point_are_described_and_not_tested():
    point = rows("lstm", PointForecast(np.zeros((N, 1))), CAME)
    half = np.exp(2.0 * VOLATILITY)
    table = point.assign(lo_90=point["last_close"] / half, hi_90=point["last_close"] * half)
    found = judge(pd.concat([table, *baselines(CAME)]), "lstm", "adaptive")["calibration"]
    assert found["verdict"] == "not tested"
    assert found["score"] > 0.8
    assert found["sentence"].endswith("(not tested: adaptive intervals reach their level by construction)")


# --- infinite losses --------------------------------------------------------------------------------------------


def with_infinite(score: str, *models: str, value: float = np.inf) -> pd.DataFrame:
    network = t_forecast(VOLATILITY, 1e-5 * np.sign(NOISE))
    table = pd.concat([rows("lstm", network, CAME), *baselines(CAME)], ignore_index=True)
    rows_of = [table.index[table["model"] == model][5] for model in models]
    table.loc[rows_of, score] = value
    return table


@pytest.mark.parametrize(
    ("score", "models", "question", "outcome", "sentence"),
    [
        (
            "nll",
            ["lstm"],
            "distribution",
            "better",
            "the NLL of lstm is infinite: an outcome had a density of 0",
        ),
        ("nll", ["naive"], "distribution", "better", "the NLL of naive is infinite: an outcome"),
        ("nll", ["lstm", "naive"], "distribution", "better", "the NLL of lstm and naive is infinite"),
        ("crps", ["lstm"], "distribution", "not tested", "not tested: the CRPS of lstm is infinite"),
        ("crps", ["naive"], "distribution", "better", "; not compared with naive, whose CRPS is infinite"),
        ("crps", ["lstm", "naive", "constant_t"], "distribution", "not tested", "the CRPS of lstm and "),
        (
            "y_pred",
            ["lstm"],
            "point",
            "not tested",
            "Point: not tested: the RMSE of lstm is infinite",
        ),
        ("y_pred", ["naive"], "point", "not tested", "Point: not tested: the RMSE of naive is infinite"),
    ],
)
def test_an_infinite_loss_is_stated_and_stops_nothing(score, models, question, outcome, sentence):
    table = with_infinite(score, *models)
    verdict = judge(table, "lstm")
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    assert sentence in verdict[question]["sentence"]
    assert verdict[question]["verdict"] == outcome
    assert "nan" not in verdict_text(verdict)
    scores = score_table(table)
    assert np.isinf(scores.set_index("model").loc[models, "rmse" if score == "y_pred" else score]).all()
    assert "nan" not in comparison(scores, "lstm", "AAA")
    pooled_scores(scores, "lstm")
    ticker_scores(scores, "lstm")


@pytest.mark.parametrize("value", [1e200, 1.7e308])
@pytest.mark.parametrize("score", ["nll", "crps", "y_pred"])
def test_a_loss_whose_square_overflows_counts_as_infinite(score, value):
    table = with_infinite(score, "lstm", value=value)
    text = verdict_text(judge(table, "lstm"))
    assert "infinite" in text
    assert len(text) < 2000
    comparison(score_table(table), "lstm", "AAA")


def test_an_infinite_loss_of_one_of_several_tickers_is_stated():
    tables = [with_infinite("nll", "lstm").assign(ticker="A")]
    tables += [rows("lstm", t_forecast(VOLATILITY), CAME, "B"), *baselines(CAME, "B")]
    verdict = judge(pd.concat(tables), "lstm")
    assert "the NLL of lstm is infinite" in verdict["distribution"]["sentence"]
    assert "infinite" not in verdict["tickers"]["B"]["distribution"]["sentence"]


def test_an_interval_without_ends_covers_everything():
    table = with_infinite("hi_90", "lstm")
    table["lo_90"] = np.where(np.isinf(table["hi_90"]), -np.inf, table["lo_90"])
    assert judge(table, "lstm")["calibration"]["score"] > 0
    assert np.isinf(score_table(table)["width_90"][0])


# --- saved verdicts ---------------------------------------------------------------------------------------------


def test_a_verdict_of_today_is_read_as_it_was_written(panel):
    assert read_verdict(panel) == panel
    assert read_verdict({}) == {}


def test_an_old_verdict_is_read_in_the_terms_of_today():
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


def test_misses_that_avoid_each_other_are_not_called_clusters():
    table = pd.concat([rows("lstm", t_forecast(VOLATILITY), CAME), *baselines(CAME)])
    every_tenth = np.arange(len(table)) % 10 == 0
    wide, narrow = 100 * table["y_true"], 0.01 * table["y_true"]
    table = table.assign(lo_90=narrow, hi_90=np.where(every_tenth, narrow, wide))
    assert "misses avoid each other" in judge(table, "lstm")["calibration"]["sentence"]
    runs = (np.arange(len(table)) // 6) % 10 == 0
    table = table.assign(hi_90=np.where(runs, narrow, wide))
    assert "; misses cluster" in judge(table, "lstm")["calibration"]["sentence"]


def test_a_point_is_tested_in_percent_and_shown_in_prices():
    """A hundredfold price must not make the late years count more."""
    drift = np.full(N, 0.0077)
    table = pd.concat([rows("lstm", t_forecast(0.015, 0.002), CAME + drift), *baselines(CAME + drift)])
    point = judge(table, "lstm")["point"]
    mine = table[table["model"] == "lstm"]
    assert point["score"] == pytest.approx(math.sqrt(((mine["y_true"] - mine["y_pred"]) ** 2).mean()))
    naive = table[table["model"] == "naive"]
    ours, theirs = (
        (100 * (one["y_true"] / one["last_close"] - one["y_pred"] / one["last_close"]).to_numpy()) ** 2
        for one in (mine, naive)
    )
    assert point["p"] == pytest.approx(diebold_mariano(ours - theirs, 1, "less").p, rel=1e-9)


def test_intervals_around_a_point_are_tested_though_it_has_no_pit():
    point = rows("lstm", PointForecast(np.zeros((N, 1))), CAME)
    half = np.exp(2.0 * VOLATILITY)
    held = point.assign(lo_90=point["last_close"] / half, hi_90=point["last_close"] * half)
    found = judge(pd.concat([held, *baselines(CAME)]), "lstm")["calibration"]
    assert found["tests"]["coverage"]["p"] == pytest.approx(
        kupiec(np.abs(CAME) > 2.0 * VOLATILITY, 0.1).p, rel=1e-9
    )
    assert found["tests"]["pit"]["p"] is None
    assert "PIT" not in found["sentence"]
    assert "nan" not in found["sentence"]
