"""The command `models`: a table that fits, counts that match the built networks, no TensorFlow."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

from lstm_stock.config.cells import CELLS


def test_the_table_names_every_cell_and_fits(cli):
    answer = cli("models")
    assert (answer.code, answer.err) == (0, "")
    assert max(map(len, answer.out.splitlines())) <= 80, answer.out
    for cell, facts in CELLS.items():
        assert f" {cell} " in answer.out
        assert " ".join(answer.out.split()).count(facts.paper.split(";")[0]) >= 1
    assert "121,615" in answer.out


def test_csv_and_json_have_the_same_rows(cli):
    rows = json.loads(cli("models", "--format", "json").out)
    assert [row["cell"] for row in rows] == list(CELLS)
    assert rows[1]["parameters"] == 121_615
    table = list(csv.DictReader(io.StringIO(cli("models", "--format", "csv").out)))
    assert [
        {**row, "parameters": int(row["parameters"]), "options": row["options"].split()} for row in table
    ] == rows


def test_parameters_are_those_of_the_config(cli):
    rows = json.loads(
        cli("models", "--format", "json", "--set", "model.units=[64]", "--set", "model.dense=[]").out
    )
    assert rows[0]["parameters"] == 72 * 64 + 65 * 15
    assert cli("models", "--set", "model.cell=tcn").code == 2


def test_models_loads_nothing_heavy():
    code = (
        "import sys\nfrom lstm_stock.cli import main\nsys.argv = ['lstm-stock', 'models']\n"
        "try:\n    main()\nfinally:\n    print([n for n in ('keras', 'numpy') if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
