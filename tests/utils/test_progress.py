"""Progress on a terminal and elsewhere."""

import io

import pytest
from rich.console import Console

from nip.utils import progress
from nip.utils.progress import ProgressBar


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def log():
    return Console(file=io.StringIO(), force_terminal=False, width=80)


@pytest.fixture
def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=80)


def lines_of(console):
    return console.file.getvalue().splitlines()


def test_a_log_file_gets_few_lines_and_one_at_the_end(clock, log):
    with ProgressBar("Training", 1000, console=log) as bar:
        for _ in range(1000):
            clock.now += 1.0
            bar.advance()
    lines = lines_of(log)
    assert len(lines) == 34  # one every 30 s of 1000 s, and the last
    assert lines[0] == "Training: 30/1000, 1/s, 0:16:10 left"
    assert lines[-1] == "Training: 1000/1000, 1/s"


def test_a_long_run_gets_at_most_a_line_per_hundredth(clock, log):
    with ProgressBar("Training", 1000, console=log) as bar:
        for _ in range(1000):
            clock.now += 60.0
            bar.advance()
    assert len(lines_of(log)) == 100
    assert lines_of(log)[0] == "Training: 10/1000, 60 s each, 16:30:00 left"


def test_a_short_loop_gets_one_line_with_its_metrics(clock, log):
    with ProgressBar("Testing", 2, console=log) as bar:
        for value in (0.25, 0.98765):
            clock.now += 0.5
            bar.set_metrics({"accuracy": value, "[loss]": 1e-7})
            bar.advance()
    assert lines_of(log) == ["Testing: 2/2, 2/s, accuracy 0.988  [loss] 1e-07"]


def test_steps_of_an_earlier_run_do_not_count_for_the_speed(clock, log):
    with ProgressBar("Training", 1000, console=log) as bar:
        bar.advance(900)
        for _ in range(100):
            clock.now += 1.0
            bar.advance()
    assert lines_of(log)[0] == "Training: 930/1000, 1/s, 0:01:10 left"


def test_a_loop_of_one_step_has_no_speed(clock, log):
    with ProgressBar("Testing", 1, console=log) as bar:
        clock.now += 1.0
        bar.advance()
    assert lines_of(log) == ["Testing: 1/1"]


def test_a_long_line_is_not_broken(clock, log):
    with ProgressBar("Training", 1, console=log) as bar:
        bar.set_metrics({f"metric_{number}": 1.0 for number in range(20)})
        clock.now += 1.0
        bar.advance()
    assert len(lines_of(log)) == 1


@pytest.mark.parametrize("kind", ["log", "terminal"])
def test_nothing_is_shown_when_disabled(kind, request):
    console = request.getfixturevalue(kind)
    with ProgressBar("Training", 2, enabled=False, console=console) as bar:
        bar.set_description("Testing")
        bar.set_metrics({"a": 1.0})
        bar.advance(2)
    assert console.file.getvalue() == ""


def test_a_terminal_shows_description_count_and_metrics(terminal):
    with ProgressBar("Training", 4, console=terminal) as bar:
        bar.advance()
        bar.set_description("Testing")
        bar.set_metrics({"accuracy": 0.5, "loss": 2.0})
        bar.advance(3)
    shown = terminal.file.getvalue()
    assert "Testing" in shown
    assert "4/4" in shown
    assert "accuracy 0.5  loss 2" in shown


def test_an_empty_loop_and_an_error_inside_leave_the_terminal_usable(terminal):
    with ProgressBar("Nothing", 0, console=terminal):
        pass
    with pytest.raises(ValueError, match="inside"), ProgressBar("Training", 2, console=terminal):
        raise ValueError("inside")
    assert terminal.file.getvalue().endswith("\x1b[?25h")  # the cursor is shown again
