"""The guide to protocols quotes the message that comes."""

from pathlib import Path

import pytest


def test_the_message_shown_in_the_guide_is_the_one_that_comes(repository: Path) -> None:
    from nip.errors import ProtocolError
    from tests.protocols.play import handler_of

    with pytest.raises(ProtocolError) as caught:
        handler_of("nip", common={"verifier_first": False}, nip_protocol={"max_message_rounds": 1})
    guide = (repository / "doc" / "guides" / "protocols.md").read_text()
    quoted = " ".join(line.removeprefix("> ") for line in guide.splitlines() if line[:1] == ">")
    assert str(caught.value) == quoted
