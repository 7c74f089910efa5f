"""Links lead somewhere, and each run id of the pages stands for one experiment."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.doc.forks import print_missing_names, run_forked
from tests.doc.pages import DOC, GUIDES, PAGES, code_blocks, commands_of, name_of, text_of
from tests.source_files import REPOSITORY

LINK = re.compile(r"\]\((?!https?:)([^\s)#]*)(?:#(\S+?))?\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.S | re.M)
INLINE_CODE = re.compile(r"`[^`\n]+`")
# The second run with this id shows how a changed parameter is refused.
SHOWN_TO_BE_REFUSED = {"cut"}
CALL = re.compile(r"run_experiment\(\s*(.+?),\s*run_id=\"(\w+)\"", re.S)
# These are written or built by the reader.
OF_THE_READER = re.compile(r"NAME|my_|_build")
PATH = re.compile(r"^(?:nip|doc|scripts|benchmarks|configs|tests)/[\w./-]*$")


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as MyST and docutils make them."""
    headings = [each.lower() for each in re.findall(r"^#+ (.*)$", text_of(page), re.M)]
    slugs = {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}
    return slugs | {re.sub(r"[^a-z0-9]+", "-", heading).strip("-") for heading in headings}


def prose(page: Path) -> str:
    """Return the text of a page without its code blocks."""
    return FENCE.sub("", text_of(page))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(INLINE_CODE.sub("", prose(page))):
        linked = (page.parent / target).resolve() if target else page
        assert linked.is_file(), target
        assert not anchor or anchor in anchors(linked), (target, anchor)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_of_the_repository_that_a_page_names_exists(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        pytest.skip("it names paths of earlier versions")
    for name in re.findall(r"`([^`\n]+)`", prose(page)):
        if PATH.match(name) and not OF_THE_READER.search(name):
            assert (REPOSITORY / name).exists(), name


def test_every_name_of_the_package_exists(working_folder: Path) -> None:
    names = set()
    for page in PAGES:
        if page.name != "CHANGELOG.md":
            names |= set(re.findall(r"\bnip(?:\.\w+)+", re.sub(r"https?:\S+", "", text_of(page))))
    outcome = run_forked(print_missing_names, sorted(names), folder=working_folder)
    assert (outcome.exit_code, outcome.stdout) == (0, ""), outcome


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


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set()
    for index in (DOC / "index.md", DOC / "coming_from" / "index.md"):
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", index.read_text(), re.M | re.S):
            names = [line for line in block.splitlines() if line and line[0] != ":"]
            listed |= {(index.parent / f"{name}.md").resolve() for name in names}
    assert {page for page in PAGES if page.is_relative_to(DOC)} == {*listed, DOC / "index.md"}
