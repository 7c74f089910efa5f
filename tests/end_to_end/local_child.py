# ruff: noqa: F401 - what is imported here is used by the code that comes with a start.
"""Runs experiments with tiny local models and jobs, in forks that may kill themselves.

The libraries are imported once, so that experiments, workers and jobs are forks. A worker is forked
by a helper process that exists before the experiment begins, because an experiment has threads.
"""

import hashlib
import importlib
import json
import os
import signal
import socket
import sqlite3
import sys
import time
import traceback
import warnings
from pathlib import Path

import nip.run_store.report.learning_curve as learning_curve
from nip.command_line.errors import plain_messages
from nip.command_line.start import begin_command_line
from nip.language_models.fine_tuning import local_backend
from nip.language_models.fine_tuning.local_backend import LocalBackend
from nip.parameters import HyperParameters
from nip.run import run_experiment
from tests.end_to_end.text_child import die_at_call, die_when_awaited, die_when_job_is_saved

NUM_ITERATIONS = 3
AGENT = {
    "model_provider": "local",
    "max_tokens_per_message": 12,
    "num_invalid_generation_retries": 0,
    "fine_tune_from_scratch": False,
}


def make_models(folder):
    """Make two base models of different sizes that can speak the language of ``quotes``."""
    from nip.scenarios.quotes.tiny_models.corpus import Variant, make_corpus
    from nip.scenarios.quotes.tiny_models.pretraining import TinyModelOptions, pretrain

    corpus = make_corpus(Variant("adp"), 64, num_facts=2, seed=0)
    for role, width in (("prover", 16), ("verifier", 24)):
        options = TinyModelOptions(
            d_model=width,
            num_layers=1,
            context_length=128,
            max_exercise_steps=0,
            num_steps=60,
            batch_size=16,
            lr=1e-2,
        )
        pretrain(corpus[role], corpus[role], Path(folder) / role, options, seed=1)


def parameters(models, **changes):
    """Return an experiment in which both models are trained twice."""
    return {
        "scenario": "quotes",
        "dataset": "facts",
        "trainer": "pure_text_ei",
        "interaction_protocol": "adp",
        "quotes": {"num_facts": 2, "num_train": 100, "num_test": 10},
        "agents": {
            role: {**AGENT, "model_name": f"{models}/{role}"} for role in ("prover", "verifier")
        },
        "rl": {"num_iterations": NUM_ITERATIONS, "rollouts_per_iteration": 16},
        "text_rl": {"test_scheme": "last"},
        "pure_text_ei": {
            "rollout_selection_method": "weighted_sampling",
            "weighting_sample_size_factor": 1.0,
        },
        "fine_tuning": {"backend": "local", "n_epochs": 2, "batch_size": 4},
        "local_training": {
            "adaptation": "full",
            "learning_rate": 0.01,
            "lr_schedule": "constant",
            "keep_optimizer_state": True,
            # After each update.
            "checkpoint_minutes": 1e-9,
        },
        **changes,
    }


def run_cases(request):
    """Run each case, a list of starts, in a folder of its own; return what they leave."""
    for name in ("peft", "safetensors.torch", "nip.language_models.local_training.training"):
        importlib.import_module(name)
    transformers = importlib.import_module("transformers")
    _ = transformers.AutoModelForCausalLM, transformers.AutoTokenizer, transformers.LlamaForCausalLM
    models = Path(request["folder"]) / "models"
    if not models.exists():
        make_models(models)
    outcomes = {}
    for name, case in request["cases"].items():
        folder = Path(request["folder"]) / name
        folder.mkdir()
        codes = []
        for start in case["starts"]:
            codes.append(_run_start(folder, models, case.get("changes", {}), start))
        outcomes[name] = {"codes": codes, "left": left_in(folder / "runs" / "run")}
    return outcomes


def _run_start(folder, models, changes, start):
    """Run one start in a fork; kill it after a while if it says so. Return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.chdir(folder)
            code = _experiment(models, changes, start)
        except SystemExit as leaving:
            code = leaving.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    if "seconds" in start:
        ended = _wait(pid, start["seconds"])
        if ended is not None:
            return ended
        os.kill(pid, start.get("signal", signal.SIGKILL))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _wait(pid, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def _experiment(models, changes, start):
    note_updates(start.get("fatal", ()))
    # Before signals are handled, which its process does not do.
    local_backend._start_worker = WorkerStarter()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begin_command_line("Stopped before the run.")
    warnings.simplefilter("ignore")
    learning_curve.draw_learning_curve = lambda *_: None
    exec(start.get("preparation", ""), globals())
    hyper_params = HyperParameters.from_dict(parameters(models, **changes))
    settings = {"runs_dir": "runs", "progress": False, "max_invalid_share": 1.0}
    settings["max_concurrency"] = start.get("max_concurrency", 100)
    with plain_messages(lambda: "Stopped. Go on."):
        run_experiment(hyper_params, run_id="run", **settings)
    return 0


def stop_when_awaited(owner, name, number):
    """Ask the process to stop at the given call of a coroutine."""
    original, count = getattr(owner, name), 0

    async def counted(*args, **kwargs):
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return await original(*args, **kwargs)

    setattr(owner, name, counted)


def note_updates(fatal):
    """Let jobs write down their updates, and kill themselves after some, one after the other."""
    from nip.language_models.local_training import training

    class Noted(training.Training):
        def __init__(self, job):
            def note(updates):
                with (job.path / "updates.log").open("a") as log:
                    log.write(f"{updates}\n")
                number = len(job.deaths)
                if number < len(fatal) and updates == fatal[number]:
                    os.kill(os.getpid(), signal.SIGKILL)

            super().__init__(job, note)

    training.Training = Noted


class WorkerStarter:
    """Forks workers in a helper process; takes the place of ``_start_worker``."""

    def __init__(self):
        self._socket, other = socket.socketpair()
        if os.fork() == 0:
            self._socket.close()
            _fork_workers(other)
            os._exit(0)
        other.close()

    def __call__(self, folder):
        ours, theirs = os.pipe()
        socket.send_fds(self._socket, [str(folder).encode()], [ours])
        os.close(ours)
        return StartedWorker(int(self._socket.recv(100)), theirs)


class StartedWorker:
    """A worker as ``subprocess.Popen`` shows it."""

    def __init__(self, pid, pipe):
        self.pid, self._pipe = pid, pipe

    def poll(self):
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None


def _fork_workers(requests):
    from nip.language_models.local_training.worker import work

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        folder, pipes, *_ = socket.recv_fds(requests, 4096, 1)
        if not folder:
            return
        pid = os.fork()
        if pid == 0:
            requests.close()
            os.setsid()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(pipes[0], 0)
            os.close(pipes[0])
            try:
                work(Path(folder.decode()))
            except BaseException:
                traceback.print_exc()
            os._exit(0)
        os.close(pipes[0])
        requests.send(str(pid).encode())


def left_in(run):
    """Return all that must not depend on how often a run was killed."""
    if not (run / "result.json").exists():
        return None
    with sqlite3.connect(run / "run.db") as database:
        tables = {
            "metrics": "SELECT iteration, name, value FROM metrics ORDER BY iteration, name",
            "rollouts": "SELECT phase, iteration, position, record FROM rollouts "
            "ORDER BY phase, iteration, position",
            "jobs": "SELECT key, iteration, model_group, attempt, status, model, events "
            "FROM fine_tuning_jobs ORDER BY key",
        }
        rows = {name: database.execute(query).fetchall() for name, query in tables.items()}
    files = {}
    for path in sorted((run / "local_jobs").glob("nip-*/*/*.safetensors")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files[str(path.relative_to(run))] = digest
    updates = {
        path.parent.name: [int(line) for line in path.read_text().split()]
        for path in sorted((run / "local_jobs").glob("nip-*/updates.log"))
    }
    result = json.loads((run / "result.json").read_text())
    return {
        "rows": json.loads(json.dumps(rows)),
        "files": files,
        "metrics": result["metrics"],
        "updates": updates,
        "folders": sorted(
            f"{path.parent.name[:8]}/{path.name}"
            for path in (run / "local_jobs").glob("nip-*/checkpoints")
        ),
    }
