"""The code in the guides on protocols runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


def code_of(guide: Path) -> str:
    """Return all Python blocks of a guide, one after another, as a reader would run them."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", guide.read_text(), re.S | re.M))


@pytest.mark.parametrize("guide", ["protocols.md", "new_protocol.md"])
def test_the_code_in_the_guide_runs(repository: Path, guide: str) -> None:
    """In a process of its own, because it registers protocols."""
    code = code_of(repository / "doc" / "guides" / guide)
    assert code
    run = subprocess.run(
        [sys.executable, "-c", f"import new_protocol\n{code}"],
        cwd=repository / "doc" / "examples",
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_the_message_shown_in_the_guide_is_the_one_that_comes(repository: Path) -> None:
    from nip.errors import ProtocolError
    from tests.protocols.play import handler_of

    with pytest.raises(ProtocolError) as caught:
        handler_of("nip", common={"verifier_first": False}, nip_protocol={"max_message_rounds": 1})
    guide = (repository / "doc" / "guides" / "protocols.md").read_text()
    quoted = " ".join(line.removeprefix("> ") for line in guide.splitlines() if line[:1] == ">")
    assert str(caught.value) == quoted
