"""Conjugate gradients compared with the exact inverse of the damped Hessian."""

import pytest
import torch

from nip.rl_objectives.opponent_shaping.inverse_hessian.conjugate_gradient import (
    conjugate_gradient,
)
from nip.rl_objectives.opponent_shaping.inverse_hessian.curvature import MatrixCurvature

RHO = 0.1


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_one_iteration_for_each_different_eigenvalue_is_exact(rank):
    generator = torch.Generator().manual_seed(rank)
    root = torch.randn(12, rank, generator=generator)
    hessian, vector = root @ root.T, torch.randn(12, generator=generator)
    # The rank of the Hessian, and the eigenvalue 0.
    found = conjugate_gradient(MatrixCurvature(hessian), vector, rho=RHO, num_iterations=rank + 1)
    exact = torch.linalg.solve(hessian + RHO * torch.eye(12), vector)
    torch.testing.assert_close(found, exact)


def test_it_ends_early_when_the_residual_is_zero():
    identity = MatrixCurvature(torch.eye(3))
    found = conjugate_gradient(identity, torch.tensor([1.0, 2, 3]), rho=1.0, num_iterations=50)
    torch.testing.assert_close(found, torch.tensor([0.5, 1, 1.5]))
    nothing = conjugate_gradient(identity, torch.zeros(3), rho=1.0, num_iterations=50)
    torch.testing.assert_close(nothing, torch.zeros(3))


def test_directions_of_negative_curvature_are_not_followed():
    saddle = MatrixCurvature(torch.diag(torch.tensor([-2.0, 1.0])))
    found = conjugate_gradient(saddle, torch.tensor([1.0, 0.0]), rho=0.5, num_iterations=5)
    torch.testing.assert_close(found, torch.tensor([2.0, 0.0]))
