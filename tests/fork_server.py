"""Running functions in forks of an interpreter that has imported everything once.

A fresh interpreter needs seconds to import torch; a fork of one that has it starts in
milliseconds, and can be killed as any process can.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

KILLED = -signal.SIGKILL
REPOSITORY = Path(__file__).parents[1]
SCRIPT = REPOSITORY / "scripts" / "run_experiment.py"
HEAVY = {"torch", "tensordict", "torchrl", "matplotlib"}
PRELOADED = [
    "aiohttp",
    "matplotlib.backends.backend_agg",
    "mpl_toolkits.mplot3d",
    "nip.experiment.checks",
    "nip.experiment.tensor_parts",
    "nip.experiment.text_checks",
    "nip.experiment.text_parts",
    "nip.factory",
    "nip.language_models.fine_tuning.openai_backend",
    "nip.language_models.providers.openai",
    "nip.language_models.server.app",
    "nip.run_store.report.learning_curve",
    "openai.resources",
    "torch.fx.experimental.symbolic_shapes",
    "torch.utils.tensorboard",
    "uvicorn",
]
"""What experiments import, besides what is registered."""

EXPERIMENTS = [
    {"scenario": "code_validation", "trainer": "pure_text_ei", "dataset": "any"},
    {"scenario": "graph_isomorphism", "trainer": "vanilla_ppo", "dataset": "any"},
    {"scenario": "toy", "trainer": "vanilla_ppo", "dataset": "witness"},
]
"""Experiments whose parameters have most of all types."""


@dataclass(frozen=True)
class Ending:
    """How a fork ended."""

    exit_code: int
    """As of a process; 1 after an exception, ``KILLED`` for one that was killed."""

    result: Any
    """The return value, as JSON gives it back; None if the function did not return."""

    stdout: str
    stderr: str

    heavy_imports: list[str]
    """Which of ``HEAVY`` had been imported at the end; empty if the fork was killed."""


class Fork:
    """A function that runs in a fork."""

    def __init__(self, server: "ForkServer", folder: Path, request: dict[str, Any]) -> None:
        self._server, self._folder = server, folder
        self._ending: Ending | None = None
        folder.mkdir()
        for name in ("stdout", "stderr"):
            (folder / name).touch()
        self.pid: int = server.request({**request, "report": str(folder)})

    def output(self, name: str = "stdout") -> str:
        """Return what the fork has written so far to its standard output or error."""
        return (self._folder / name).read_text(errors="replace")

    def wait(self, seconds: float) -> Ending | None:
        """Wait for the end; return None if the fork is still running after that time."""
        if self._ending is not None:
            return self._ending
        code = self._server.request({"wait": self.pid, "seconds": seconds})
        if code is None:
            return None
        reports = (self._folder / "result.json", self._folder / "imports.json")
        result, imports = (
            json.loads(path.read_text()) if path.exists() else None for path in reports
        )
        outputs = self.output("stdout"), self.output("stderr")
        self._ending = Ending(code, result, *outputs, imports or [])
        return self._ending

    def kill(self) -> Ending:
        """Kill the fork if it is still running."""
        if self._ending is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        ending = self.wait(60)
        assert ending is not None
        return ending


class ForkServer:
    """An interpreter that forks for each function it is asked to run.

    Parameters
    ----------
    hash_seed : int
        Value of ``PYTHONHASHSEED``, on which the order of sets depends.
    with_torch : bool
        Whether it has imported torch and all parts of the package, or what the command line needs.
    """

    def __init__(self, hash_seed: int, *, with_torch: bool) -> None:
        self._folder = TemporaryDirectory(prefix="forks")
        self._num_forks = 0
        self._process = subprocess.Popen(
            [sys.executable, __file__, "torch" if with_torch else "command_line"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            # Ctrl-C is for the tests, which then close it.
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONHASHSEED": str(hash_seed),
                "PYTHONPATH": str(REPOSITORY),
                "OMP_NUM_THREADS": "1",
            },
        )

    def request(self, message: dict[str, Any]) -> Any:
        """Send a message to the interpreter and return its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(message)}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(
        self,
        function: str,
        *arguments: Any,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Fork:
        """Run a function in a fork.

        Parameters
        ----------
        function : str
            ``module:function``; the module is imported in the fork.
        *arguments : Any
            Plain data.
        folder : Path, optional
            The working folder.
        environment : mapping of str to str, optional
            All environment variables; by default those of this process.
        """
        self._num_forks += 1
        request = {
            "function": function,
            "arguments": arguments,
            "folder": None if folder is None else str(folder),
            "environment": dict(os.environ if environment is None else environment),
        }
        return Fork(self, Path(self._folder.name) / str(self._num_forks), request)

    def call(self, function: str, *arguments: Any, seconds: float = 250, **options: Any) -> Ending:
        """Run a function in a fork, as `start` does, and wait for its end."""
        fork = self.start(function, *arguments, **options)
        ending = fork.wait(seconds)
        if ending is None:
            raise TimeoutError(f"{function} took {seconds} s: {fork.kill().stderr}")
        return ending

    def import_all(self, *modules: str) -> None:
        """Import modules that few forks need, so that the next forks need not.

        Not in an interpreter that is shared by all tests, some of which check what is imported.
        """
        self.request({"import": modules})

    def close(self) -> None:
        """End the interpreter."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()


_servers: dict[tuple[int, bool], ForkServer] = {}


def fork_server(hash_seed: int = 0, *, with_torch: bool = True) -> ForkServer:
    """Return the interpreter of this kind, which is started by the first call."""
    kind = (hash_seed, with_torch)
    if kind not in _servers:
        _servers[kind] = ForkServer(hash_seed, with_torch=with_torch)
    return _servers[kind]


def close_fork_servers() -> None:
    """End all interpreters that were started."""
    while _servers:
        _servers.popitem()[1].close()


def run_code(code: str, *arguments: str) -> None:
    """Do what ``python -c code arguments`` does; to be called in a fork."""
    sys.argv = ["-c", *arguments]
    sys.path.insert(0, "")
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})


# ---- What the interpreter does


def serve() -> None:
    """Fork for each function that is named on standard input, until that ends."""
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)
    _keep_all()
    for line in requests:
        message = json.loads(line)
        answer: int | None = None
        if "wait" in message:
            answer = _wait(message["wait"], message["seconds"])
        elif "import" in message:
            for name in message["import"]:
                importlib.import_module(name)
            _keep_all()
        else:
            answer = os.fork()
            if answer == 0:
                requests.close()
                answers.close()
                os._exit(_run(message))
        print(json.dumps(answer), file=answers, flush=True)


def _keep_all() -> None:
    """Let what is alive now stay alive: collecting garbage in the forks need not look at it."""
    gc.collect()
    gc.freeze()


def _wait(pid: int, seconds: float) -> int | None:
    """Return the exit code of a fork; None if it does not end in time."""
    end, pause = time.monotonic() + seconds, 0.001
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(pause)
        pause = min(1.5 * pause, 0.02)


def _run(message: dict[str, Any]) -> int:
    """Run the function in the fork; return the exit code."""
    report = Path(message["report"])
    for number, name in enumerate(("stdout", "stderr"), start=1):
        os.dup2(os.open(report / name, os.O_WRONLY | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(message["environment"])
    if message["folder"] is not None:
        os.chdir(message["folder"])
    module, _, name = message["function"].partition(":")
    try:
        result = getattr(importlib.import_module(module), name)(*message["arguments"])
        (report / "result.json").write_text(json.dumps(result))
        code = 0
    except SystemExit as leaving:
        code = _exit_code(leaving)
    except BaseException:
        traceback.print_exc()
        code = 1
    (report / "imports.json").write_text(json.dumps(sorted(HEAVY & set(sys.modules))))
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _exit_code(leaving: SystemExit) -> int:
    """Do what the interpreter does when an exit is not caught."""
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    print(leaving.code, file=sys.stderr)
    return 1


def _import_all() -> None:
    """Import what experiments need, so that the forks need not."""
    for name in PRELOADED:
        importlib.import_module(name)
    from nip.protocols.registry import protocol_registry
    from nip.scenario_base.registry import scenario_registry
    from nip.trainers.registry import trainer_registry

    for registry in (trainer_registry, scenario_registry, protocol_registry):
        for name in registry.names():
            registry[name]
    _spare_forks_work()


def _spare_forks_work() -> None:
    """Do what each run would do again with the same result, and let none draw its curves.

    Runs whose imports matter start from the other interpreter, and draw.
    """
    from nip.parameters import HyperParameters
    from nip.run_store.environment import describe_start
    from tests.described_code import code_described_once
    from tests.pictures import empty_pictures

    for experiment in EXPERIMENTS:
        params = HyperParameters.from_dict({"interaction_protocol": "nip", **experiment})
        HyperParameters.from_dict(params.to_dict())
    code_described_once().start()
    describe_start({})
    empty_pictures().start()


def main() -> None:
    """Import, and serve."""
    # Whoever starts the tests may ignore it, as nohup does, and forks would inherit that.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    sys.path.pop(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # All that the command line imports before it knows what to do.
        for module in ("nip.commands.run", "nip.command_line.hydra_jobs"):
            importlib.import_module(module)
        if "torch" in sys.argv:
            _import_all()
    serve()


if __name__ == "__main__":
    main()
