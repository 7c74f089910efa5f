"""Neumann series compared with the exact inverse of the damped Hessian."""

import pytest
import torch

from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import MatrixCurvature
from nip.rl_objectives.opponent_shaping.inverse_hessian.neumann import neumann_series


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("rank", [2, 4])
def test_it_converges_to_the_exact_inverse_geometrically(rank):
    generator = torch.Generator().manual_seed(rank)
    root = torch.randn(12, rank, generator=generator)
    hessian, vector, rho = root @ root.T, torch.randn(12, generator=generator), 0.5
    exact = torch.linalg.solve(hessian + rho * torch.eye(12), vector)

    def error(num_iterations: int) -> float:
        curvature = MatrixCurvature(hessian)
        found = neumann_series(curvature, vector, rho=rho, num_iterations=num_iterations)
        return float((found - exact).norm() / exact.norm())

    largest = torch.linalg.eigvalsh(hessian)[-1]
    # The slowest direction has the eigenvalue 0 of the Hessian.
    slowest = float(1 - rho / (1.5 * largest + rho))
    errors = [error(count) for count in (5, 50, 500)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[1] <= 2 * slowest**50
    assert errors[2] <= max(2 * slowest**500, 1e-12)


def test_a_multiple_of_the_identity_is_inverted_almost_at_once():
    curvature = MatrixCurvature(3 * torch.eye(4))
    found = neumann_series(curvature, torch.ones(4), rho=1.0, num_iterations=20)
    torch.testing.assert_close(found, torch.full((4,), 0.25))
