"""Fine-tuning backends are registered, checked and built by name."""

from collections.abc import Iterator
from typing import Any

import pytest

from nip.errors import PluginError
from nip.language_models.chat import ModelSpec
from nip.language_models.fine_tuning.backend import FineTuningBackend
from nip.language_models.fine_tuning.registry import (
    build_fine_tuning_backend,
    check_fine_tuning_access,
    fine_tuning_backend_registry,
    register_fine_tuning_backend,
)
from nip.language_models.provider_registry import ConnectionContext
from tests.language_models.fine_tuning.fake_service import FakeBackend

MODEL = ModelSpec("openai", "m")
NAME = "recording_in_tests"


class RecordingBackend(FakeBackend):
    """Records with what it is checked and built."""

    checked: list[tuple[ModelSpec, ConnectionContext]]

    def __init__(self, model: ModelSpec, context: ConnectionContext) -> None:
        self.built_with = (model, context)

    @classmethod
    def check_access(cls, model: ModelSpec, context: ConnectionContext) -> None:
        cls.checked.append((model, context))


@pytest.fixture
def backend() -> Iterator[Any]:
    RecordingBackend.checked = []
    yield register_fine_tuning_backend(NAME)(RecordingBackend)
    fine_tuning_backend_registry.unregister(NAME)


def test_registration_returns_the_class_and_tells_it_its_name(backend: Any) -> None:
    assert backend is RecordingBackend
    assert backend.name == NAME
    assert fine_tuning_backend_registry[NAME] is backend


def test_a_check_without_a_context_uses_the_default_one(backend: Any) -> None:
    own = ConnectionContext(timeout_s=5.0)
    check_fine_tuning_access(NAME, MODEL)
    check_fine_tuning_access(NAME, MODEL, own)
    assert backend.checked == [(MODEL, ConnectionContext()), (MODEL, own)]


def test_a_backend_is_built_for_its_model_and_context(backend: Any) -> None:
    context = ConnectionContext(timeout_s=5.0)
    built = build_fine_tuning_backend(NAME, MODEL, context)
    assert type(built) is backend and built.built_with == (MODEL, context)
    assert backend.checked == []


def test_an_incomplete_backend_is_refused_before_it_is_used() -> None:
    class Half(FineTuningBackend):
        def __init__(self, model: ModelSpec, context: ConnectionContext) -> None: ...

        @classmethod
        def check_access(cls, model: ModelSpec, context: ConnectionContext) -> None: ...

        async def upload(self, content: bytes, name: str) -> str:
            return name

    register_fine_tuning_backend("half")(Half)
    try:
        for use in (
            lambda: check_fine_tuning_access("half", MODEL),
            lambda: build_fine_tuning_backend("half", MODEL, ConnectionContext()),
        ):
            with pytest.raises(PluginError, match=r"'half' is incomplete.*create_job, find_file"):
                use()
    finally:
        fine_tuning_backend_registry.unregister("half")
