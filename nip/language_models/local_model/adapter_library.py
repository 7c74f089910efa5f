"""Import of PEFT, the library of adapters."""

import importlib
import warnings
from typing import Any


def import_peft() -> Any:
    """Import PEFT, without the warning that version 0.21 causes with transformers 5.23."""
    warnings.filterwarnings(
        "ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning
    )
    return importlib.import_module("peft")
