"""`predict --ask`."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pandas as pd
import pytest

from lstm_stock.runs.run import Run
from lstm_stock.workflow.questions import ANSWER_COLUMNS, COMMON_DRIFT, NO_EVIDENCE, note_on_direction
from tests.conftest import Trained
from tests.helpers import assert_fits, assert_user_error


def test_the_probabilities_agree_with_the_intervals_of_the_forecast(cli, trained: Trained):
    forecast = json.loads(cli("predict", "--format", "json", *trained.options).out)
    asked = []
    for row in forecast:
        asked += ["--ask", f"below {row['lo_90']!r} at step {row['step']}"]
        asked += ["--ask", f"between {row['lo_50']!r} and {row['hi_50']!r} at step {row['step']}"]
    answers = json.loads(cli("predict", *asked, "--format", "json", *trained.options).out)
    values = [row["value"] for row in answers]
    assert values[::2] == pytest.approx([0.05] * len(forecast), abs=1e-6)
    assert values[1::2] == pytest.approx([0.5] * len(forecast), abs=1e-6)


def test_the_value_at_risk_at_5_percent_is_the_lower_end_of_the_90_percent_interval(cli, trained: Trained):
    forecast = json.loads(cli("predict", "--format", "json", *trained.options).out)
    answers = pd.DataFrame(
        json.loads(cli("predict", "--ask", "risk", "--format", "json", *trained.options).out)
    )
    at_5 = answers[answers["question"] == "value at risk 5 %"]
    assert at_5["price"].tolist() == pytest.approx([row["lo_90"] for row in forecast])
    assert at_5["value"].tolist() == pytest.approx(
        [100 * (1 - row["lo_90"] / row["last_close"]) for row in forecast]
    )
    for p in ("1 %", "2.5 %", "5 %"):
        shortfall = answers[answers["question"] == f"expected shortfall {p}"]["value"].to_numpy()
        assert (shortfall > answers[answers["question"] == f"value at risk {p}"]["value"].to_numpy()).all()


def test_answers_are_a_long_table(cli, trained: Trained):
    answer = cli("predict", "--ask", "up, move 3% at step 2", "--format", "csv", *trained.options)
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert list(rows[0]) == list(ANSWER_COLUMNS)
    assert [(row["question"], row["step"], row["date"]) for row in rows] == [
        ("up", "1", "2024-01-02"),
        ("up", "2", "2024-01-03"),
        ("up", "3", "2024-01-04"),
        ("move 3 %", "2", "2024-01-03"),
    ]
    assert all(0 < float(row["value"]) < 1 for row in rows)
    assert [row["note"] for row in rows] == [NO_EVIDENCE] * 3 + [""]
    assert NO_EVIDENCE in answer.err


def test_answers_as_tables(cli, trained: Trained):
    answer = cli("predict", "--ask", "up, below 180 on 2024-01-03, risk", *trained.options)
    assert_fits(answer)
    assert "AAPL: after the close of 2023-12-29 (190.38 USD), probability" in answer.out
    assert "AAPL: after the close of 2023-12-29 (190.38 USD), possible losses" in answer.out
    assert "value at risk: the loss" in answer.err
    assert "value at risk: the loss" not in cli("predict", "--ask", "risk", "-q", *trained.options).err


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("belwo 180", "did you mean `below 180`?"),
        (
            "up at step 4",
            "got step 4, expected one of the 3 sessions of the forecast, Tue 2024-01-02 to Thu 2024-01-04",
        ),
        ("up on 2024-01-01", "got Mon 2024-01-01, expected one of the 3 sessions"),
    ],
)
def test_a_bad_question_is_a_user_error(cli, trained: Trained, asked, message):
    answer = cli("predict", "--ask", asked, "--cutoff", "2023-12-29", *trained.options)
    assert_user_error(answer, message)


def test_the_note_on_direction_follows_the_head_and_the_verdict(trained: Trained, tmp_path):
    (path,) = trained.runs.iterdir()
    copy = tmp_path / path.name
    shutil.copytree(path, copy)
    scores = json.loads((copy / "scores.json").read_text())
    scores["verdict"]["last"]["direction"]["verdict"] = "better"
    (copy / "scores.json").write_text(json.dumps(scores))
    assert note_on_direction(Run(path)) == NO_EVIDENCE
    assert note_on_direction(Run(copy)) == ""
    (copy / "config.yaml").write_text((copy / "config.yaml").read_text().replace("student_t", "drift_t"))
    assert note_on_direction(Run(copy)) == COMMON_DRIFT
