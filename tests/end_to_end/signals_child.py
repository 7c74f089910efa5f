"""Runs experiments as the command line does, in processes that signals stop."""

import os
import pty
import signal
import sys
import time
import warnings
from typing import Any

import nip.run_store.report.learning_curve as learning_curve
import tests.end_to_end.forking_child  # noqa: F401 - registers the callback "remembering"
from nip.command_line.errors import plain_messages
from nip.command_line.start import begin_command_line
from nip.parameters import HyperParameters
from nip.run import run_experiment
from nip.trainers.callbacks import Callback, TrainingContext
from nip.trainers.core.components import TrainerComponents
from nip.utils.stop_signals import Interrupted
from tests.command_line_process import run_script


def run(start: dict[str, Any]) -> None:
    """Run or resume an experiment; the exit code is that of the command line."""
    # Shells let what they start in the background ignore Ctrl-C, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begin_command_line("Stopped before the run.")
    warnings.simplefilter("ignore")
    # Pictures are drawn in other tests.
    learning_curve.draw_learning_curve = lambda *_: None
    hyper_params = HyperParameters.from_dict(start["parameters"])
    callbacks = [Sleeping()] if start.get("sleeps") else []
    components = TrainerComponents(callbacks=callbacks)
    with plain_messages(lambda: "Stopped. Go on."):
        run_experiment(hyper_params, run_id="run", components=components, **start["settings"])


def run_with_output(kind: str, script: str, *arguments: str) -> None:
    """Run a script whose standard output is a broken pipe, a full disk, a dead terminal, ..."""
    if kind == "closed":
        os.close(1)
        sys.stdout = None  # type: ignore[assignment]
    elif kind == "ascii":
        sys.stdout.reconfigure(encoding="ascii", errors="strict")  # type: ignore[union-attr]
    else:
        if kind == "full":
            output = os.open("/dev/full", os.O_WRONLY)
        else:
            other, output = os.pipe() if kind == "pipe" else pty.openpty()
            os.close(other)
        os.dup2(output, 1)
    run_script(script, *arguments)


class Sleeping(Callback):
    """Takes very long to end the second iteration, and says so."""

    def on_iteration_end(self, context: TrainingContext) -> None:
        if context.iteration == 1:
            print("asleep", flush=True)
            end = time.monotonic() + 60
            while time.monotonic() < end:
                time.sleep(0.01)


class Stopping(Callback):
    """Lets a signal stop one of the ranks."""

    def on_iteration_end(self, context: TrainingContext) -> None:
        if context.iteration == 1 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGTERM)


def stop_one_rank(job: dict[str, Any]) -> list[Any]:
    """Train until a signal stops one rank; return where this rank has stopped, and how."""
    # Pictures are drawn in other tests.
    learning_curve.draw_learning_curve = lambda *_: None
    warnings.simplefilter("ignore")
    seen: list[int] = []

    class Counting(Callback):
        def on_train_end(self, context: TrainingContext) -> None:
            seen.append(context.iteration)

    components = TrainerComponents(callbacks=[Stopping(), Counting()])
    hyper_params = HyperParameters.from_dict(job["parameters"])
    try:
        run_experiment(hyper_params, run_id="run", components=components, **job["settings"])
    except Interrupted as stopped:
        return [*seen, str(stopped)]
    return [*seen, "completed"]
