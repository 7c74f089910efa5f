"""``--help`` of all scripts: complete, with the true defaults, and without heavy imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nip.scenarios.code_validation.generation.dataset_builder import DatasetBuilderParameters
from nip.scenarios.graph_isomorphism.generation import GenerationParameters

# One interpreter prints the help of all scripts.
PROGRAM = """
import contextlib, importlib, io, json, sys
found = {}
for name in sys.argv[1:]:
    sys.argv = [f"{name}.py", "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        importlib.import_module(f"scripts.{name}").main()
    heavy = sorted({"torch", "numpy", "rich", "matplotlib"} & set(sys.modules))
    found[name] = [" ".join(out.getvalue().split()), heavy]
print(json.dumps(found))
"""
SCRIPTS = [
    "attack",
    "create_cv_dataset",
    "create_gi_dataset",
    "create_quotes_models",
    "draw_image_episodes",
    "plot_learning_curves",
    "robustness_table",
    "run_analysers",
    "show_transcripts",
]


@pytest.fixture(scope="module")
def helps(repository: Path) -> dict[str, list]:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, *SCRIPTS],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(finished.stdout)


def test_the_list_has_all_scripts_but_the_hydra_application(repository: Path) -> None:
    found = {path.stem for path in (repository / "scripts").glob("*.py")}
    assert found == {*SCRIPTS, "run_experiment"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_shows_examples_and_imports_nothing_heavy(helps: dict[str, list], script: str) -> None:
    text, heavy = helps[script]
    assert text.startswith(f"usage: {script}.py ")
    assert "example" in text and f"python scripts/{script}.py " in text
    assert heavy == []


def test_help_states_the_true_defaults(helps: dict[str, list]) -> None:
    text, _ = helps["create_cv_dataset"]
    programs = DatasetBuilderParameters()
    for value in (programs.num_datapoints, programs.test_share, programs.seed):
        assert f"({value})" in text
    text, _ = helps["create_gi_dataset"]
    pairs = GenerationParameters()
    for values in (pairs.sizes, pairs.edge_probabilities, pairs.score_fractions):
        assert f"({' '.join(map(str, values))}" in text
    assert f"score of a pair ({pairs.max_rounds})" in text
