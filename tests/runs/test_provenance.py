from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import lstm_stock
from lstm_stock.runs.provenance import fingerprint


def test_a_fingerprint_depends_on_everything_that_decides():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1}) != fingerprint({"a": 1, "b": 3})


@pytest.mark.parametrize("file", ["dataset/scaler.py", "network/heads.py", "atomic.py", "runs/provenance.py"])
def test_a_fingerprint_depends_on_the_code_of_every_room(tmp_path, monkeypatch, file):
    package = tmp_path / "lstm_stock"
    shutil.copytree(Path(lstm_stock.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    before = fingerprint({})
    monkeypatch.setattr(lstm_stock, "__file__", str(package / "__init__.py"))
    assert fingerprint({}) == before
    with (package / file).open("a") as code:
        code.write("# changed")
    assert fingerprint({}) != before
