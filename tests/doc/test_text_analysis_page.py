"""The page on analysers tells what there is, and its example works as the page says."""

import re
from pathlib import Path

import pytest

from nip.commands.analyse import main
from nip.parameters.base_run import PRESERVED_FOR_RERUN_TESTS
from nip.rollout_analysis import ModelAnalyser, analyser_registry
from tests.doc.pages import DOC, EXAMPLES, all_commands
from tests.text_experiments import run_text_experiment

PAGE = (DOC / "guides" / "text_analysis.md").read_text(encoding="utf-8")


@pytest.fixture
def no_traces():
    yield
    for name in ("prover_gives_example", "prover_is_brief"):
        analyser_registry.unregister(name)


def test_the_example_runs_as_the_page_says(
    working_folder: Path, no_traces: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (working_folder / "doc").symlink_to(DOC)
    run_text_experiment(working_folder / "runs", "my_run", rl={"num_iterations": 1})
    (command,) = (
        each
        for each in all_commands("scripts/run_analysers.py")
        if f"doc/examples/{EXAMPLES.joinpath('new_analyser.py').name}" in each.words
    )
    assert main([*command.words[2:], "--model", "rehearsal:x"]) == 0
    out = capsys.readouterr().out
    assert "prover_gives_example: follows the program on a concrete input" in out
    assert "prover_is_brief: keeps to the length that it is asked for" in out


def test_the_table_lists_all_analysers() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (yes|no) \|$", PAGE, re.M)
    expected = [
        (name, "yes" if issubclass(analyser, ModelAnalyser) else "no")
        for name, analyser in analyser_registry.items()
        if analyser.__module__.startswith("nip.")
    ]
    assert sorted(rows) == sorted(expected)


def test_the_page_on_base_runs_lists_what_may_be_new() -> None:
    page = (DOC / "guides" / "base_runs.md").read_text(encoding="utf-8")
    rows = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", rows))
    assert named == set(PRESERVED_FOR_RERUN_TESTS) - {"base_run"}
