"""A run whose files were changed at random is read as a whole, or refused with a RunError."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_stock.errors import RunError
from lstm_stock.runs.catalog import list_runs
from lstm_stock.runs.run import Run, save_run
from tests.runs.test_run import results, with_onnx, with_pooled

PARTS = {
    "scaler.json": "scalers",
    "calibration.json": "calibrators",
    "pooled.json": "regressions",
    "provenance.json": "provenance",
    "scores.json": "scores",
}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([[], {}, [[0.1]], "2024-13-01", "1e999", {"a": 1}]),
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs"), with_onnx(with_pooled(results())))


def places(node, at=()):
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [(*at, key) for key, _ in items] + [
        one for key, value in items for one in places(value, (*at, key))
    ]


@settings(max_examples=150, deadline=None)
@given(file=st.sampled_from(sorted(PARTS)), seed=st.integers(0, 10**9), value=ODD, drop=st.booleans())
def test_a_changed_value_is_read_or_refused(saved, tmp_path_factory, file, seed, value, drop):
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("changed") / "run"
    shutil.copytree(saved.path, folder)
    tree = json.loads((folder / file).read_text())
    changed = copy.deepcopy(tree)
    *path, last = chance.choice(places(changed))
    parent = changed
    for key in path:
        parent = parent[key]
    if drop:
        del parent[last]
    else:
        parent[last] = value
    (folder / file).write_text(json.dumps(changed))
    try:
        found = getattr(Run(folder), PARTS[file])
    except RunError as error:
        assert f"`{file}` cannot be read" in error.message
        assert error.hint
    else:
        assert found is not None
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("file", "change", "complaint"),
    [
        ("scaler.json", {"scale": 0.0}, "`AAPL.features.log_return.scale`: Input should be greater than 0"),
        ("scaler.json", {"low": 9.0, "high": 1.0}, "`low`, 9, is above `high`, 1"),
        ("scaler.json", {"offset": "1"}, "`AAPL.features.log_return.offset`: Input should be a valid number"),
    ],
)
def test_a_scaler_that_cannot_be_one_is_refused(tmp_path, file, change, complaint):
    run = save_run(tmp_path, results())
    tree = json.loads((run.path / file).read_text())
    tree["AAPL"]["features"]["log_return"] |= change
    (run.path / file).write_text(json.dumps(tree))
    with pytest.raises(RunError) as caught:
        _ = run.scalers
    assert complaint in caught.value.message


@pytest.mark.parametrize("content", ["NaN", "0", "-1", "1e7", '"x"', "null"])
def test_a_calibration_factor_that_is_none_is_refused(tmp_path, content):
    run = save_run(tmp_path, results())
    path = run.path / "calibration.json"
    path.write_text(path.read_text().replace("1.0", content, 1))
    with pytest.raises(RunError, match=r"`calibration.json` cannot be read: `AAPL.factors.0.0`"):
        _ = run.calibrators


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"val_start": "2022-01-01"}, "val starts on 2022-01-01, after the test period"),
        ({"test_start": 20210101}, "`test_start`: Input should be a valid string"),
        ({"created": "yesterday"}, "`created`: Value error"),
        ({"interrupted": "no"}, "`interrupted`: Input should be a valid boolean"),
        ({"seed": -1}, "`seed`: Input should be greater than or equal to 0"),
    ],
)
def test_a_provenance_that_cannot_be_one_is_refused(tmp_path, change, complaint):
    run = save_run(tmp_path, results())
    path = run.path / "provenance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError) as caught:
        _ = run.provenance
    assert complaint in caught.value.message


def test_scores_of_another_ticker_model_or_step_are_refused(tmp_path):
    run = save_run(tmp_path, results())
    path = run.path / "scores.json"
    whole = json.loads(path.read_text())
    for change, complaint in (
        ({"ticker": "MSFT"}, "its tickers are not those of config.yaml"),
        ({"model": "gru"}, "it has no scores of lstm at step 1"),
        ({"step": 1.5}, "`scores.0.step`: Input should be a valid integer"),
        ({"crps": "low"}, "`scores.0.crps`: Input should be a valid number"),
        ({"model": "naive"}, "it has no scores of lstm at step 1"),
    ):
        changed = copy.deepcopy(whole)
        changed["scores"][0] |= change
        path.write_text(json.dumps(changed))
        with pytest.raises(RunError) as caught:
            _ = Run(run.path).scores
        assert complaint in caught.value.message


def test_a_network_of_absurd_size_or_weights_is_refused_before_it_is_built(tmp_path):
    import zipfile

    run = save_run(tmp_path, results())
    file = run.path / "model.keras"
    provenance = json.loads((run.path / "provenance.json").read_text()) | {"network_hashes": {}}
    (run.path / "provenance.json").write_text(json.dumps(provenance))
    network = run.network
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    config = contents["config.json"].replace(b'"units": 3', b'"units": 2147483648')
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in (contents | {"config.json": config}).items():
            archive.writestr(name, content)
    with pytest.raises(RunError, match=r"it describes a network with a `units` of 2\.15e"):
        _ = Run(run.path).network
    network.set_weights([np.full_like(one, np.nan) for one in network.get_weights()])
    network.save(file)
    with pytest.raises(RunError, match="has weights that are not finite"):
        _ = Run(run.path).network


def test_a_pipe_in_place_of_a_file_is_refused(tmp_path):
    run = save_run(tmp_path, with_pooled(results()))
    for file, part in (PARTS | {"config.yaml": "config", "history.csv": "history"}).items():
        (run.path / file).unlink()
        os.mkfifo(run.path / file)
        with pytest.raises(RunError, match="it is a pipe or a device"):
            getattr(Run(run.path), part)
    assert [one.name for one in list_runs(tmp_path)] == [run.name]
