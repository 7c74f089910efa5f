"""What answers at the endpoint: each brain in a file of its own, all found by name."""

from nip.language_models.server.mock_models.mock_model import (
    Brain,
    BrainAnswer,
    BrainRequest,
    TrainingExample,
)
from nip.language_models.server.mock_models.registry import (
    brain_registry,
    build_brain,
    check_brain,
    register_brain,
)

__all__ = [
    "Brain",
    "BrainAnswer",
    "BrainRequest",
    "TrainingExample",
    "brain_registry",
    "build_brain",
    "check_brain",
    "register_brain",
]
