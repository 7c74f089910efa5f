"""Drawing tokens for a batch so that no row's luck depends on the others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nip.language_models.chat import Sampling

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float, Int
    from torch import Tensor


class TokenChoice:
    """Draws one token for each row, with a random generator for each row.

    A token is drawn by the inverse of the cumulative distribution, in the order of the vocabulary,
    with one random number for each token.

    Parameters
    ----------
    samplings : Sequence[Sampling]
        How the rows are drawn. A temperature or top_p that is None counts as 1.
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

    def __call__(self, logits: 'Float[Tensor, "row vocabulary"]') -> 'Int[Tensor, " row"]':
        """Draw the next token of each row."""
        import torch

        device = logits.device
        logits = logits.float()
        temperatures = self._temperatures.to(device)[:, None]
        probabilities = (logits / temperatures.clamp(min=1e-6)).softmax(-1)
        if bool((self._top_ps < 1).any()):
            probabilities = _keep_top(probabilities, self._top_ps.to(device)[:, None])
        draws = torch.stack(
            [torch.rand((), generator=each, dtype=torch.float64) for each in self._generators]
        ).to(device)
        cumulative = probabilities.cumsum(-1, dtype=torch.float64)
        targets = draws[:, None] * cumulative[:, -1:]
        drawn = torch.searchsorted(cumulative, targets, right=True)[:, 0]
        return torch.where(temperatures[:, 0] == 0, logits.argmax(-1), drawn)


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
    """Set all but the likeliest tokens to 0: the fewest whose sum reaches ``top_ps``."""
    ordered = probabilities.sort(dim=-1, descending=True).values
    is_kept = ordered.cumsum(-1) - ordered < top_ps
    # The likeliest always stays, whatever top_p says.
    num_kept = is_kept.sum(-1, keepdim=True).clamp(min=1)
    least = ordered.gather(-1, num_kept - 1)
    return probabilities.where(probabilities >= least, 0.0)
