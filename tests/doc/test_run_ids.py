"""Whoever follows the pages from top to bottom meets no run of another experiment."""

import re
from collections import defaultdict

from tests.doc.pages import GUIDES, code_blocks, commands_of
from tests.source_files import REPOSITORY

SHOWN_TO_BE_REFUSED = {"cut"}
CALL = re.compile(r"run_experiment\(\s*(.+?),\s*run_id=\"(\w+)\"", re.S)


def experiments_by_run_id() -> dict[str, set[str]]:
    """Return what each run id stands for: arguments of the script, or parameters on a page."""
    experiments = defaultdict(set)
    for page in [REPOSITORY / "README.md", *GUIDES]:
        for command in commands_of(page):
            words = [word for word in command.arguments if not word.startswith("settings.")]
            for word in words:
                if word.startswith("run_id="):
                    experiments[word.removeprefix("run_id=")].add(" ".join(sorted(words)))
        for params, run_id in CALL.findall("\n".join(code_blocks(page, "python"))):
            experiments[run_id].add(f"{page.stem}: {params}")
    return experiments


def test_each_run_id_stands_for_one_experiment() -> None:
    experiments = experiments_by_run_id()
    assert len(experiments) > 40
    shared = {run_id: sorted(known) for run_id, known in experiments.items() if len(known) > 1}
    assert shared.keys() == SHOWN_TO_BE_REFUSED, shared
