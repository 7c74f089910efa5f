"""A finished run of language models whose dialogues are analysed."""

import shutil
from pathlib import Path

import pytest

from tests.text_experiments import run_text_experiment


@pytest.fixture(scope="session")
def original_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run two iterations; return the folder of the run."""
    runs_dir = tmp_path_factory.mktemp("runs")
    run_text_experiment(runs_dir, "played", nip_protocol={"max_message_rounds": 6})
    return runs_dir / "played"


@pytest.fixture
def runs_dir(original_run: Path, tmp_path: Path) -> Path:
    """Return a folder with a copy of the run, called ``played``."""
    shutil.copytree(original_run, tmp_path / "runs" / "played")
    return tmp_path / "runs"
