"""Warnings and errors on the terminal: each of ours is one line, and is seen once."""

import os
import signal
import time
import warnings

import pytest

from nip.command_line.errors import plain_messages, show_warnings_plainly
from nip.errors import LockedFileError, ParameterError, warn_user
from nip.utils.stop_signals import cancelling, handled_signals
from tests.utils.test_secret_formats import SECRETS


def test_a_warning_is_seen_once_whatever_libraries_do_to_the_filters(capsys, monkeypatch) -> None:
    # Both are put back after the test.
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        show_warnings_plainly()
        for _ in range(3):
            warn_user("It has no effect.")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
        warn_user("Nor has this.")
    assert capsys.readouterr().err == "warning: It has no effect.\nwarning: Nor has this.\n"


@pytest.fixture
def second_of_two(monkeypatch) -> None:
    """Make this process the second that torchrun has started."""
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("WORLD_SIZE", "2")


def test_another_process_than_the_first_waits_before_it_tells_a_mistake(
    second_of_two, capsys, monkeypatch
) -> None:
    said_before: list[str] = []
    monkeypatch.setattr(time, "sleep", lambda _: said_before.append(capsys.readouterr().err))
    with pytest.raises(SystemExit) as leaving, plain_messages(str):
        raise ParameterError("A mistake of its own.")
    assert leaving.value.code == 2
    assert said_before == [""]
    assert capsys.readouterr().err == "error: A mistake of its own.\n"


def test_only_the_first_process_tells_how_to_go_on(second_of_two, capsys) -> None:
    with pytest.raises(SystemExit) as leaving, plain_messages(lambda: "Go on."):
        raise KeyboardInterrupt
    assert leaving.value.code == 130
    assert capsys.readouterr().err == ""


def test_only_the_first_process_warns(second_of_two, capsys, monkeypatch) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        show_warnings_plainly()
        warn_user("It has no effect.")
    assert capsys.readouterr().err == ""


def test_no_secret_is_told_in_an_error_or_a_warning(capsys, monkeypatch) -> None:
    secret, around = SECRETS["Basic Auth Credentials"]
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        show_warnings_plainly()
        warn_user(around.format(secret))
    with pytest.raises(SystemExit), plain_messages(str):
        raise ParameterError(f"Cannot read {around.format(secret)!r}")
    told = capsys.readouterr().err
    assert told.count("[key removed]") == 2
    assert secret not in told


@pytest.mark.parametrize(("is_stopped", "code", "first"), [(True, 75, "warn"), (False, 2, "err")])
def test_a_locked_file_after_a_signal_is_an_interruption(is_stopped, code, first, capsys) -> None:
    def goes_on() -> str:
        return "Go on."

    def write() -> None:
        if is_stopped:
            os.kill(os.getpid(), signal.SIGTERM)
        raise LockedFileError("run.db is locked.")

    ends = pytest.raises(SystemExit)
    with handled_signals(), cancelling(lambda: None), ends as leaving, plain_messages(goes_on):
        write()
    assert leaving.value.code == code
    said = capsys.readouterr().err
    assert said.startswith(first) and "run.db is locked." in said
    assert ("Go on." in said) == is_stopped
