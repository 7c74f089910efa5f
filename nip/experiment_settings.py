"""Settings of how and where an experiment runs.

They affect its result by rounding, and by the random numbers that a device or fixed shapes draw.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from nip.errors import did_you_mean, shown
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.types import (
    Count,
    CountOrZero,
    Minutes,
    NumThreads,
    PathText,
    Period,
    Positive,
    Seconds,
    UnitInterval,
)

_DEVICE = re.compile(r"cpu|cuda(:\d+)?")
_DEVICE_NICKNAMES = {"gpu": "cuda", "nvidia": "cuda"}


@register_parameter_class
@dataclass
class ExperimentSettings(SubParameters):
    """How and where an experiment runs.

    Raises
    ------
    ParameterError
        On construction, listing every invalid value.
    """

    device: str = "cpu"
    """Device of all tensors: ``cpu``, ``cuda``, or one GPU, such as ``cuda:1``."""

    runs_dir: PathText = "runs"
    """Folder of all runs; each run is a folder in it."""

    data_dir: PathText = "data"
    """Folder of the datasets."""

    num_threads: NumThreads = 1
    """Threads of PyTorch. More are often slower on a busy machine, and may change rounding."""

    native_kernels: Literal["auto", "off"] = "auto"
    """Compile parts of networks where a C++ compiler is found, or never. Both round differently."""

    agent_rows: Literal["auto", "compact", "fixed"] = "auto"
    """Compute agents on frames that count, or on all, in fixed shapes; auto: fixed on GPUs."""

    compile: Literal["off", "default", "graphs"] = "off"
    """Compile updates and steps of environments, with CUDA graphs on request, in fixed shapes."""

    checkpoint_period: Period | None = None
    """Iterations between checkpoints; by default chosen to take at most 5 % of the time."""

    max_checkpoints: Count = 2
    """Number of latest checkpoints to keep."""

    permanent_every: Period | None = None
    """Iterations between checkpoints that are never deleted; by default there are none."""

    progress: bool = True
    """Show progress: a bar on a terminal, occasional lines elsewhere."""

    ignore_cache: bool = False
    """Recompute results that are cached in ``runs_dir``."""

    max_concurrency: Count = 100
    """Maximum number of concurrent requests to each language model."""

    api_timeout_s: Seconds = 600.0
    """Seconds after which a request to a language model is aborted and retried."""

    num_api_generation_timeouts: CountOrZero = 100
    """Timeouts of one request after which its rollout fails."""

    num_api_connection_errors: CountOrZero = 10
    """Connection errors of one request after which its rollout fails."""

    max_cost: Positive | None = None
    """Budget in dollars, which no call or job may exceed even at worst; by default no limit."""

    shared_budget: PathText | None = None
    """File of a budget that several runs share, which a sweep with ``max_cost`` creates."""

    max_failed_share: UnitInterval = 0.2
    """Share of failed dialogues in a stage above which a run stops; resuming repeats them."""

    max_invalid_share: UnitInterval = 0.2
    """Share of dialogues with a message without valid answer above which a run stops."""

    max_wait_minutes: Minutes = 60.0
    """Longest wait for a service that is unreachable or asks to wait, after which a run stops."""

    prices: PathText | None = None
    """YAML file of model prices, which override the built-in ones."""

    response_cache: PathText | None = None
    """File in which responses are cached, also for other runs; by default there is no cache."""

    poll_seconds: Seconds = 10.0
    """Initial seconds between polls of a fine-tuning job; later up to six times as long."""

    @classmethod
    def root_path(cls) -> str:
        """Return the prefix of settings on the command line."""
        return "settings"

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data, without ``_type``."""
        return {name: value for name, value in super().to_dict().items() if name != "_type"}

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Yield a message for each value that has the right type but is invalid."""
        if not _DEVICE.fullmatch(self.device):
            yield (
                f"{at('device')} must be 'cpu', 'cuda' or 'cuda:<number>', got "
                f"{shown(self.device)}. {_suggest_device(self.device)}"
            )
        if self.compile == "graphs" and not self.device.startswith("cuda"):
            yield (
                f"{at('compile')}='graphs' records CUDA graphs, which {at('device')}="
                f"{shown(self.device)} does not have. Set {at('compile')}=default, or use a GPU."
            )
        if self.compile != "off" and self.agent_rows == "compact":
            yield (
                f"{at('compile')}={shown(self.compile)} needs constant shapes, but "
                f"{at('agent_rows')}='compact' selects rows. Set {at('agent_rows')}=auto, or "
                f"{at('compile')}=off."
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
