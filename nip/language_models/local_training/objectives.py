"""Losses of fine-tuning: imitation of examples, and direct preference optimisation."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nip.language_models.local_training.batches import pad, token_log_probs
from nip.language_models.local_training.examples import Example

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

REFERENCE_BATCH = 32
"""Examples whose log-probabilities under a fixed model are computed together."""


class Objective(ABC):
    """A loss that is a mean over tokens or pairs of a batch.

    A batch may be divided into parts. The gradients of their losses are added, so that each is
    divided by the weight of the whole batch.
    """

    num_examples: int
    """Number of examples."""

    @abstractmethod
    def num_tokens(self, indices: Sequence[int]) -> int:
        """Return the number of tokens of some examples."""

    @abstractmethod
    def weight(self, indices: Sequence[int]) -> int:
        """Return the number of terms of the mean in some examples."""

    @abstractmethod
    def loss(self, model: Any, indices: Sequence[int], device: Any) -> "Float[Tensor, '']":
        """Return the sum of the terms of some examples."""

    def prepare(self, model: Any, device: Any) -> None:  # noqa: B027 - few need it
        """Compute what depends on the model before the training."""

    def measures(self) -> "Mapping[str, Tensor]":
        """Return further sums over the terms of the last loss, by name."""
        return {}


class Imitation(Objective):
    """Cross-entropy per token of the examples."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples
        self.num_examples = len(examples)

    def num_tokens(self, indices: Sequence[int]) -> int:
        """Return the number of tokens of some examples."""
        return sum(len(self._examples[index].tokens) for index in indices)

    def weight(self, indices: Sequence[int]) -> int:
        """Return the number of tokens that are predicted in some examples."""
        chosen = (self._examples[index] for index in indices)
        return sum(len(each.tokens) - each.start for each in chosen)

    def loss(self, model: Any, indices: Sequence[int], device: Any) -> "Float[Tensor, '']":
        """Return the sum of the cross-entropies of the tokens."""
        batch = pad([self._examples[index] for index in indices], device)
        return -token_log_probs(model, batch).sum()


class Preference(Objective):
    """Direct preference optimisation of pairs of answers.

    The loss of a pair is ``-log σ(β (r₊ - r₋))``, where ``r`` is the log-ratio of the probability
    of an answer under the model to that under the model before the training.

    References
    ----------
    Rafailov et al.: Direct Preference Optimization (2023), equation 7.
    """

    def __init__(self, pairs: Sequence[tuple[Example, Example]], beta: float) -> None:
        self._pairs = pairs
        self._beta = beta
        self._reference: Tensor | None = None
        self.num_examples = len(pairs)

    def prepare(self, model: Any, device: Any) -> None:
        """Compute the log-probabilities under the model before the training."""
        import torch

        model.eval()
        indices = range(len(self._pairs))
        with torch.no_grad():
            parts = [
                self._log_probs(model, indices[start : start + REFERENCE_BATCH], device)
                for start in range(0, len(self._pairs), REFERENCE_BATCH)
            ]
        self._reference = torch.cat(parts, dim=1)

    def num_tokens(self, indices: Sequence[int]) -> int:
        """Return the number of tokens of both answers, each with its prompt."""
        return sum(len(each.tokens) for index in indices for each in self._pairs[index])

    def weight(self, indices: Sequence[int]) -> int:
        """Return the number of pairs."""
        return len(indices)

    def loss(self, model: Any, indices: Sequence[int], device: Any) -> "Float[Tensor, '']":
        """Return the sum of the losses of the pairs."""
        import torch.nn.functional as F

        assert self._reference is not None, "prepare was not called"
        ratios = self._log_probs(model, indices, device) - self._reference[:, list(indices)]
        return -F.logsigmoid(self._beta * (ratios[0] - ratios[1])).sum()

    def _log_probs(
        self, model: Any, indices: Sequence[int], device: Any
    ) -> 'Float[Tensor, "answer pair"]':
        """Return the log-probabilities of the preferred (0) and of the other answers (1)."""
        rows = [self._pairs[index][side] for side in (0, 1) for index in indices]
        return token_log_probs(model, pad(rows, device)).sum(-1).view(2, len(indices))
