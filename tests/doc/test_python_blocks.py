"""Every block of Python in the pages, and in docstrings, runs, unless it says why it does not.

The blocks of a page run one after the other in one namespace and an empty folder, as a reader would
run them. A block that cannot run stands behind ``<!-- not run: the reason -->``, in a docstring
behind ``.. not run: the reason``.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Checkpoint, Run
from tests.doc.docstrings import FOLDERS, blocks_of_docstrings, documented, files_with_code
from tests.doc.forks import run_blocks, run_docstrings, run_forked, run_script
from tests.doc.pages import DOC, EXAMPLES, PAGES, Block, blocks_of, name_of
from tests.fork_server import Ending
from tests.source_files import REPOSITORY, module_name, python_files

PROMPT = re.compile(r"^\s*>>> ", re.M)


def python_blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that have to run."""
    blocks = [block for block in blocks_of(page) if block.language == "python"]
    return [block for block in blocks if block.reason_not_to_run is None]


def write_demo_run(folder: Path, text_run: Path) -> None:
    """Write a run of networks by hand, with known metrics."""
    with Run.open(ExperimentSettings(runs_dir=folder / "runs"), "demo", {"seed": 1}) as run:
        run.log(1, {"mean_accuracy": 0.5})
        run.log(2, {"mean_accuracy": 0.75, "test_mean_accuracy": 0.625})
        run.save_checkpoint(Checkpoint(2, {"verifier.body": {"weight": torch.ones(2)}}, {}))
        run.finish("completed")


def link_text_run(folder: Path, text_run: Path) -> None:
    """Provide a finished run of language models."""
    (folder / "runs").mkdir(exist_ok=True)
    (folder / "runs" / "r1").symlink_to(text_run)


FIXTURES: dict[str, tuple[Callable[[Path, Path], None], ...]] = {
    "doc/guides/fine_tuning.md": (link_text_run,),
    "doc/guides/rehearsing.md": (link_text_run,),
    "doc/guides/run_folder.md": (write_demo_run, link_text_run),
    "doc/guides/text_training.md": (link_text_run,),
}
"""What the working folder of a page must hold."""

SMALLER = {
    "README.md": {'"num_iterations": 40': '"num_iterations": 1'},
    "doc/guides/collapses.md": {'"num_iterations": 80': '"num_iterations": 16'},
    "doc/guides/getting_started.md": {'"num_iterations": 20': '"num_iterations": 1'},
    "doc/guides/robustness.md": {
        '"num_iterations": 40': '"num_iterations": 4',
        "num_iterations=15": "num_iterations=2",
    },
    "doc/guides/zero_knowledge.md": {
        '"num_iterations": 40': '"num_iterations": 2',
        '"mlp_num_epochs": 60': '"mlp_num_epochs": 1',
    },
}
"""Numbers that are made smaller in the tests."""


@pytest.fixture(scope="session")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a finished run of language models, with two iterations and fine-tuning jobs."""
    folder = tmp_path_factory.mktemp("text")
    words = ["experiment=cv_nip_ei_rehearsal", "run_id=r1", "settings.progress=false"]
    words += ["rl.num_iterations=2", "rl.rollouts_per_iteration=8", "text_rl.test_scheme=none"]
    outcome = run_script("scripts/run_experiment.py", words, folder)
    assert outcome.exit_code == 0, outcome.stderr
    return folder / "runs" / "r1"


def run_page(page: Path, folder: Path, text_run: Path) -> Ending:
    """Run the blocks of a page in a folder with the fixtures of the page."""
    name = name_of(page)
    for provide in FIXTURES.get(name, ()):
        provide(folder, text_run)
    code = [(block.source, block.line, block.code) for block in python_blocks(page)]
    for shown, small in SMALLER.get(name, {}).items():
        assert any(shown in block for _, _, block in code), shown
        code = [(source, line, block.replace(shown, small)) for source, line, block in code]
    return run_forked(run_blocks, code, [str(EXAMPLES), str(folder)], folder=folder)


@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page)], ids=name_of)
def test_the_python_of_a_page_runs(page: Path, working_folder: Path, text_run: Path) -> None:
    outcome = run_page(page, working_folder, text_run)
    assert outcome.exit_code == 0, outcome.stderr


def test_a_block_that_raises_is_found_on_its_line(working_folder: Path) -> None:
    code = [("page.md", 7, "value = 1\n"), ("page.md", 20, "\nvalue.missing\n")]
    outcome = run_forked(run_blocks, code, [], folder=working_folder)
    assert outcome.exit_code == 1
    assert 'File "page.md", line 21' in outcome.stderr
    assert "AttributeError" in outcome.stderr


def test_the_guide_to_the_run_folder_prints_the_metrics_of_the_run(
    working_folder: Path, text_run: Path
) -> None:
    outcome = run_page(DOC / "guides" / "run_folder.md", working_folder, text_run)
    assert outcome.stdout.splitlines()[:5] == [
        "['mean_accuracy', 'test_mean_accuracy']",
        "1 0.5",
        "2 0.75",
        "0.625",
        "(2, 0.75)",
    ]
    assert outcome.stdout.splitlines()[-1] == "verifier.body.safetensors ['weight']"


def all_blocks() -> Iterable[Block]:
    for page in PAGES:
        yield from blocks_of(page)


def test_python_in_a_page_is_called_python() -> None:
    """Otherwise nothing would run it."""
    languages = {block.language for block in all_blocks()}
    others = {each for each in languages if not each.startswith("{literalinclude}")}
    assert {each for each in others if "py" in each.lower()} == {"python"}
    for block in all_blocks():
        assert not PROMPT.search(block.code), (block.source, block.line)


def test_an_included_file_is_an_example_or_code_of_the_package() -> None:
    for block in all_blocks():
        if block.language.startswith("{literalinclude}"):
            path = (REPOSITORY / block.source).parent / block.language.split()[1]
            assert path.resolve().is_relative_to(EXAMPLES) or path.resolve().is_relative_to(
                REPOSITORY / "nip"
            )


def test_every_fence_of_a_page_is_read() -> None:
    for page in PAGES:
        fences = re.findall(r"^ *(?:```|~~~)", page.read_text(encoding="utf-8"), re.M)
        assert len(fences) == 2 * len(blocks_of(page)), page


@pytest.mark.parametrize("path", files_with_code(), ids=module_name)
def test_the_python_of_docstrings_runs(path: Path, working_folder: Path) -> None:
    blocks = [
        (block.source, block.line, block.language, block.code)
        for block in blocks_of_docstrings(path)
        if block.reason_not_to_run is None
    ]
    outcome = run_forked(run_docstrings, module_name(path), blocks, folder=working_folder)
    assert outcome.exit_code == 0, outcome.stdout + outcome.stderr


def test_python_in_a_docstring_stands_in_a_block_that_is_run() -> None:
    for path in python_files(*FOLDERS):
        for line, text in documented(path):
            assert "```" not in text, (path, line)
        blocks = blocks_of_docstrings(path)
        directives = path.read_text(encoding="utf-8").count(":: python\n")
        assert directives == sum(block.language == "python" for block in blocks), path
