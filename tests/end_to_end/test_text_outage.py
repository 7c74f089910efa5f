"""A service that is down for a while in mid-run changes nothing."""

import re
import threading
import time
from pathlib import Path

import pytest

from nip.errors import NipWarning
from tests.end_to_end.rehearsals import run_quietly
from tests.end_to_end.text_runs import RULES, Endpoint, everything, parameters
from tests.fork_server import fork_server
from tests.text_experiments import make_text_params

NUM_REQUESTS = 30
"""Number of requests after which the service is down: in the middle of the first stage."""

SERVER = "nip.language_models.server.__main__:main"


class RestartedService:
    """A mock API that is killed when it has answered some requests, and restarted later."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._options = ["--brain-file", str(RULES), "--state", str(folder / "endpoint.db")]
        self._options += ["--latency", "0.02"]
        self._server = self._start("0")
        while (found := re.search(r"http://[\d.]+:(\d+)", self._server.output())) is None:
            assert self._server.wait(0.005) is None, self._server.output("stderr")
        self.address, self._port = found[0], found[1]

    def restart_after(self, num_requests: int, seconds_down: float) -> None:
        """Kill the server after some requests, and start it again at the same address."""
        while Endpoint(self.address).counters()["num_requests"] < num_requests:
            time.sleep(0.01)
        self._server.kill()
        time.sleep(seconds_down)
        self._server = self._start(self._port)

    def kill(self) -> None:
        self._server.kill()

    def _start(self, port: str):
        return fork_server().start(SERVER, [*self._options, "--port", port])


def params_at(address: str):
    given = parameters(address)
    given.pop("scenario"), given.pop("dataset"), given.pop("trainer")
    return make_text_params(**{**given, "agents": {"_default": given["agents"]["_default"]}})


def run_with_outage(runs_dir: Path, seconds_down: float | None) -> None:
    """Run an experiment whose service is down for a while; None: never."""
    service = RestartedService(runs_dir / "service")
    restart = threading.Thread(target=service.restart_after, args=(NUM_REQUESTS, seconds_down))
    try:
        if seconds_down is not None:
            restart.start()
        run_quietly(params_at(service.address), runs_dir, poll_seconds=0.05, max_concurrency=4)
    finally:
        if seconds_down is not None:
            restart.join()
        service.kill()


@pytest.mark.parametrize(
    "seconds", [2.0, pytest.param(60.0, marks=pytest.mark.slow)], ids=["short", "a minute"]
)
def test_an_outage_in_mid_run_changes_no_statistic(seconds: float, tmp_path: Path) -> None:
    for folder in ("with", "without"):
        (tmp_path / folder).mkdir()
    with pytest.warns(NipWarning) as warned:
        run_with_outage(tmp_path / "with", seconds)
    texts = [str(each.message) for each in warned]
    assert "is unreachable. All of its calls are paused" in texts[0]
    assert "is reachable again" in texts[-1]
    run_with_outage(tmp_path / "without", None)
    left = [everything(tmp_path / folder) for folder in ("with", "without")]
    for name in ("metrics", "rollouts", "journal"):
        assert left[0][name] == left[1][name]
