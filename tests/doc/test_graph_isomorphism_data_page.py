"""The guide on data says what is true: its options are those of the script."""

import re
from pathlib import Path

from nip.commands.graph_isomorphism_dataset import build_parser

GUIDE = "doc/guides/graph_isomorphism_data.md"


def test_the_guide_lists_every_option(repository: Path) -> None:
    rows = re.findall(r"^\| (`--.*?) \|", (repository / GUIDE).read_text(), flags=re.MULTILINE)
    listed = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    actions = build_parser()._actions
    assert listed == {option for action in actions for option in action.option_strings[-1:]} - {
        "--help"
    }
