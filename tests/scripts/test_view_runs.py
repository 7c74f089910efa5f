"""The command that serves the viewer."""

import socket
import threading
import urllib.request
from pathlib import Path

import pytest

from nip.commands.view import main
from nip.errors import ParameterError
from nip.viewer import serving
from nip.viewer.serving import DEFAULT_PORT, HOST, listening_socket
from nip.viewer.web.options import ViewerOptions, default_index
from tests.scripts.command_lines import error_of


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "70000"], "should be a port, from 0 to 65535"),
        (["--port", "x"], "should be a port"),
        (["nothing"], "There is no run 'nothing'"),
        (["../x"], "There is no run '../x'"),
        (["--index", ""], "a path cannot be empty"),
    ],
)
def test_what_cannot_be_is_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in error_of(main, [*words, "--runs-dir", str(tmp_path)], capsys)


def test_a_port_that_is_taken_is_reported_and_another_one_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listening_socket(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ParameterError, match=f"cannot listen on port {port}: .*--port"):
            listening_socket(port)
        monkeypatch.setattr(serving, "DEFAULT_PORT", port)
        with listening_socket(None) as following:
            assert port < following.getsockname()[1] < port + serving.NUM_PORTS
    assert DEFAULT_PORT == 8765


def test_only_this_machine_is_listened_to() -> None:
    with listening_socket(0) as listener:
        assert listener.getsockname()[0] == HOST == "127.0.0.1"
        assert listener.family == socket.AF_INET


def test_the_viewer_is_served_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import uvicorn

    servers: list[uvicorn.Server] = []
    run = uvicorn.Server.run
    monkeypatch.setattr(
        uvicorn.Server, "run", lambda self, **given: (servers.append(self), run(self, **given))
    )
    addresses: list[str] = []
    announced = threading.Event()
    options = ViewerOptions(tmp_path, tmp_path / "index.db")
    thread = threading.Thread(
        target=serving.serve,
        args=(options, 0, lambda text: (addresses.append(text), announced.set())),
    )
    thread.start()
    assert announced.wait(200)
    with urllib.request.urlopen(f"{addresses[0]}runs") as answer:
        assert b"There are no runs yet" in answer.read()
    servers[0].should_exit = True
    thread.join()


def test_each_folder_of_runs_has_an_index_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, second = (default_index(tmp_path / name) for name in ("a", "b"))
    assert first != second
    assert default_index(tmp_path / "x" / ".." / "a") == first
    assert not first.exists()
