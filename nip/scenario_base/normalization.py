"""Affine scaling of the observed messages to mean 0 and standard deviation 1."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

MIN_STD = 1e-3
"""Smallest divisor: a key which never varies keeps its scale instead of becoming NaN."""

NORMALIZED_KEYS = ("x", "message", "linear_message_history")
"""Observation keys which are scaled; each has one mean and one standard deviation."""


class ObservationNormalizer(nn.Module):
    """Scales messages by statistics of the training environment.

    Until its statistics are set it changes nothing. The same normalizer serves training and
    testing, so that an agent reads the same numbers in both.
    """

    def __init__(self) -> None:
        super().__init__()
        for key in NORMALIZED_KEYS:
            self.register_buffer(f"{key}_mean", torch.zeros(()))
            self.register_buffer(f"{key}_std", torch.ones(()))

    def reset(self) -> None:
        """Change nothing again, so that raw observations can be measured."""
        for key in NORMALIZED_KEYS:
            getattr(self, f"{key}_mean").zero_()
            getattr(self, f"{key}_std").fill_(1.0)

    @torch.no_grad()
    def fit(self, observations: Iterable[Mapping[str, Tensor]]) -> None:
        """Set the statistics of each key from raw observations.

        Parameters
        ----------
        observations : iterable of mapping of str to Tensor
            Observations of successive steps, unscaled.
        """
        steps = list(observations)
        for key in NORMALIZED_KEYS:
            if key not in steps[0]:
                continue
            values = torch.stack([step[key].double() for step in steps])
            getattr(self, f"{key}_mean").copy_(values.mean())
            getattr(self, f"{key}_std").copy_(values.std(correction=0).clamp_min(MIN_STD))

    def forward(self, key: str, value: Tensor) -> Tensor:
        """Return ``value``, an observation under ``key``, scaled."""
        return (value - getattr(self, f"{key}_mean")) / getattr(self, f"{key}_std")
