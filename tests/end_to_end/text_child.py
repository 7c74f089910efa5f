# ruff: noqa: F401 - what is imported here is used by the code that comes with a start.
"""Runs an experiment with language models, in a process that may kill itself at a given moment."""

import os
import signal
import warnings

import nip.run_store.report.learning_curve as learning_curve
import nip.trainers.builtin.pure_text_ei
from nip.language_models.fine_tuning.openai_backend import OpenAIBackend
from nip.parameters import HyperParameters
from nip.run import run_experiment
from nip.run_store.database.job_table import JobTable
from nip.run_store.database.journal import RunJournal
from nip.run_store.database.rollout_table import RolloutTable
from nip.run_store.run import Run
from nip.trainers.rl_pure_text_base import PureTextRlTrainer


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_call(owner, name, number, after=False):
    """Kill the process at the given call of a function, before or after its work is done."""
    original, count = getattr(owner, name), 0

    def counted(*args, **kwargs):
        nonlocal count
        count += 1
        if count == number and not after:
            die()
        result = original(*args, **kwargs)
        if count == number:
            die()
        return result

    setattr(owner, name, counted)


def die_when_awaited(owner, name, number, after=False):
    """As `die_at_call`, for a coroutine."""
    original, count = getattr(owner, name), 0

    async def counted(*args, **kwargs):
        nonlocal count
        count += 1
        own = count
        if own == number and not after:
            die()
        result = await original(*args, **kwargs)
        if own == number:
            die()
        return result

    setattr(owner, name, counted)


def die_when_job_is_saved(status, number, after=True):
    """Kill the process when a job is stored in a state for the given time."""
    original, count = JobTable.save, 0

    def counted(self, job):
        nonlocal count
        count += job.status == status
        is_it = job.status == status and count == number
        if is_it and not after:
            die()
        original(self, job)
        if is_it:
            die()

    JobTable.save = counted


def run(start):
    """Run one experiment."""
    warnings.simplefilter("ignore")
    # Pictures are drawn in other tests.
    learning_curve.draw_learning_curve = lambda *_: None
    exec(start["preparation"], globals())
    hyper_params = HyperParameters.from_dict(start["parameters"])
    run_experiment(hyper_params, run_id="run", **start["settings"])
