"""Mock models are built by name, and a file that cannot be read is reported with its reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.language_models.server.mock_models.echo import EchoModel
from nip.language_models.server.mock_models.mock_model import MockModel
from nip.language_models.server.mock_models.registry import (
    build_mock_model,
    check_mock_model,
    mock_model_registry,
    register_mock_model,
)


@pytest.fixture
def reading() -> Iterator[str]:
    """A mock model that opens its file."""

    @register_mock_model("reading_in_tests")
    class ReadingModel(EchoModel):
        def __init__(self, file: str | None = None) -> None:
            super().__init__()
            Path(file or "").read_text()

    yield "reading_in_tests"
    mock_model_registry.unregister("reading_in_tests")


@pytest.fixture
def broken() -> Iterator[str]:
    """A mock model whose constructor has a bug."""

    @register_mock_model("broken_in_tests")
    class BrokenModel(EchoModel):
        def __init__(self, file: str | None = None) -> None:
            raise KeyError("a bug")

    yield "broken_in_tests"
    mock_model_registry.unregister("broken_in_tests")


def test_a_model_is_built_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: []\notherwise: [Yes.]\n")
    model = build_mock_model("dialogue", str(path))
    assert isinstance(model, MockModel) and model.file == str(path)
    assert type(build_mock_model("echo")) is EchoModel


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing.txt", "No such file or directory"), (".", "Is a directory")],
)
def test_a_file_that_a_model_cannot_open_is_named_with_the_reason(
    reading: str, tmp_path: Path, name: str, reason: str
) -> None:
    file = str(tmp_path / name)
    with pytest.raises(ParameterError) as caught:
        check_mock_model(reading, file)
    assert f"brain={reading!r} cannot read brain_file={file!r}: {reason}." in str(caught.value)


def test_a_bug_of_a_model_is_not_taken_for_a_wrong_file(broken: str) -> None:
    with pytest.raises(KeyError, match="a bug"):
        build_mock_model(broken)
