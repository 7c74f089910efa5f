"""Combinations of trainers' parameters at their limits: the last that works, the first refused."""

import pytest

from nip.errors import ParameterError
from nip.parameters import PureTextEiParameters, RlParameters


def problems_of(cls, **fields):
    with pytest.raises(ParameterError) as caught:
        cls(**fields)
    return list(caught.value.problems)


def test_a_batch_may_be_a_single_minibatch_but_no_smaller():
    assert RlParameters(frames_per_batch=64, minibatch_size=64).minibatch_size == 64
    (problem,) = problems_of(RlParameters, frames_per_batch=64, minibatch_size=65)
    assert problem.startswith(
        "RlParameters.minibatch_size must be at most RlParameters.frames_per_batch (64), got 65"
    )


@pytest.mark.parametrize(
    ("frames", "steps", "proposal"), [(100, 8, 96), (100, 51, 51), (100, 101, 101), (99, 100, 100)]
)
def test_frames_that_cannot_be_divided_are_refused_with_a_number_that_can(frames, steps, proposal):
    fields = {"minibatch_size": 1, "steps_per_env_per_iteration": steps}
    (problem,) = problems_of(RlParameters, frames_per_batch=frames, **fields)
    assert problem.endswith(f"Choose for example RlParameters.frames_per_batch={proposal}.")
    assert RlParameters(frames_per_batch=proposal, **fields).frames_per_batch == proposal


def test_both_problems_of_a_batch_are_reported_together():
    fields = {"frames_per_batch": 10, "minibatch_size": 11, "steps_per_env_per_iteration": 3}
    first, second = problems_of(RlParameters, **fields)
    assert "minibatch_size must be at most" in first
    assert "frames_per_batch must be a multiple" in second


def test_all_rollouts_but_no_more_can_be_drawn_once():
    once = {"weighting_use_replacement": False}
    everything = PureTextEiParameters(weighting_sample_size_factor=1.0, **once)
    assert everything.weighting_sample_size_factor == 1.0
    (problem,) = problems_of(PureTextEiParameters, weighting_sample_size_factor=1.25, **once)
    assert "weighting_sample_size_factor must be at most 1 " in problem
    assert "got 1.25" in problem


def test_with_replacement_more_can_be_drawn_than_were_sampled():
    params = PureTextEiParameters(weighting_sample_size_factor=3.0)
    assert params.weighting_sample_size_factor == 3.0
