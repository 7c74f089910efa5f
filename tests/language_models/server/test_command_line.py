"""The mock API as a separate process, over HTTP."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import openai
import pytest
from openai import OpenAI

from nip.language_models.server.__main__ import address, build_parser, main
from tests.language_models.server.clients import MODEL
from tests.language_models.server.training_data import supervised

COMMAND = [sys.executable, "-m", "nip.language_models.server"]
MESSAGES = [{"role": "user", "content": "Hello"}]
TIMEOUT_S = 200
"""Time that a program may take to end, which is seconds on a machine that does nothing else."""


@contextmanager
def serve(*arguments: str) -> Iterator[tuple[subprocess.Popen, OpenAI]]:
    """Start an endpoint at a free port; give the process and a client."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        found = re.match(r"Serving (http://127\.0\.0\.1:\d+/v1);", process.stdout.readline())
        assert found, process.stderr.read()
        with OpenAI(api_key="any", base_url=found[1], max_retries=0, timeout=60.0) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


def ask(client: OpenAI, **more):
    return client.chat.completions.create(**{"model": MODEL, "messages": MESSAGES, **more})


def counters(client: OpenAI) -> dict:
    return httpx2.get(str(client.base_url.join("/admin/counters"))).json()


@pytest.mark.whole_run
def test_a_killed_server_resumes_from_its_state_file(tmp_path: Path) -> None:
    arguments = ("--state", str(tmp_path / "endpoint.db"), "--job-polls", "3")
    with serve(*arguments) as (process, client):
        first = ask(client, seed=1).choices[0].message.content
        file = client.files.create(file=("t.jsonl", supervised()), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(
            model=MODEL, training_file=file.id, metadata={"key": "k"}
        )
        assert client.fine_tuning.jobs.retrieve(job.id).status == "queued"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serve(*arguments) as (process, client):
        assert ask(client, seed=1).choices[0].message.content == first
        (found,) = client.fine_tuning.jobs.list(metadata={"key": "k"})
        assert found.id == job.id
        assert client.fine_tuning.jobs.retrieve(job.id).status == "running"
        trained = client.fine_tuning.jobs.retrieve(job.id).fine_tuned_model
        question = [{"role": "user", "content": "question 3"}]
        assert (
            ask(client, model=trained, messages=question).choices[0].message.content == "learnt 3"
        )
        told = counters(client)
        assert told["jobs"] == {"key=k": 1} and sorted(told["generations"].values()) == [1, 2]
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=TIMEOUT_S) == ("", "Stopped.\n")
        assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU])
def test_other_signals_stop_it_as_ctrl_c_does(number: int) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("what this process ignores, as after nohup, is ignored by what it starts")
    with serve("--brain", "echo") as (process, client):
        assert ask(client).choices[0].message.content == "Hello"
        for _ in range(2):
            process.send_signal(number)
        assert process.communicate(timeout=TIMEOUT_S) == ("", "Stopped.\n")
        assert process.returncode == 0


def test_nobody_needs_to_read_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen([*COMMAND, "--port", str(port)], stdout=full, stderr=full) as process,
    ):
        try:
            base_url = f"http://127.0.0.1:{port}/v1"
            with OpenAI(api_key="any", base_url=base_url, max_retries=8, timeout=60.0) as client:
                assert ask(client).choices[0].message.content
        finally:
            process.kill()


def test_connections_break_and_hang_over_http() -> None:
    faults = ("cut_connection?rate=1&model=cut", "timeout?rate=1&model=hang")
    with serve("--brain", "echo", "--faults", *faults) as (process, client):
        with pytest.raises(openai.APIConnectionError) as caught:
            ask(client, model="cut")
        assert not isinstance(caught.value, openai.APITimeoutError)
        with pytest.raises(openai.APITimeoutError):
            ask(client, model="hang", timeout=0.05)
        assert ask(client, model="other").choices[0].message.content == "Hello"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT_S)
        assert "Traceback" not in errors
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "http"], "must be an integer from 0 to 65535, got 'http'"),
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["--brain", "dialoge"], "Did you mean 'dialogue'"),
        (["--brain", "echo", "--brain-file", "x"], "does not use a file"),
        (["--brain", "local"], "needs the folder of a model"),
        (["--brain-file", "no_such_file.yaml"], "no_such_file.yaml"),
        (["--faults", "rate_limt"], "Did you mean 'rate_limit'"),
        (["--fault-rate", "1.5"], "fault_rate must be a number from 0 to 1, got 1.5"),
        (["--latency", "-1"], "latency_s must be a number from 0 to 1e+09, got -1.0"),
        (["--latency", "nan"], "got nan"),
        (["--host", "256.256.256.256"], "Cannot listen on 256.256.256.256"),
        (["--host", "a..b.ä"], "it is not the name of a host"),
        (["--host", "\udcff"], "it is not the name of a host"),
        (["--requests-per-minute", f"1{'0' * 400}"], "requests_per_minute must be a number from 1"),
        (["--tokens-per-minute", f"1{'0' * 400}"], "tokens_per_minute must be a number from 1"),
        (["--job-polls", f"1{'0' * 4200}"], "job_polls must be a number from 0"),
        (["--job-seconds", "1e308"], "job_seconds must be a number from 0 to 1e+09"),
        (["--state", ""], "state_path must name a file"),
        (["--state", "/dev/null"], "it is a device"),
        (["--state", "pipe"], "it is a named pipe"),
        (["--brain-file", "pipe"], "it is a named pipe"),
        (["--brain-file", "/dev/zero"], "it is a device"),
        (["--state", "no_such_folder/endpoint.db"], "the folder 'no_such_folder' does not exist"),
        (
            ["--api-key-variable", "NO_SUCH_VARIABLE"],
            "'NO_SUCH_VARIABLE' names an environment variable that is not set",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nonsense_gives_one_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], working_folder: Path
) -> None:
    os.mkfifo("pipe")
    try:
        code = main(["--port", "0", *arguments])
    except SystemExit as leaving:
        code = leaving.code
    said = capsys.readouterr().err
    assert code == 2
    assert message in said and said.startswith("error: ") and said.count("\n") == 1


def test_a_port_that_is_taken_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    assert "Choose another --port" in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        build_parser().parse_args(["--help"])
    assert leaving.value.code == 0
    told = capsys.readouterr().out
    for name in ("host", "port", "brain", "latency", "faults", "fault-rate", "state", "seed"):
        assert f"--{name} " in told


def test_addresses_of_either_kind_can_be_given_to_a_client() -> None:
    assert address("127.0.0.1", 80) == "http://127.0.0.1:80/v1"
    assert address("::1", 80) == "http://[::1]:80/v1"


RAW = {
    "an absurd length": (b"POST /v1/files HTTP/1.1\r\nContent-Length: 9999999999999\r\n", 413),
    "a negative length": (b"POST /v1/files HTTP/1.1\r\nContent-Length: -1\r\n", 400),
    "two lengths": (
        b"POST /admin/faults HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        400,
    ),
    "a broken chunk": (
        b"POST /admin/faults HTTP/1.1\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
    ),
    "an absurd range": (b"GET /v1/models HTTP/1.1\r\nRange: bytes=9-1,-,99999999999-\r\n", 200),
    "no UTF-8": (b"GET /v1/files?after=\xff HTTP/1.1\r\nX: \xff\r\n", 400),
    "no HTTP": (b"\x16\x03\x01\x02\x00\r\n", 400),
}


def test_what_is_hardly_http_is_refused_and_the_server_goes_on() -> None:
    with serve() as (process, client):
        base = client.base_url
        for name, (head, status) in RAW.items():
            with socket.create_connection((base.host, base.port), timeout=60) as connection:
                connection.sendall(head + b"Host: localhost\r\nConnection: close\r\n\r\n")
                answer = connection.recv(2000)
            assert answer.startswith(b"HTTP/1.1 %d " % status), (name, answer)
        assert counters(client)["num_requests"] > 0
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=TIMEOUT_S)
        assert stderr.endswith("Stopped.\n") and "Traceback" not in stderr
