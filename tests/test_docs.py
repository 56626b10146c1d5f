"""What the documents say is true: generated files are current, commands are documented, README commands parse."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import typer

from lstm_stock.cli.commands import app
from lstm_stock.cli.models import model_rows
from lstm_stock.config import Config, load_config
from lstm_stock.config.cells import CELLS, RECURRENT_OPTIONS
from lstm_stock.config.covariates import COVARIATE_FEATURES
from lstm_stock.config.features import FEATURES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
METHOD = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
MODELS = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data" / "README.md"]


def generated() -> dict[Path, str]:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generated()


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_generated_files_are_current(path):
    assert path.read_text(encoding="utf-8") == generated()[path], "run `make docs`"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_config_at_the_top_level_loads(path):
    assert isinstance(load_config(path), Config)


def commands() -> list[str]:
    root = typer.main.get_command(app)
    return sorted(root.commands)


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_and_is_in_the_readme(command):
    assert typer.main.get_command(app).commands[command].help
    assert f"lstm-stock {command}" in README


def test_every_feature_is_in_the_method():
    for name in FEATURES:
        assert f"`{name}`" in METHOD or name in METHOD.split("The levels")[1][:80]


def test_every_covariate_feature_is_in_the_data():
    table = (ROOT / "docs/data.md").read_text(encoding="utf-8").split("## Covariates")[1]
    for name in COVARIATE_FEATURES:
        assert f"`{name}`" in table


def test_every_cell_and_regulariser_is_in_the_models():
    for row in model_rows(Config()):
        assert f"\n## {row['cell']}\n" in MODELS
        (line,) = [each for each in MODELS.splitlines() if each.startswith(f"| [`{row['cell']}`](#")]
        assert f"| {row['parameters']:,} |" in line
    for option in RECURRENT_OPTIONS:
        (line,) = [each for each in MODELS.splitlines() if each.startswith(f"| `{option}` |")]
        left_out = [name for name, facts in CELLS.items() if option not in facts.options]
        assert line.endswith("| all |" if not left_out else f"| all but `{'`, `'.join(left_out)}` |")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_have_targets(path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


def shell_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_source_files_named_in_the_docs_exist(path):
    for name in re.findall(r"`([\w./]+/[\w./]+\.py)`", path.read_text(encoding="utf-8")):
        assert (ROOT / name).exists() or (ROOT / "lstm_stock" / name).exists(), name


@pytest.mark.parametrize("line", [line for line in shell_lines() if line.startswith("lstm-stock ")])
def test_commands_in_the_readme_parse(line, tmp_path, monkeypatch):
    """Each line is parsed by the real command line, down to the last option, but not run."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line.removeprefix("lstm-stock "))
    command = typer.main.get_command(app)
    context = command.make_context("lstm-stock", words, resilient_parsing=False)
    while context._protected_args or context.args:
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
        if not hasattr(command, "commands"):
            break


def test_make_targets_in_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", "\n".join(shell_lines()), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_constraints_hold_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 40
    for pin in pins:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", pin), pin
