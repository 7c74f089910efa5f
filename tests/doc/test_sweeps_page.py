"""The page about sweeps: its files are valid, and its table has all fields."""

import re
from pathlib import Path

import pytest

from nip.parameters.parameters_base import field_rules
from nip.sweeps.launcher import launcher_registry
from nip.sweeps.sweep_file import SweepParameters, read_sweep_file
from tests.doc.pages import DOC, EXAMPLES, code_blocks, section
from tests.fork_server import fork_server
from tests.sweeps.disturbed import run_folders
from tests.sweeps.fork_launcher import RUN

PAGE = DOC / "guides" / "sweeps.md"


def test_the_table_has_all_fields_with_their_defaults() -> None:
    rows = re.findall(r"^\| (`.+?) \| (.+) \|$", section("sweeps", "The file"), re.M)
    rules = field_rules(SweepParameters)
    listed = [name for names, _ in rows for name in re.findall(r"`(\w+)`", names)]
    assert sorted(listed) == sorted(rules)
    for names, text in rows:
        (name, *_) = re.findall(r"`(\w+)`", names)
        for default in re.findall(r"\(`?(\w+)`?\)$", text):
            assert default == str(rules[name].default)


@pytest.mark.parametrize("text", code_blocks(PAGE, "yaml"))
def test_each_file_is_valid_and_names_a_launcher(text: str, tmp_path: Path) -> None:
    path = tmp_path / "my_sweep.yaml"
    path.write_text(text)
    assert read_sweep_file(path).launcher in launcher_registry


@pytest.mark.slow
def test_the_example_is_as_described(working_folder: Path) -> None:
    words = [str(EXAMPLES / "sweep.yaml"), "launcher=forks", "seeds=[1]"]
    outcome = fork_server().call(
        RUN, *words, "base={experiment: toy, rl.num_iterations: 1}", folder=working_folder
    )
    assert outcome.exit_code == 0, outcome.stdout + outcome.stderr
    names = [run.name.rpartition("-")[0] for run in run_folders(working_folder)]
    assert names == ["sweep-lr-0.01-seed-1", "sweep-lr-0.05-seed-1"]
