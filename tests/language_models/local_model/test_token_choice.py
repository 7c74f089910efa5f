"""Tokens are sampled from the configured distribution."""

import pytest
import torch

from nip.language_models.chat import Sampling
from nip.language_models.local_model.token_choice import TokenChoice

PROBABILITIES = torch.tensor([0.1, 0.4, 0.0, 0.3, 0.2])
NUM_DRAWS = 20_000


def shares(**sampling: float) -> torch.Tensor:
    """Return how often each token was drawn."""
    choose = TokenChoice([Sampling(seed=seed, **sampling) for seed in range(NUM_DRAWS)])
    drawn = choose(PROBABILITIES.log().expand(NUM_DRAWS, -1))
    return drawn.bincount(minlength=5) / NUM_DRAWS


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ({}, [0.1, 0.4, 0.0, 0.3, 0.2]),
        ({"temperature": 1.0, "top_p": 1.0}, [0.1, 0.4, 0.0, 0.3, 0.2]),
        # Squares over their sum, 0.3.
        ({"temperature": 0.5}, [0.01 / 0.3, 0.16 / 0.3, 0.0, 0.09 / 0.3, 0.04 / 0.3]),
        # The fewest that reach 0.6 are 0.4 and 0.3.
        ({"top_p": 0.6}, [0.0, 4 / 7, 0.0, 3 / 7, 0.0]),
        ({"top_p": 0.0}, [0.0, 1.0, 0.0, 0.0, 0.0]),
        ({"temperature": 0.0}, [0.0, 1.0, 0.0, 0.0, 0.0]),
    ],
)
def test_the_shares_are_those_of_the_distribution(
    sampling: dict[str, float], expected: list[float]
) -> None:
    # Three standard deviations of a share are at most 0.0106.
    torch.testing.assert_close(shares(**sampling), torch.tensor(expected), rtol=0, atol=0.0107)


def test_a_row_draws_the_same_in_any_batch() -> None:
    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0))
    samplings = [Sampling(temperature=1.0, top_p=0.8, seed=seed) for seed in range(6)]
    together = TokenChoice(samplings)
    first, second = together(logits), together(logits)
    for row, sampling in enumerate(samplings):
        alone = TokenChoice([sampling])
        assert [alone(logits[row : row + 1]).item() for _ in range(2)] == [first[row], second[row]]


def test_without_a_seed_draws_differ() -> None:
    logits = torch.zeros(8, 1000)
    assert len(set(TokenChoice([Sampling()] * 8)(logits).tolist())) > 1
