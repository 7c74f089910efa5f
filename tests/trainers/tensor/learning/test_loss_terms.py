"""What may be added to a loss."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from tensordict import TensorDict

from nip.parameters import LossTermParameters, loss_term_specs, register_parameter_class
from nip.trainers.callbacks import TrainingContext
from nip.trainers.tensor.learning.loss_terms import (
    LossTerm,
    add_loss_terms,
    build_loss_terms,
    loss_term_registry,
    register_loss_term,
)
from tests.experiments import make_instance, make_params

BATCH = TensorDict()


class Context(TrainingContext):
    """A context of agents without a trainer."""

    def __init__(self, agents, iteration=0):
        self.trainer = SimpleNamespace(agents=agents, device=torch.device("cpu"))
        self.iteration = iteration


@pytest.fixture
def agents(float64):
    return make_instance(make_params()).agents


def built(*params):
    return build_loss_terms(params)


def metrics_of(terms, context, **losses):
    given = TensorDict({f"loss_{name}": torch.tensor(value) for name, value in losses.items()})
    return add_loss_terms(given, terms, BATCH, context)


def shift(agents, by):
    with torch.no_grad():
        for parameter in agents.parameters():
            parameter.add_(by)


def test_l2_is_the_weighted_sum_of_the_squares_of_what_learns(agents):
    terms = built(LossTermParameters(name="l2", weight=0.25))
    expected = sum(float((p.detach().double() ** 2).sum()) for p in agents.parameters())
    loss = metrics_of(terms, Context(agents))["loss_l2"]
    assert loss.item() == pytest.approx(0.25 * expected, rel=1e-9)
    loss.backward()
    for parameter in agents.parameters():
        assert torch.allclose(parameter.grad, 0.5 * parameter)
    agents.agents["prover"].requires_grad_(False)
    verifier = agents.agents["verifier"].parameters()
    expected = sum(float((p.detach().double() ** 2).sum()) for p in verifier)
    loss = metrics_of(terms, Context(agents))["loss_l2"]
    assert loss.item() == pytest.approx(0.25 * expected, rel=1e-9)


def test_proximal_is_half_the_squared_distance_from_the_start_of_the_iteration(agents):
    terms = built(LossTermParameters(name="proximal", weight=3.0))
    num = sum(parameter.numel() for parameter in agents.parameters())
    start = metrics_of(terms, Context(agents, iteration=4))["loss_proximal"]
    assert start.item() == 0.0
    shift(agents, 0.5)
    moved = metrics_of(terms, Context(agents, iteration=4))["loss_proximal"]
    assert moved.item() == pytest.approx(3 * num * 0.5**2 / 2, rel=1e-9)
    moved.backward()
    for parameter in agents.parameters():
        assert torch.allclose(parameter.grad, torch.full_like(parameter, 1.5))
    later = metrics_of(terms, Context(agents, iteration=5))["loss_proximal"]
    assert later.item() == 0.0


def test_each_training_has_a_start_of_its_own(agents):
    params = LossTermParameters(name="proximal")
    metrics_of(built(params), Context(agents))
    shift(agents, 1.0)
    assert metrics_of(built(params), Context(agents))["loss_proximal"].item() == 0.0


def test_where_nobody_learns_the_terms_are_zero(agents):
    agents.requires_grad_(False)
    terms = built(*(LossTermParameters(name=name) for name in ("l2", "proximal")))
    losses = metrics_of(terms, Context(agents))
    assert {name: float(value) for name, value in losses.items()} == {
        "loss_l2": 0.0,
        "loss_proximal": 0.0,
    }


def test_weight_zero_is_not_even_computed(agents):
    def fail(batch, context):
        raise AssertionError

    losses = metrics_of([LossTerm("fail", 0.0, fail)], Context(agents), policy=1.0)
    assert set(losses.keys()) == {"loss_policy"}


def test_a_name_that_is_taken_gets_a_number(agents):
    def policy(batch, context):
        return torch.tensor(2.0)

    class Squared:
        def __call__(self, batch, context):
            return torch.tensor(5.0)

    terms = build_loss_terms(
        [LossTermParameters(name="l2")] * 2,
        [(1.0, policy), (10.0, policy), (1.0, Squared()), (1.0, lambda *_: torch.tensor(7.0))],
    )
    losses = metrics_of(terms, Context(agents), policy=1.0)
    assert list(losses.keys()) == [
        "loss_policy",
        "loss_l2",
        "loss_l2_2",
        "loss_policy_2",
        "loss_policy_3",
        "loss_Squared",
        "loss_term",
    ]
    assert [float(losses[f"loss_policy{end}"]) for end in ("", "_2", "_3")] == [1.0, 2.0, 20.0]
    assert float(losses["loss_term"]) == 7.0


def test_a_term_of_ones_own_is_chosen_by_name_with_its_options(agents):
    @register_parameter_class
    @dataclass
    class PullParameters(LossTermParameters):
        """Pull towards a number."""

        target: float = 1.0
        """The number."""

    @register_loss_term("pull", parameters=PullParameters)
    def pull(batch, context, target):
        return (next(context.model.parameters()) - target).square().sum()

    try:
        assert loss_term_specs["pull"].parameters is PullParameters
        params = make_params(loss_terms=[{"name": "pull", "target": 3.0, "weight": 2.0}])
        assert params.loss_terms == (PullParameters(name="pull", target=3.0, weight=2.0),)
        loss = metrics_of(built(*params.loss_terms), Context(agents))["loss_pull"]
        weights = next(agents.parameters()).detach().double()
        assert loss.item() == pytest.approx(2 * float(((weights - 3) ** 2).sum()), rel=1e-9)
    finally:
        loss_term_registry.unregister("pull")
        loss_term_specs.unregister("pull")
