"""Nyström products compared with the exact inverse of the damped Hessian."""

from statistics import median

import pytest
import torch

from nip.rl_objectives.opponent_shaping.exact_game import ExactGame
from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import MatrixCurvature
from nip.rl_objectives.opponent_shaping.inverse_hessian.nystrom import nystrom_sketch

RHO = 0.1


def error_of(rank: int, jitter: float = 0.0, seed: int = 0) -> float:
    """Return the relative error on a Hessian of rank 4 with 12 rows."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(12, 4, generator=generator)
    hessian, vector = root @ root.T, torch.randn(12, generator=generator)
    sketch = nystrom_sketch(MatrixCurvature(hessian), rank=rank, generator=generator)
    found = sketch.inverse_product(vector, rho=RHO, jitter=jitter)
    exact = torch.linalg.solve(hessian + RHO * torch.eye(12), vector)
    return float((found - exact).norm() / exact.norm())


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("rank", [4, 5, 8, 12, 20])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_exact_with_as_many_rows_as_the_rank_of_the_hessian(rank, seed):
    assert error_of(rank, seed=seed) < 1e-9


@pytest.mark.usefixtures("float64")
def test_with_fewer_rows_it_misses_what_they_do_not_span():
    errors = [sum(error_of(rank, seed=seed) for seed in range(20)) / 20 for rank in (2, 3, 4)]
    assert errors[0] > errors[1] > 0.01
    assert errors[2] < 1e-9


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("rank", "bound"), [(4, 1e-2), (12, 1e-4)])
def test_the_jitter_of_the_published_code_costs_accuracy(rank, bound):
    errors = [error_of(rank, jitter=0.1 * RHO, seed=seed) for seed in range(20)]
    assert 1e-7 < median(errors) < bound


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("extra", [1, 2, 3])
def test_it_inverts_the_hessian_of_a_follower_that_fits_a_matrix(extra):
    # The follower has the loss sum((Fx)^2), so its Hessian is 2xx' once for each row of F; the
    # leader has sum((GFx)^2). With more than d^2 - d of d^2 rows, every block is represented.
    size = 3
    weights = torch.diag(torch.arange(1.0, size + 1))
    inputs = torch.arange(1.0, size + 1)
    matrix = (2 * weights).requires_grad_()
    losses = {
        "follower": (matrix @ inputs).square().sum(),
        "leader": (weights @ matrix @ inputs).square().sum(),
    }
    game = ExactGame({"follower": [matrix]}, losses)
    wanted = game.gradient("follower", "leader")
    generator = torch.Generator().manual_seed(0)
    curvature = game.curvature("follower")
    rank = size**2 - size + extra
    sketch = nystrom_sketch(curvature, rank=rank, generator=generator)
    hessian = torch.kron(torch.eye(size), 2 * torch.outer(inputs, inputs))
    exact = torch.linalg.solve(hessian + RHO * torch.eye(size**2), wanted)
    torch.testing.assert_close(curvature.product(wanted), hessian @ wanted)
    torch.testing.assert_close(sketch.inverse_product(wanted, rho=RHO), exact)


@pytest.mark.parametrize("rho", [0.1, 1e-6])
def test_rounding_in_32_bits_does_not_spoil_it(rho):
    hessian, vector = torch.diag(torch.tensor([2.0, 3.0])), torch.tensor([4.0, 9.0])
    generator = torch.Generator().manual_seed(0)
    sketch = nystrom_sketch(MatrixCurvature(hessian), rank=2, generator=generator)
    exact = vector / (torch.tensor([2.0, 3.0]) + rho)
    torch.testing.assert_close(sketch.inverse_product(vector, rho=rho), exact)
