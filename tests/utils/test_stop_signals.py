"""Signals that ask a process to stop."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from nip.utils import stop_signals
from nip.utils.stop_signals import Interrupted, handled_signals

USR1 = signal.SIGUSR1


@pytest.fixture(autouse=True)
def default_handlers() -> Iterator[None]:
    """Begin with the handlers of a fresh process, and put back those of pytest."""
    before = {number: signal.getsignal(number) for number in stop_signals.SIGNALS}
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"])
def test_each_signal_raises_one_exception_that_is_a_keyboard_interrupt(name: str) -> None:
    number = getattr(signal, name)
    with pytest.raises(KeyboardInterrupt) as raised, handled_signals():
        send(number)
    assert isinstance(raised.value, Interrupted) and raised.value.number == number
    code = stop_signals.exit_code_of_interruption(raised.value)
    assert code == (130 if name == "SIGINT" else 75)


def test_ctrl_c_without_a_handler_has_its_own_code() -> None:
    assert stop_signals.exit_code_of_interruption(KeyboardInterrupt()) == 130


def test_afterwards_everything_is_as_before() -> None:
    with handled_signals():
        assert signal.getsignal(USR1) is not signal.SIG_DFL
    assert all(
        signal.getsignal(number)
        is (signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        for number in stop_signals.SIGNALS
    )
    assert not stop_signals.is_stop_requested()


def test_signals_that_are_ignored_stay_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with handled_signals():
        send(signal.SIGHUP)
        assert not stop_signals.is_stop_requested()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_handlers_of_the_caller_stay() -> None:
    received: list[int] = []
    signal.signal(USR1, lambda number, frame: received.append(number))
    with handled_signals():
        send(USR1)
    assert received == [USR1]


def test_another_thread_than_the_main_one_installs_nothing() -> None:
    seen: list[object] = []

    def work() -> None:
        with handled_signals():
            seen.append(signal.getsignal(USR1))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_a_postponed_signal_is_announced_and_takes_effect_when_asked_for(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with handled_signals():
        stop_signals.stop_if_requested()
        stop_signals.postpone_stop("stopping after this step.")
        send(signal.SIGTERM)
        # Batch systems repeat themselves, and torchrun forwards what a process already has.
        send(signal.SIGTERM)
        send(USR1)
        with pytest.raises(Interrupted) as raised:
            stop_signals.stop_if_requested()
    assert raised.value.number == signal.SIGTERM
    assert capfd.readouterr().err == (
        "\nSIGTERM: stopping after this step. Ctrl-C ends it at once.\n"
    )


def test_after_ctrl_c_another_one_is_said_to_end_it(capfd: pytest.CaptureFixture[str]) -> None:
    with handled_signals():
        stop_signals.postpone_stop("stopping after this step.")
        send(signal.SIGINT)
        with pytest.raises(Interrupted):
            stop_signals.stop_if_requested()
    assert "Ctrl-C: stopping after this step. Another Ctrl-C ends it" in capfd.readouterr().err


def test_a_second_ctrl_c_does_not_wait() -> None:
    with handled_signals():
        stop_signals.postpone_stop("stopping after this step.")
        send(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt) as raised:
            send(signal.SIGINT)
    assert not isinstance(raised.value, Interrupted)


def test_what_is_cancelled_is_told_in_place_of_an_exception() -> None:
    cancelled: list[str] = []
    with handled_signals():
        with stop_signals.cancelling(lambda: cancelled.append("once"), "stopping."):
            send(USR1)
            send(USR1)
        assert cancelled == ["once"]
        with pytest.raises(Interrupted):
            stop_signals.stop_if_requested()


def test_only_the_first_rank_announces(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with handled_signals():
        stop_signals.postpone_stop("stopping.")
        send(USR1)
    assert capfd.readouterr().err == ""


def test_a_cancellation_may_be_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with handled_signals(), stop_signals.cancelling(lambda: None):
        send(USR1)
    assert capfd.readouterr().err == ""


LATE = """
import os, signal
from nip.command_line.start import begin_command_line

class Late:
    def __del__(self, kill=os.kill, pid=os.getpid(), signals=(signal.SIGTERM, signal.SIGHUP)):
        for number in signals:
            kill(pid, number)

late = Late()
begin_command_line("Stopped.")
raise SystemExit(7)
"""


def test_a_signal_does_not_change_the_exit_code_of_a_program_that_is_ending() -> None:
    ending = subprocess.run(
        [sys.executable, "-c", LATE],
        capture_output=True,
        # Whoever starts the tests may ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        check=False,
    )
    assert (ending.returncode, ending.stderr) == (7, b"")
