"""Output that can always be written to."""

import errno
import io
import sys

import pytest

from nip.errors import NipWarning
from nip.utils.lasting_output import LastingStream, lasting
from tests.fork_server import fork_server


class Broken(io.StringIO):
    """A stream on a device that is full."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    flush = write  # type: ignore[assignment]


def test_a_stream_that_fails_loses_the_text_and_is_reported_once() -> None:
    errors: list[Exception] = []
    stream = LastingStream(Broken(), errors.append)
    assert stream.write("a") == 1
    assert stream.write("bc") == 2
    print("d", file=stream)
    assert [type(error) for error in errors] == [OSError]


def test_a_closed_stream_is_like_one_that_fails() -> None:
    inner = io.StringIO()
    inner.close()
    errors: list[Exception] = []
    stream = LastingStream(inner, errors.append)
    assert stream.write("a") == 1
    stream.flush()
    assert not stream.isatty()
    assert len(errors) == 1


def test_a_missing_stream_takes_everything_and_keeps_nothing() -> None:
    stream = LastingStream(None)
    assert stream.write("a" * 1000) == 1000
    assert stream.getvalue() == ""


def test_characters_that_the_encoding_lacks_are_written_as_escapes() -> None:
    raw = io.BytesIO()
    stream = LastingStream(io.TextIOWrapper(raw, encoding="ascii"))
    stream.write("p → q, \ud800, é")
    stream.flush()
    assert raw.getvalue() == b"p \\u2192 q, \\ud800, \\xe9"


def test_everything_else_is_that_of_the_stream() -> None:
    raw = io.BytesIO()
    inner = io.TextIOWrapper(raw, encoding="latin-1")
    stream = LastingStream(inner)
    assert (stream.encoding, stream.buffer) == ("latin-1", raw)
    assert lasting(inner) is not inner
    assert lasting(stream) is stream  # type: ignore[arg-type, comparison-overlap]


def test_a_program_that_shows_its_progress_is_told_once_and_goes_on() -> None:
    stream = lasting(Broken())
    with pytest.warns(NipWarning, match="No space left on device.*goes on"):
        stream.write("a")
    # A further warning would be an error here.
    stream.write("b")


CLOSED = """
import os, sys
for number in (0, 1, 2):
    os.close(number)
sys.stdout = sys.stderr = None
from nip.utils.lasting_output import protect_output
protect_output()
print("lost")
print("lost", file=sys.stderr)
with open("kept", "w") as file:
    assert file.fileno() > 2
    file.write("kept")
os.write(1, b"of a library")
"""


def test_files_do_not_get_the_numbers_of_streams_that_were_closed(tmp_path) -> None:
    ending = fork_server(with_torch=False).call(
        "tests.fork_server:run_code", CLOSED, folder=tmp_path
    )
    assert ending.exit_code == 0
    assert (tmp_path / "kept").read_text() == "kept"
    assert sys.stdout is not None
