"""The pages for users of other systems compare all of them, and name parameters that exist."""

import re
from pathlib import Path

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from tests.doc.pages import DOC

PAGES = sorted((DOC / "coming_from").glob("*.md"))
SYSTEMS = ("plato", "astra_rl", "accel_hydra", "artifex", "nip_code")
LINK = re.compile(r"\]\((\S+?)(?:#(\S+?))?\)")
PARAMETER = re.compile(
    r"`((?:rl|optimizer|lr_scheduler|update_step|settings|solo_agent|text_rl|base_run)\.\w+)(?:=\w+)?`"
)


def rows_of_the_table() -> list[list[str]]:
    """Return the cells of each capability in the table of all systems."""
    lines = (DOC / "coming_from" / "index.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1:]]


def test_every_capability_has_a_cell_for_each_system_and_a_link() -> None:
    rows = rows_of_the_table()
    assert len(rows) >= 23
    for row in rows:
        assert len(row) == 1 + len(SYSTEMS) + 1
        assert LINK.search(row[-1]), row


def test_every_system_has_a_page() -> None:
    assert {page.stem for page in PAGES} == {"index", *SYSTEMS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_parameter_that_a_table_names_exists(page: Path) -> None:
    params = HyperParameters(scenario="toy", dataset="witness", trainer="vanilla_ppo")
    for name in PARAMETER.findall(page.read_text(encoding="utf-8")):
        group, _, field = name.partition(".")
        if group == "settings":
            assert hasattr(ExperimentSettings(), field), name
        else:
            params.get(name)
