"""Batch normalisation is that of PyTorch, except for constant features."""

import pytest
import torch
from torch import nn

from nip.parameters import GraphIsomorphismAgentParameters
from nip.scenarios.graph_isomorphism.batch_norm import StableBatchNorm1d
from tests.experiments import make_params, make_trainer


@pytest.fixture
def pair() -> tuple[StableBatchNorm1d, nn.BatchNorm1d]:
    """Our layer and PyTorch's, with the same weights."""
    ours, theirs = StableBatchNorm1d(3), nn.BatchNorm1d(3)
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor([1.0, -2.0, 0.5]))
        theirs.bias.copy_(torch.tensor([0.0, 3.0, 1.0]))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_features_that_vary_are_normalised_as_in_pytorch(pair):
    generator = torch.Generator().manual_seed(0)
    for training in (True, True, True, False):
        batch = 2.0 + torch.randn(20, 3, generator=generator) * torch.tensor([1.0, 30.0, 0.01])
        slope = torch.randn(20, 3, generator=generator)
        gradients = []
        for layer in pair:
            values = batch.clone().requires_grad_()
            output = layer.train(training)(values)
            (output * slope).sum().backward()
            gradients.append((output, values.grad, layer.weight.grad, layer.bias.grad))
        for ours, theirs in zip(*gradients, strict=True):
            torch.testing.assert_close(ours, theirs)
    ours, theirs = (layer.state_dict() for layer in pair)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor)


@pytest.mark.parametrize("jitter", [0.0, 1e-6, 1e-3])
def test_the_gradient_of_a_constant_feature_is_not_amplified(pair, jitter):
    layer, theirs = pair
    generator = torch.Generator().manual_seed(0)
    batch = torch.full((20, 3), 5.0) + jitter * torch.randn(20, 3, generator=generator)
    slope = torch.randn(20, 3, generator=generator)
    values = batch.requires_grad_()
    output = layer(values)
    expected = layer.bias + (values - values.mean(0)) * layer.weight
    torch.testing.assert_close(output, expected)
    (output * slope).sum().backward()
    torch.testing.assert_close(values.grad, (slope - slope.mean(0)) * layer.weight)
    again = batch.detach().clone().requires_grad_()
    (theirs(again) * slope).sum().backward()
    assert again.grad.norm() > 200 * values.grad.norm()


def test_a_constant_stream_leaves_the_running_variance_alone(pair):
    layer, _ = pair
    for _ in range(200):
        layer(torch.full((8, 3), 5.0))
    assert layer.running_var.tolist() == [1.0, 1.0, 1.0]
    torch.testing.assert_close(layer.running_mean, torch.full((3,), 5.0))
    # What differs from the constant later is not amplified either.
    output = layer.eval()(torch.full((1, 3), 5.5))
    torch.testing.assert_close(output[0], layer.bias + 0.5 * layer.weight, atol=1e-4, rtol=0)


def test_running_variances_that_have_died_out_do_not_amplify_either(pair):
    """Checkpoints of ``nn.BatchNorm1d`` may contain them."""
    layer, _ = pair
    layer.running_var.fill_(1e-9)
    layer.running_mean.fill_(5.0)
    output = layer.eval()(torch.full((1, 3), 5.5))
    torch.testing.assert_close(output[0], layer.bias + 0.5 * layer.weight)


def test_the_first_gradient_of_the_default_network_is_of_the_size_of_the_others(data_dir):
    """Without marks and with biases of 0, the second stream of the graph network is constant."""
    params = make_params(
        "graph_isomorphism",
        protocol="nip",
        agents={"_default": GraphIsomorphismAgentParameters()},
        d_representation=16,
        rl={"rollouts_per_iteration": 64, "minibatch_size": 64, "num_epochs": 1},
    )
    trainer = make_trainer(params, data_dir)
    norms = []
    trainer.setup()
    with trainer.closing():
        batch = trainer.collect_batch()
        trainer.agents.train()
        norms = [
            float(trainer.train_step(each)["grad_norm"]) for each in trainer.minibatches(batch)
        ]
    # It was 1663 in the first of four updates, and 8.6 in the second.
    assert max(norms) < 40


def test_a_batch_without_rows_leaves_the_statistics_alone(pair):
    ours, _ = pair
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    output = ours(torch.empty(0, 3))
    output.sum().backward()
    assert output.shape == (0, 3)
    assert ours.weight.grad.tolist() == [0.0, 0.0, 0.0]
    for name, tensor in ours.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("num_rows", [2, 7, 20])
def test_the_statistics_of_a_mask_are_those_of_its_rows_alone(pair, num_rows, float64):
    compact, _ = (layer.double() for layer in pair)
    masked = StableBatchNorm1d(3)
    masked.load_state_dict(compact.state_dict())
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        batch = 2.0 + torch.randn(20, 3, generator=generator) * torch.tensor([1.0, 30.0, 0.0])
        slope = torch.randn(20, 3, generator=generator)
        rows = torch.randperm(20, generator=generator)[:num_rows]
        mask = torch.zeros(20, dtype=torch.bool).index_fill(0, rows, True)
        found = []
        for layer, arguments in ((compact, ()), (masked, (mask,))):
            values = batch.clone().requires_grad_()
            layer.zero_grad()
            output = layer(values if arguments else values[mask], *arguments)
            output = output[mask] if arguments else output
            (output * slope[mask]).sum().backward()
            found.append((output, values.grad, layer.weight.grad, layer.bias.grad))
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    for name, tensor in compact.state_dict().items():
        torch.testing.assert_close(masked.state_dict()[name], tensor)


def test_a_mask_without_rows_leaves_the_statistics_alone(pair):
    ours, _ = pair
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    output = ours(torch.randn(4, 3), torch.zeros(4, dtype=torch.bool))
    assert output.isfinite().all()
    for name, tensor in ours.state_dict().items():
        assert torch.equal(tensor, before[name]), name
