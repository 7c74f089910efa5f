"""What the scripts share: values of options, folders of runs, exit codes."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from nip.command_line.script_parser import (
    ScriptParser,
    dataset_name,
    exit_code_of,
    given_fields,
    positive_integer,
    run_folder,
)
from nip.command_table import COMMANDS
from nip.errors import ParameterError


@pytest.mark.parametrize("name", ["a", "a.b-c_1", "9"])
def test_a_dataset_name_is_a_plain_folder_name(name: str) -> None:
    assert dataset_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "../a", "a/b", "-a", "a b", "é"])
def test_other_dataset_names_are_refused(name: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="cannot be the name of a dataset"):
        dataset_name(name)


def test_a_positive_integer() -> None:
    assert positive_integer("12") == 12
    for text in ("0", "-1", "1.5", "x", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="at least 1"):
            positive_integer(text)


def test_a_run_is_given_by_its_id_or_its_folder() -> None:
    assert run_folder("demo", Path("runs")) == Path("runs/demo")
    assert run_folder("elsewhere/demo", Path("runs")) == Path("elsewhere/demo")
    assert run_folder("/tmp/demo", Path("runs")) == Path("/tmp/demo")


@dataclass
class Sizes:
    nodes: tuple[int, ...] = (7, 8)
    rounds: int = 5
    name: str = "x"


def test_only_given_options_replace_the_defaults_of_a_dataclass() -> None:
    options = argparse.Namespace(nodes=[9, 10], rounds=None, other=1)
    assert given_fields(Sizes, options) == {"nodes": (9, 10)}


def test_arguments_of_runs_and_datasets_have_their_defaults() -> None:
    parser = ScriptParser("Do it.", "")
    parser.add_run_arguments()
    options = parser.parse_args(["--plugins", "a", "b"])
    assert (options.runs_dir, options.data_dir, options.plugins) == (Path("runs"), None, ["a", "b"])
    parser = ScriptParser("Do it.", "")
    parser.add_dataset_arguments()
    options = parser.parse_args([])
    assert (options.data_dir, options.overwrite) == (Path("data"), False)


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ScriptParser("Do it.", "")
    parser.prog = "do.py"
    with pytest.raises(SystemExit) as end:
        parser.parse_args(["--unknown"])
    assert end.value.code == 2
    message = "error: unrecognized arguments: --unknown. See do.py --help.\n"
    assert capsys.readouterr().err == message


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ParameterError("a must be 1."), 2, "error: a must be 1.\n"),
        (FileNotFoundError("gone"), 2, "error: gone\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
    ],
)
def test_exit_codes(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        raise error

    assert exit_code_of(work, "view") == code
    assert capsys.readouterr().err == message
    assert exit_code_of(lambda: None, "view") == 0


def test_a_terminal_shows_the_message_of_a_stopped_command_on_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert exit_code_of(work, "attack") == 130
    assert capsys.readouterr().err == f"\n{COMMANDS['attack'].when_stopped}\n"
    assert exit_code_of(work, "attack", "Half of it is stored.") == 130
    assert capsys.readouterr().err == "\nHalf of it is stored.\n"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("settings.max_cost must be above 0, got -1.", "--max-cost must be above 0, got -1."),
        ("max_cost must be at least 0.", "--max-cost must be at least 0."),
        ("Add it as settings.prices=FILE.", "Add it as --prices=FILE."),
        (
            "model must be a pair. The price of the model",
            "--model must be a pair. The price of the m",
        ),
        ("settings.num_threads must be at least 1.", "settings.num_threads must be at least 1."),
        (
            "There is no file data/max_cost or 'max_cost'.",
            "There is no file data/max_cost or 'max_c",
        ),
    ],
)
def test_messages_name_the_options_instead_of_the_parameters(
    message: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = ScriptParser("", "")
    for option in ("--max-cost", "--prices", "--model"):
        parser.add_argument(option)

    def fail() -> None:
        raise ParameterError(f"2 problems:\n  - {message}")

    assert exit_code_of(fail, "analyse", parser=parser) == 2
    assert capsys.readouterr().err.startswith(f"error: 2 problems:\n  - {text}")
