# ruff: noqa: F401 - what is imported here is used by the code that comes with a start.
"""Runs text experiments that come on standard input, each in a fork, and prints how each ended.

One interpreter imports everything once and forks for each start and for each endpoint. With
``--single`` it runs the only start itself, so that it can be killed from outside.
"""

import json
import os
import signal
import socket
import sys
import traceback
import urllib.request
import warnings
from contextlib import contextmanager

import uvicorn

import nip.experiment.text_parts
import nip.run_store.report.learning_curve as learning_curve
import nip.trainers.builtin.pure_text_ei
from nip.language_models.fine_tuning.openai_backend import OpenAIBackend
from nip.language_models.server import EndpointOptions, create_app
from nip.parameters import HyperParameters
from nip.run import run_experiment
from nip.run_store.database.job_table import JobTable
from nip.run_store.database.journal import RunJournal
from nip.run_store.database.rollout_table import RolloutTable
from nip.run_store.run import Run
from nip.scenarios.code_validation.scenario import CodeValidationScenario
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


@contextmanager
def endpoint():
    """Serve code validation from another process; give the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = os.fork()
    if server == 0:
        options = EndpointOptions(brain_file=str(CodeValidationScenario.rehearsal_rules))
        config = uvicorn.Config(create_app(options), log_config=None, access_log=False)
        uvicorn.Server(config).run(sockets=[listener])
        os._exit(0)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
        listener.close()


def run(start) -> int:
    """Run one experiment; return the exit code."""
    try:
        exec(start["preparation"], globals())
        hyper_params = HyperParameters.from_dict(start["parameters"])
        run_experiment(hyper_params, run_id="run", **start["settings"])
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def run_in_fork(start, address) -> dict:
    """Run one experiment in a process of its own; say how it ended."""
    child = os.fork()
    if child == 0:
        text = json.dumps(start).replace("http://endpoint", address)
        code = run(json.loads(text))
        sys.stderr.flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with urllib.request.urlopen(f"{address}/admin/counters") as answer:
        return {"exit_code": code, "counters": json.load(answer)}


def main():
    warnings.simplefilter("ignore")
    # Pictures are drawn in other tests.
    learning_curve.draw_learning_curve = lambda *_: None
    work = json.load(sys.stdin)
    if "--single" in sys.argv:
        print("ready", flush=True)
        sys.exit(run(work))
    for group in work:
        with endpoint() as address:
            print(json.dumps([run_in_fork(start, address) for start in group]), flush=True)


if __name__ == "__main__":
    main()
