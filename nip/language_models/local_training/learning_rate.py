"""The learning rate of each update, a function of its number alone."""

import math
from collections.abc import Mapping
from typing import Any

_DEFAULTS = {"lora": 2e-4, "full": 2e-5}
"""Those of TRL's trainers for supervised fine-tuning."""

_FACTORS = {"supervised": 1.0, "dpo": 1 / 20, "policy_gradient": 1 / 20}
"""TRL's default for DPO and GRPO is 1e-6, a twentieth of that for supervised fine-tuning."""


def peak_learning_rate(options: Mapping[str, Any], method: str, multiplier: float) -> float:
    """Return the highest learning rate of a job."""
    given = options["learning_rate"]
    if given is None:
        given = _DEFAULTS[options["adaptation"]] * _FACTORS[method]
    return float(given * multiplier)


def learning_rate(
    update: int, num_updates: int, peak: float, *, schedule: str, warmup_share: float
) -> float:
    """Return the learning rate of an update, counted from 0.

    It rises linearly in the first updates, then is constant or falls to 0 at the end of the job,
    linearly or as half a cosine, as in ``transformers.get_scheduler``.
    """
    num_warmup = math.ceil(warmup_share * num_updates)
    if update < num_warmup:
        return peak * (update + 1) / (num_warmup + 1)
    if schedule == "constant":
        return peak
    done = (update - num_warmup) / max(num_updates - num_warmup, 1)
    return peak * (1 - done if schedule == "linear" else (1 + math.cos(math.pi * done)) / 2)
