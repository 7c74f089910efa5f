"""``--help`` of all commands: complete, with the true defaults, and without heavy imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nip.command_table import COMMANDS
from nip.scenarios.code_validation.generation.dataset_builder import DatasetBuilderParameters
from nip.scenarios.graph_isomorphism.generation import GenerationParameters

# One interpreter prints the help of all commands, as scripts and as `nip`.
PROGRAM = """
import contextlib, io, json, sys
from nip.command_table import COMMANDS
from nip.commands.main import execute
found = {}
for name in [*COMMANDS, ""]:
    texts = []
    for program in ("scripts/any.py", "/bin/nip"):
        sys.argv = [program]
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
            execute([*name.split(), "--help"])
        texts.append(" ".join(out.getvalue().split()))
    heavy = sorted({"torch", "numpy", "rich", "matplotlib", "hydra", "scipy"} & set(sys.modules))
    found[name] = [*texts, heavy]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def helps(repository: Path) -> dict[str, list]:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=repository, capture_output=True, text=True, check=True
    )
    return json.loads(finished.stdout)


def test_every_script_calls_a_command_of_the_table(repository: Path) -> None:
    found = {f"scripts/{path.name}" for path in (repository / "scripts").glob("*.py")}
    scripts = {each.script: name for name, each in COMMANDS.items()}
    assert found == {script for script in scripts if not script.startswith("-m ")}
    for script in found:
        calls = f'sys.exit(run_script("{scripts[script]}"))'
        assert calls in (repository / script).read_text(encoding="utf-8"), script


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples_and_imports_nothing_heavy(helps: dict[str, list], name: str) -> None:
    as_script, as_nip, heavy = helps[name]
    script = COMMANDS[name].script
    assert f"python {script} " in as_script or name in ("completion", "export", "serve-mock")
    assert f"nip {name} " in as_nip
    assert "python scripts/" not in as_nip
    assert heavy == []
    if name != "run":
        prog = Path(script).name if script.endswith(".py") else f"python {script}"
        assert as_script.startswith(f"usage: {prog} ")
        assert as_nip.startswith(f"usage: nip {name} ")
        assert COMMANDS[name].summary in as_nip
        assert "example" in as_nip or name == "serve-mock"


def test_the_overview_lists_every_command(helps: dict[str, list]) -> None:
    _, overview, heavy = helps[""]
    assert heavy == []
    for name, command in COMMANDS.items():
        assert f"{name} {command.summary}" in overview


def test_help_states_the_true_defaults(helps: dict[str, list]) -> None:
    text = helps["dataset code-validation"][0]
    programs = DatasetBuilderParameters()
    for value in (programs.num_datapoints, programs.test_share, programs.seed):
        assert f"({value})" in text
    text = helps["dataset graph-isomorphism"][0]
    pairs = GenerationParameters()
    for values in (pairs.sizes, pairs.edge_probabilities, pairs.score_fractions):
        assert f"({' '.join(map(str, values))}" in text
    assert f"score of a pair ({pairs.max_rounds})" in text
