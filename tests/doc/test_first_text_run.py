"""The tables after the first run of language models are those that README and its guide show."""

import re
from pathlib import Path

from tests.doc.forks import run_script
from tests.doc.pages import DOC
from tests.source_files import REPOSITORY

PAGES = [REPOSITORY / "README.md", DOC / "guides" / "text_training.md"]


def names_of_rows(text: str) -> list[str]:
    """Return the first column of the tables after the last values of a run."""
    found = re.search(r"^Run r1: last values.*?^└.*?^Whole run.*?^└", text, flags=re.M | re.S)
    assert found is not None
    return re.findall(r"^[│┃] (\S.*?) *[│┃]", found[0], flags=re.MULTILINE)


def test_the_pages_show_the_tables_that_are_printed(working_folder: Path) -> None:
    words = ["experiment=cv_nip_ei_rehearsal", "run_id=r1", "rl.num_iterations=1"]
    outcome = run_script("scripts/run_experiment.py", words, working_folder)
    assert outcome.exit_code == 0, outcome.stderr
    printed = names_of_rows(outcome.stdout)
    assert printed[-1] == "dialogues"
    for page in PAGES:
        assert names_of_rows(page.read_text(encoding="utf-8")) == printed
