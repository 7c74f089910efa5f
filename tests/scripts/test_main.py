"""The program ``nip`` finds its commands, and names them in messages as they were started."""

import sys
from pathlib import Path

import pytest

from nip.command_table import COMMANDS, find_command, program_name, typed
from nip.commands.main import execute
from nip.errors import DatasetError
from nip.scenario_base.dataset_files import dataset_folder


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("run experiment=toy", "run", ["experiment=toy"]),
        ("dataset graph-isomorphism mine", "dataset graph-isomorphism", ["mine"]),
        ("dataset graph_isomorphism my_graphs", "dataset graph-isomorphism", ["my_graphs"]),
        ("robustness_table --row a b", "robustness-table", ["--row", "a", "b"]),
        ("dataset mine", None, ["dataset", "mine"]),
        ("--help", None, ["--help"]),
        ("", None, []),
    ],
)
def test_a_command_has_one_or_two_words(line: str, name: str | None, arguments: list[str]) -> None:
    assert find_command(line.split()) == (name, arguments)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rum experiment=toy", "There is no command 'rum'. Did you mean 'run'?"),
        ("dataset", "Known: dataset code-validation, dataset graph-isomorphism."),
        ("dataset graph-isomorfism", "Did you mean 'dataset graph-isomorphism'?"),
        ("--verison", "There is no command '--verison'."),
        ("\x1b[31m", r"There is no command '\x1b[31m'."),
    ],
)
def test_an_unknown_command_is_refused_with_one_message(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(line.split()) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.endswith(" See nip --help.\n")
    assert said in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("line", ["", "--help", "-h", "help"])
def test_the_overview_has_all_commands(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(line.split()) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


def test_the_overview_of_a_group_has_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["dataset", "--help"]) == 0
    text = capsys.readouterr().out
    assert "dataset code-validation" in text and "attack" not in text


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == 0
    assert capsys.readouterr().out == "nip 0.1.0\n"


@pytest.mark.parametrize(
    ("program", "shown", "named"),
    [
        ("/somewhere/bin/nip", "nip attack", "nip attack"),
        ("C:/somewhere/Scripts/nip.exe", "nip attack", "nip attack"),
        ("/somewhere/nip/__main__.py", "nip attack", "nip attack"),
        ("scripts/attack.py", "python scripts/attack.py", "attack.py"),
        ("/home/nip/my_program.py", "python scripts/attack.py", "attack.py"),
    ],
)
def test_a_command_is_named_as_it_was_started(
    program: str, shown: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    assert (typed("attack"), program_name("attack")) == (shown, named)


def test_a_missing_dataset_is_made_by_the_program_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/nip"])
    with pytest.raises(DatasetError, match="Make it with: nip dataset graph-isomorphism demo "):
        dataset_folder(tmp_path, "graph_isomorphism", "demo")
