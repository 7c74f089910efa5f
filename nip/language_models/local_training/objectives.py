"""Losses of fine-tuning: imitation of examples, and direct preference optimisation."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from nip.language_models.local_training.batches import pad, token_log_probs
from nip.language_models.local_training.examples import Example

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

OpenModel = Callable[[str | None], AbstractContextManager[Any]]
"""Opens the model in a folder; None: the one in training."""

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
    of an answer under the model to that under a reference. It depends on the difference alone, so
    that both probabilities may fall, and that of a third answer rise. With ``rpo_alpha``, the mean
    cross-entropy of the tokens of the preferred answer is added, times this weight, which keeps its
    probability up.

    Parameters
    ----------
    pairs : sequence of (Example, Example)
        The preferred answer and the other, with their prompt.
    beta : float
        Weight β of the KL penalty.
    open_model : callable
        Opens the reference.
    reference_model : str, optional
        Folder of the reference; None: the model before the training.
    rpo_alpha : float
        Weight α of the cross-entropy.

    References
    ----------
    Rafailov et al.: Direct Preference Optimization (2023), equation 7. Pang et al.: Iterative
    Reasoning Preference Optimization (2024), equation 2.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Example, Example]],
        beta: float,
        *,
        open_model: OpenModel,
        reference_model: str | None = None,
        rpo_alpha: float = 0.0,
    ) -> None:
        self._pairs = pairs
        self._beta = beta
        self._open_model = open_model
        self._reference_model = reference_model
        self._alpha = rpo_alpha
        self._reference: Tensor | None = None
        self._measures: dict[str, Tensor] = {}
        self.num_examples = len(pairs)

    def prepare(self, model: Any, device: Any) -> None:
        """Compute the log-probabilities under the reference."""
        import torch

        indices = range(len(self._pairs))
        with self._open_model(self._reference_model) as reference, torch.no_grad():
            reference.eval()
            parts = [
                self._log_probs(reference, indices[start : start + REFERENCE_BATCH], device)
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
        import torch
        import torch.nn.functional as F

        assert self._reference is not None, "prepare was not called"
        log_probs = self._log_probs(model, indices, device)
        ratios = log_probs - self._reference[:, list(indices)]
        margins = self._beta * (ratios[0] - ratios[1])
        losses = -F.logsigmoid(margins)
        self._measures = {
            "accuracy": (margins > 0).sum(),
            "margin": margins.detach().sum(),
        }
        if self._alpha:
            preferred = [self._pairs[index][0] for index in indices]
            lengths = torch.tensor(
                [len(each.tokens) - each.start for each in preferred], device=device
            )
            cross_entropies = -log_probs[0] / lengths.clamp(min=1)
            losses = losses + self._alpha * cross_entropies
            self._measures["cross_entropy"] = cross_entropies.detach().sum()
        return losses.sum()

    def measures(self) -> "Mapping[str, Tensor]":
        """Return sums over pairs: of right orders, margins, and cross-entropies if they count."""
        return self._measures

    def _log_probs(
        self, model: Any, indices: Sequence[int], device: Any
    ) -> 'Float[Tensor, "answer pair"]':
        """Return the log-probabilities of the preferred (0) and of the other answers (1)."""
        rows = [self._pairs[index][side] for side in (0, 1) for index in indices]
        return token_log_probs(model, pad(rows, device)).sum(-1).view(2, len(indices))
