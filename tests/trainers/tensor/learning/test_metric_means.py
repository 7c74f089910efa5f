"""Means of metrics, worked out by hand."""

import torch
from tensordict import TensorDict

from nip.trainers.tensor.learning.metric_means import mean_over_rows, mean_over_steps


def scalars(**values: float) -> TensorDict:
    return TensorDict({name: torch.tensor(value) for name, value in values.items()})


def test_a_metric_is_averaged_over_the_steps_that_have_it():
    steps = [scalars(loss=1.0, norm=4.0), scalars(loss=3.0), scalars(loss=5.0, norm=2.0)]
    assert mean_over_steps(steps) == {"loss": 3.0, "norm": 3.0}
    assert mean_over_steps([]) == {}


def test_rows_of_large_minibatches_weigh_as_much_as_those_of_small_ones():
    first = TensorDict({"loss_a": torch.tensor(9.0), "a.loss": torch.tensor(1.0)})
    second = TensorDict({"loss_a": torch.tensor(9.0), "a.loss": torch.tensor(5.0)})
    # The term loss_a is what a.loss shows already.
    assert mean_over_rows([(first, 3), (second, 1)]) == {"a.loss": 2.0}


def test_terms_without_an_agent_and_metrics_of_single_minibatches_are_kept():
    first, second = scalars(loss_l2=2.0, grad_norm=7.0), scalars(loss_l2=4.0)
    assert mean_over_rows([(first, 2), (second, 2)]) == {"loss_l2": 3.0, "grad_norm": 7.0}
