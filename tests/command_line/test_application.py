"""What a command line needs: the help, Hydra, or neither."""

from pathlib import Path

import pytest

import nip.command_line.help_text
import nip.command_line.hydra_jobs
import nip.command_line.request
from nip.command_line.application import check_arguments, main
from nip.command_line.config_folders import ConfigFolders
from tests.source_files import REPOSITORY

CONFIGS = REPOSITORY / "configs"
TOY = ["scenario=toy", "dataset=witness", "trainer=vanilla_ppo"]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Record what a command line prepares and executes instead of doing it."""
    steps: list[tuple] = []

    def record(module: object, name: str, answer: object) -> None:
        def recorded(*arguments: object) -> object:
            steps.append((name, *arguments))
            return answer

        monkeypatch.setattr(module, name, recorded)

    record(nip.command_line.help_text, "help_text", "All the help.")
    record(nip.command_line.hydra_jobs, "prepare", ["seed=1,2", "rl.lr=0.1", "hydra.added=1"])
    record(nip.command_line.hydra_jobs, "enter_hydra", None)
    record(nip.command_line.request, "run_request", None)
    return steps


def test_a_run_is_checked_at_once_and_begins_when_it_is_called(steps: list[tuple]) -> None:
    execute = check_arguments([*TOY, "seed=7"], CONFIGS)
    assert steps == []
    execute()
    ((name, request),) = steps
    assert name == "run_request"
    assert request.experiment.hyper_params.seed == 7


def test_help_is_printed_and_wins_over_what_else_is_asked(
    steps: list[tuple], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--help", "ppo", "--cfg", "job"], CONFIGS)
    assert steps == [("help_text", ["ppo"], ConfigFolders(CONFIGS))]
    assert capsys.readouterr().out == "All the help.\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--multirun"],
        ["--cfg", "job"],
        ["--info"],
        ["--version"],
        ["--hydra-help"],
        ["hydra.verbose=true"],
        ["+hydra.x=1"],
        ["++hydra.x=1"],
        ["~hydra.x"],
        ["hydra/launcher=basic"],
    ],
    ids=" ".join,
)
def test_hydra_is_entered_for_what_it_alone_does(words: list[str], steps: list[tuple]) -> None:
    main(["seed=1", *words], CONFIGS)
    assert [name for name, *_ in steps] == ["prepare", "enter_hydra"]


def test_hydra_gets_overrides_first_then_those_added_then_the_flags(steps: list[tuple]) -> None:
    main(["seed=1,2", "--multirun", "rl.lr=0.1"], CONFIGS)
    assert steps[1] == (
        "enter_hydra",
        ["seed=1,2", "rl.lr=0.1", "hydra.added=1", "--multirun"],
        ConfigFolders(CONFIGS),
    )


def test_the_flags_choose_folders_and_file(steps: list[tuple], working_folder: Path) -> None:
    (working_folder / "mine").mkdir()
    main(["-h", "--config-dir", "mine", "--config-path", "other", "--config-name", "root"], CONFIGS)
    root = working_folder.resolve()
    assert steps == [("help_text", [], ConfigFolders(root / "other", root / "mine", "root"))]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-h", "--config-dir", "absent"], "--config-dir absent: there is no such folder."),
        ([*TOY, "seed=1,2"], "--multirun"),
    ],
    ids=["no such folder", "sweep without its flag"],
)
def test_a_mistake_is_told_and_nothing_is_begun(
    words: list[str],
    said: str,
    steps: list[tuple],
    working_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as leaving:
        check_arguments(words, CONFIGS)
    assert leaving.value.code == 2
    assert said in capsys.readouterr().err
    assert steps == []
