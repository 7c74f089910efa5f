"""Networks that read messages learn what there is to learn, the same each time."""

import pytest
import torch

from nip.parameters import MessageRegressionParameters
from nip.trainers.tensor.message_regression.probes import Probe, fit_probe
from tests.experiments import same_tensors


def params_of(**changes):
    fields = {"enabled": True, "mlp_num_epochs": 40, "mlp_batch_size": 32, **changes}
    return MessageRegressionParameters(mlp_learning_rate=0.01, **fields)


def fitted(params, grid, planes, target, linear=None):
    linear = planes.new_zeros(len(planes), 0) if linear is None else linear
    torch.manual_seed(0)
    probe = Probe(params, planes.shape[1], grid, linear.shape[1], 2)
    with torch.no_grad():
        fit_probe(probe, planes, linear, target, params, torch.Generator().manual_seed(1))
        accuracy = (probe(planes, linear).argmax(-1) == target).double().mean().item()
    return probe, accuracy


def one_hot(number, size):
    chosen = torch.randint(size, (number, 1), generator=torch.Generator().manual_seed(2))
    return chosen.squeeze(-1), torch.nn.functional.one_hot(chosen, size).float()


def test_a_perceptron_learns_which_symbols_belong_to_a_label() -> None:
    chosen, planes = one_hot(200, 6)
    _, accuracy = fitted(params_of(), (6,), planes, chosen % 2)
    assert accuracy == 1


def test_it_reads_linear_symbols_too() -> None:
    chosen, linear = one_hot(200, 4)
    planes = torch.zeros(200, 1, 6)
    _, accuracy = fitted(params_of(), (6,), planes, chosen % 2, linear.squeeze(1))
    assert accuracy == 1


@pytest.mark.parametrize("method", ["mlp", "cnn"])
def test_images_are_read_by_both_kinds(method) -> None:
    # Whether a pixel is in the upper half of the image.
    chosen, planes = one_hot(300, 30)
    probe, accuracy = fitted(params_of(regression_method=method), (6, 5), planes, chosen // 15)
    assert accuracy >= 0.98
    convolutions = [m for m in probe.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == (2 if method == "cnn" else 0)


def test_convolutions_have_the_given_sizes() -> None:
    params = params_of(
        regression_method="cnn", cnn_num_layers=3, cnn_num_channels=5, cnn_kernel_size=1
    )
    probe = Probe(params, 2, (4, 4), 7, 3)
    shapes = [tuple(p.shape) for name, p in probe.named_parameters() if "weight" in name]
    assert shapes == [(5, 2, 1, 1), (5, 5, 1, 1), (5, 5, 1, 1), (64, 5 * 16 + 7), (3, 64)]


def test_the_same_seeds_give_the_same_weights() -> None:
    chosen, planes = one_hot(50, 6)
    first, second = (fitted(params_of(), (6,), planes, chosen % 2)[0] for _ in range(2))
    assert same_tensors(first.state_dict(), second.state_dict())
