"""Where a job computes: device, precision, and the processes that ``accelerate launch`` starts."""

import importlib
import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def choose_device(wanted: str) -> str:
    """Return ``cuda`` or ``cpu``; ``auto`` is the GPU if there is one."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def choose_dtype(wanted: str, device: str) -> str:
    """Return ``bfloat16`` or ``float32``; ``auto`` is the former on a GPU that has it."""
    import torch

    if wanted == "auto":
        return "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    return wanted


class Processes:
    """The processes that train one model together, usually a single one.

    Parameters
    ----------
    device : str
        ``cpu`` or ``cuda``.
    dtype : str
        Precision of the computation: ``float32`` or ``bfloat16``.
    """

    def __init__(self, device: str, dtype: str) -> None:
        self._dtype = dtype
        self._accelerator: Any = None
        self.device: Any = device
        self.rank, self.size = 0, 1
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            accelerate: Any = importlib.import_module("accelerate")
            self._accelerator = accelerate.Accelerator(cpu=device == "cpu")
            self.device = self._accelerator.device
            self.rank = self._accelerator.process_index
            self.size = self._accelerator.num_processes

    def share(self, model: Any) -> Any:
        """Return the model with gradients that are means over the processes."""
        return model if self._accelerator is None else self._accelerator.prepare(model)

    def precision(self) -> AbstractContextManager[Any]:
        """Return the context in which a loss is computed."""
        import torch

        if self._dtype == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16)

    def total(self, value: "Tensor") -> "Tensor":
        """Return the sum over the processes."""
        if self._accelerator is None:
            return value
        total: Tensor = self._accelerator.reduce(value, reduction="sum")
        return total

    def wait(self) -> None:
        """Wait for all processes."""
        if self._accelerator is not None:
            self._accelerator.wait_for_everyone()
