"""Loss of policy gradients: responses with advantages, a clipped ratio, and a KL penalty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from nip.language_models.local_training.batches import NO_TARGET, pad, token_log_probs
from nip.language_models.local_training.examples import Example
from nip.language_models.local_training.objectives import REFERENCE_BATCH, Objective, OpenModel

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@dataclass(frozen=True)
class Response:
    """A response of a policy."""

    example: Example
    """Its tokens, after those of its prompt."""

    advantage: float
    """Advantage of each of its tokens."""

    temperature: float = 1.0
    """Temperature with which it was sampled."""

    policy: int = 0
    """Index of the model that wrote it; 0 is the one that the training starts from."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens of the response itself."""
        return len(self.example.tokens) - self.example.start


class PolicyGradient(Objective):
    """Clipped policy gradient with the advantage of a response for each of its tokens.

    The loss of a token is ``-min(ρ A, clip(ρ, 1 - ε, 1 + ε) A) + β (exp(d) - d - 1)``, where ``ρ``
    is the ratio of its probability to that under the policy that wrote it, and ``d`` the log-ratio
    of its probability under the reference to that under the model. The loss of a batch is the mean
    over its tokens.

    Both are computed before the training with the weights of these models, rather than taken from
    the service that sampled, which may compute in another precision. All probabilities are those
    at the temperature of sampling.

    Parameters
    ----------
    responses : sequence of Response
        What is learnt from.
    clip_epsilon : float
        Clipping range ε.
    kl_coefficient : float
        Weight β of the KL penalty.
    reference_model : str, optional
        Folder of the reference; None: the model in training.
    earlier_models : sequence of str
        Folders of the policies from index 1 on.
    open_model : callable
        Opens a model.

    References
    ----------
    Shao et al.: DeepSeekMath (2024), equations 3 and 4; Yu et al.: DAPO (2025), equation 8, for the
    mean over the tokens of a batch.
    """

    def __init__(
        self,
        responses: Sequence[Response],
        clip_epsilon: float,
        kl_coefficient: float,
        reference_model: str | None,
        earlier_models: Sequence[str],
        open_model: OpenModel,
    ) -> None:
        self._responses = responses
        self._epsilon = clip_epsilon
        self._beta = kl_coefficient
        self._reference_model = reference_model
        self._policies: list[str | None] = [None, *earlier_models]
        self._open_model = open_model
        self._old: dict[int, Tensor] = {}
        self._reference: dict[int, Tensor] = {}
        self._measures: dict[str, Tensor] = {}
        self.num_examples = len(responses)

    def prepare(self, model: Any, device: Any) -> None:
        """Compute the log-probabilities under the policies and the reference."""

        def policy(index: int) -> int:
            return self._responses[index].policy

        indices = range(len(self._responses))
        for number, group in groupby(sorted(indices, key=policy), key=policy):
            self._old |= self._computed(self._policies[number], list(group), device)
        if self._beta:
            self._reference = self._computed(self._reference_model, list(indices), device)

    def num_tokens(self, indices: Sequence[int]) -> int:
        """Return the number of tokens of some responses, each with its prompt."""
        return sum(len(self._responses[index].example.tokens) for index in indices)

    def weight(self, indices: Sequence[int]) -> int:
        """Return the number of tokens of some responses, without their prompts."""
        return sum(self._responses[index].num_tokens for index in indices)

    def loss(self, model: Any, indices: Sequence[int], device: Any) -> "Float[Tensor, '']":
        """Return the sum of the losses of the tokens."""
        import torch

        chosen = [self._responses[index] for index in indices]
        log_probs = self._log_probs(model, indices, device)
        ratio = (log_probs - _joined(self._old, indices)).exp()
        counts = torch.tensor([each.num_tokens for each in chosen], device=device)
        advantages = torch.tensor([each.advantage for each in chosen], device=device)
        advantages = advantages.repeat_interleave(counts)
        clipped = ratio.clamp(1 - self._epsilon, 1 + self._epsilon)
        losses = -torch.minimum(ratio * advantages, clipped * advantages)
        # Tokens without a gradient: the ratio is outside of the range on the side of its advantage.
        is_clipped = (ratio * advantages).detach() > (clipped * advantages).detach()
        self._measures = {"clipped_share": is_clipped.sum()}
        if self._beta:
            difference = _joined(self._reference, indices) - log_probs
            divergence = difference.exp() - difference - 1
            losses = losses + self._beta * divergence
            self._measures["kl"] = divergence.detach().sum()
        return losses.sum()

    def measures(self) -> "Mapping[str, Tensor]":
        """Return the sums over tokens of the KL divergence, and of those that are clipped."""
        return self._measures

    def _computed(
        self, folder: str | None, indices: Sequence[int], device: Any
    ) -> "dict[int, Tensor]":
        """Return the log-probabilities of the tokens of some responses under a fixed model."""
        import torch

        found: dict[int, Tensor] = {}
        with self._open_model(folder) as model, torch.no_grad():
            model.eval()
            for start in range(0, len(indices), REFERENCE_BATCH):
                batch = indices[start : start + REFERENCE_BATCH]
                counts = [self._responses[index].num_tokens for index in batch]
                parts = self._log_probs(model, batch, device).split(counts)
                found |= dict(zip(batch, parts, strict=True))
        return found

    def _log_probs(
        self, model: Any, indices: Sequence[int], device: Any
    ) -> 'Float[Tensor, " token"]':
        """Return the log-probabilities of the tokens of some responses, one after the other."""
        import torch

        chosen = [self._responses[index] for index in indices]
        batch = pad([each.example for each in chosen], device)
        temperatures = torch.tensor([each.temperature for each in chosen], device=device)
        return token_log_probs(model, batch, temperatures)[batch.labels != NO_TARGET]


def _joined(values: "Mapping[int, Tensor]", indices: Sequence[int]) -> 'Float[Tensor, " token"]':
    import torch

    return torch.cat([values[index] for index in indices])
