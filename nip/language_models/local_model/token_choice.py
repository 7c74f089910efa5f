"""Sample the next tokens of a batch, with an independent random generator per row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nip.language_models.chat import Sampling

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float, Int
    from torch import Tensor

_BLOCK = 64


class TokenChoice:
    """Samples one token per row, with a random generator per row.

    Inverse transform sampling over the vocabulary, with one uniform random number per token.
    ``temperature`` and ``top_p`` default to 1.
    """

    def __init__(self, samplings: Sequence[Sampling]) -> None:
        import torch

        self._temperatures = torch.tensor(
            [1.0 if each.temperature is None else each.temperature for each in samplings]
        )
        self._top_ps = torch.tensor(
            [1.0 if each.top_p is None else each.top_p for each in samplings]
        )
        self._generators = [_generator(each.seed) for each in samplings]
        self._num_chosen = 0

    def __call__(self, logits: 'Float[Tensor, "row vocabulary"]') -> 'Int[Tensor, " row"]':
        """Sample the next token of each row."""
        import torch

        device = logits.device
        # Half precision is too coarse for a distribution over a large vocabulary.
        logits = logits if logits.dtype == torch.float64 else logits.float()
        temperatures = self._temperatures.to(device, logits.dtype)[:, None]
        # The clamp only avoids a division by zero: rows of temperature 0 take the argmax below.
        probabilities = (logits / temperatures.clamp(min=1e-6)).softmax(-1)
        if bool((self._top_ps < 1).any()):
            probabilities = _keep_top(probabilities, self._top_ps.to(device, logits.dtype)[:, None])
        draws = self._next_draws().to(device)
        # In double precision, because over 100,000 tokens the cumulative sum in single precision
        # has errors of the size of small probabilities. Scaling the target by the total instead of
        # assuming 1 ensures that it never lies beyond the last token.
        cumulative = probabilities.cumsum(-1, dtype=torch.float64)
        targets = draws[:, None] * cumulative[:, -1:]
        drawn = torch.searchsorted(cumulative, targets, right=True)[:, 0]
        return torch.where(temperatures[:, 0] == 0, logits.argmax(-1), drawn)

    def _next_draws(self) -> 'Float[Tensor, " row"]':
        """Return the next uniform random number of each row, drawn in blocks to save calls."""
        import torch

        place = self._num_chosen % _BLOCK
        if place == 0:
            self._block = torch.stack(
                [
                    torch.rand(_BLOCK, generator=each, dtype=torch.float64)
                    for each in self._generators
                ],
                dim=1,
            )
        self._num_chosen += 1
        return self._block[place]


def _generator(seed: int | None) -> "torch.Generator":
    import torch

    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def _keep_top(
    probabilities: 'Float[Tensor, "row vocabulary"]', top_ps: 'Float[Tensor, "row 1"]'
) -> 'Float[Tensor, "row vocabulary"]':
    """Keep the fewest most likely tokens whose sum reaches ``top_ps``, and set the others to 0."""
    ordered = probabilities.sort(dim=-1, descending=True).values
    is_kept = ordered.cumsum(-1) - ordered < top_ps
    # Keep at least the most likely token, even with top_p = 0.
    num_kept = is_kept.sum(-1, keepdim=True).clamp(min=1)
    least = ordered.gather(-1, num_kept - 1)
    return probabilities.where(probabilities >= least, 0.0)
