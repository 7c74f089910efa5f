"""The mock models of the mock API, one per file, looked up by name."""

from nip.language_models.server.mock_models.mock_model import (
    MockAnswer,
    MockModel,
    MockRequest,
    TrainingExample,
)
from nip.language_models.server.mock_models.registry import (
    build_mock_model,
    check_mock_model,
    mock_model_registry,
    register_mock_model,
)

__all__ = [
    "MockAnswer",
    "MockModel",
    "MockRequest",
    "TrainingExample",
    "build_mock_model",
    "check_mock_model",
    "mock_model_registry",
    "register_mock_model",
]
