"""How and where an experiment runs, which changes its result by rounding at most."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

from nip.errors import did_you_mean
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import Count, CountOrZero, Positive

_DEVICE = re.compile(r"cpu|cuda(:\d+)?")
_DEVICE_NICKNAMES = {"gpu": "cuda", "nvidia": "cuda"}


def _as_text(path: Any) -> Any:
    return os.fspath(path) if isinstance(path, os.PathLike) else path


Folder = Annotated[str, BeforeValidator(_as_text)]
"""A folder, as text or as a ``pathlib.Path``; a relative one starts at the working folder."""


@register_parameter_class
@dataclass
class ExperimentSettings(SubParameters):
    """How and where an experiment runs.

    Raises
    ------
    ParameterError
        On construction, listing every value that cannot be used.
    """

    device: str = "cpu"
    """Where tensors are computed: ``cpu``, ``cuda`` or ``cuda:1`` (a certain GPU)."""

    runs_dir: Folder = "runs"
    """Folder in which each run gets a folder of its own."""

    data_dir: Folder = "data"
    """Folder in which the datasets lie."""

    num_threads: Count = 1
    """Threads of PyTorch; more are often slower on a busy machine, and may round differently."""

    checkpoint_period: Count | None = None
    """Save every so many iterations; by default as often as costs at most 5 % of the time."""

    max_checkpoints: Count = 2
    """Newest checkpoints that are kept."""

    permanent_every: Count | None = None
    """Keep the checkpoints of every so many iterations for good."""

    progress: bool = True
    """Show how far a run is: a live bar on a terminal, a line now and then elsewhere."""

    ignore_cache: bool = False
    """Compute anew what could be read from the cache in ``runs_dir``."""

    max_concurrency: Count = 100
    """Requests that may be under way at once, for each language model."""

    api_timeout_s: Positive = 600.0
    """Seconds after which a request to a language model is given up and made again."""

    num_api_generation_timeouts: CountOrZero = 100
    """How often one request may be given up before its rollout fails."""

    num_api_connection_errors: CountOrZero = 10
    """How often one request may lose its connection before its rollout fails."""

    max_cost: Positive | None = None
    """Dollars after which a run stops, as far as prices are known; by default there is no limit."""

    prices: Folder | None = None
    """YAML file of prices of models, which come before those that are known here."""

    response_cache: Folder | None = None
    """File of answers to keep and use again, also in other runs; by default there is none."""

    poll_seconds: Positive = 10.0
    """Seconds between two looks at a fine-tuning job at first; later up to six times as many."""

    @classmethod
    def root_path(cls) -> str:
        """Name messages by where the settings stand on the command line."""
        return "settings"

    def to_dict(self) -> dict[str, Any]:
        """Write the settings as plain data; being of one kind only, they need no ``_type``."""
        return {name: value for name, value in super().to_dict().items() if name != "_type"}

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Yield a message for each value that has the right type, but no meaning."""
        if not _DEVICE.fullmatch(self.device):
            yield (
                f"{at('device')} must be 'cpu', 'cuda' or 'cuda:<number>', got "
                f"{self.device!r}. {_suggest_device(self.device)}"
            )
        for name in ("runs_dir", "data_dir"):
            if not getattr(self, name).strip():
                yield f"{at(name)} must name a folder, got none. For the working folder, use '.'."


def _suggest_device(device: str) -> str:
    name = device.strip().lower()
    nickname = _DEVICE_NICKNAMES.get(name.partition(":")[0])
    if nickname:
        return f"Did you mean {nickname!r}?"
    return did_you_mean(name, ["cpu", "cuda", "cuda:0"]) or "The default is 'cpu'."
