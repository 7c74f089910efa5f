"""The guide on data says what is true: its code runs, its options are those of the script."""

import re
from pathlib import Path

from scripts.create_gi_dataset import build_parser

GUIDE = "doc/guides/graph_isomorphism_data.md"


def test_the_code_in_the_guide_runs(repository: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (repository / GUIDE).read_text(), flags=re.DOTALL)
    assert len(blocks) == 1
    exec(compile(blocks[0], GUIDE, "exec"), {})


def test_the_guide_lists_every_option(repository: Path) -> None:
    rows = re.findall(r"^\| (`--.*?) \|", (repository / GUIDE).read_text(), flags=re.MULTILINE)
    listed = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    actions = build_parser()._actions
    assert listed == {option for action in actions for option in action.option_strings[-1:]} - {
        "--help"
    }


def test_the_example_command_is_understood(repository: Path) -> None:
    command = re.search(
        r"\$ python scripts/create_gi_dataset\.py (.*)", (repository / GUIDE).read_text()
    )
    assert command is not None
    options = build_parser().parse_args(command[1].split())
    assert (options.name, options.num_train, options.seed) == ("my_graphs", 10000, 1)
