"""Order of the examples, and batches of padded tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nip.language_models.local_training.examples import Example
from nip.seeding import stable_seed

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float, Int
    from torch import Tensor

NO_TARGET = -100
"""Label of tokens that do not count for the loss, as in ``torch.nn.functional.cross_entropy``."""


@dataclass(frozen=True)
class Schedule:
    """Which examples each update learns from. It depends on the seed alone, not on a generator."""

    num_examples: int
    batch_size: int
    n_epochs: int
    seed: int

    @property
    def updates_per_epoch(self) -> int:
        """Updates per pass; the last one may have fewer examples."""
        return -(-self.num_examples // self.batch_size)

    @property
    def num_updates(self) -> int:
        """Updates of the whole job."""
        return self.n_epochs * self.updates_per_epoch

    def epoch(self, number: int) -> list[list[int]]:
        """Return the indices of the examples of each update of a pass, counted from 0."""
        import torch

        generator = torch.Generator().manual_seed(stable_seed(self.seed, "order", number))
        order = torch.randperm(self.num_examples, generator=generator).tolist()
        size = self.batch_size
        return [order[start : start + size] for start in range(0, self.num_examples, size)]


def parts_of(
    batch: Sequence[int], rank: int, num_processes: int, num_parts: int
) -> list[list[int]]:
    """Return the parts of a batch that one process works on, of which some may be empty."""
    own = list(batch[rank::num_processes])
    return [own[number::num_parts] for number in range(num_parts)]


@dataclass(frozen=True)
class PaddedBatch:
    """Examples of a batch, padded on the right.

    With padding on the right no token sees any of it, because attention is causal, so that no mask
    is needed.
    """

    tokens: 'Int[Tensor, "row position"]'
    """Token IDs."""

    labels: 'Int[Tensor, "row target"]'
    """Token to predict at each of the last positions, or ``NO_TARGET``."""

    @property
    def num_logits(self) -> int:
        """Number of positions, counted from the end, for which logits are needed."""
        return self.labels.shape[1]


def pad(examples: Sequence[Example], device: "torch.device | str") -> PaddedBatch:
    """Pad examples to the longest one."""
    import torch

    length = max(len(each.tokens) for each in examples)
    # The token at position i is predicted by the logits at i - 1.
    first = min(each.start for each in examples) - 1
    tokens = torch.zeros((len(examples), length), dtype=torch.long)
    labels = torch.full((len(examples), length - first), NO_TARGET)
    for row, each in enumerate(examples):
        own = torch.tensor(each.tokens)
        tokens[row, : len(own)] = own
        labels[row, each.start - 1 - first : len(own) - 1 - first] = own[each.start :]
    return PaddedBatch(tokens.to(device), labels.to(device))


def token_log_probs(
    model: object, batch: PaddedBatch, temperatures: 'Float[Tensor, " row"] | None' = None
) -> 'Float[Tensor, "row target"]':
    """Return the log-probability of each label, and 0 where there is none.

    With ``temperatures``, it is that of sampling a row at its temperature.
    """
    import torch.nn.functional as F

    logits = model(  # type: ignore[operator]
        input_ids=batch.tokens, use_cache=False, logits_to_keep=batch.num_logits
    ).logits
    rows, targets, vocabulary = logits.shape
    # In single precision, because a sum over a large vocabulary loses too much in half precision.
    logits = logits.float()
    if temperatures is not None:
        logits = logits / temperatures[:, None, None]
    losses = F.cross_entropy(logits.view(-1, vocabulary), batch.labels.view(-1), reduction="none")
    return -losses.view(rows, targets)
