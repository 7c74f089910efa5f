"""The numbers of environments and steps that one iteration collects."""

import pytest

from nip.errors import ParameterError
from nip.parameters import RlParameters
from nip.scenario_base.batch_shape import BatchShape, compute_batch_shape


def shape_of(num_rounds=8, dataset_size=30, num_ranks=1, **rl):
    params = RlParameters(**{"minibatch_size": 1, **rl})
    return compute_batch_shape(params, num_rounds, dataset_size, num_ranks)


@pytest.mark.parametrize(
    ("rl", "expected"),
    [
        ({"frames_per_batch": 1000}, BatchShape(125, 8)),
        ({"frames_per_batch": 1000, "steps_per_env_per_iteration": 10}, BatchShape(100, 10)),
        ({"frames_per_batch": None, "rollouts_per_iteration": 5}, BatchShape(5, 8)),
        ({"frames_per_batch": None}, BatchShape(30, 8)),
        (
            {
                "frames_per_batch": None,
                "rollouts_per_iteration": 5,
                "steps_per_env_per_iteration": 3,
            },
            BatchShape(5, 3),
        ),
    ],
)
def test_the_shape_follows_from_what_is_given(rl, expected):
    shape = shape_of(**rl)
    assert shape == expected
    assert shape.num_frames == expected.num_environments * expected.num_steps


def test_frames_that_the_steps_do_not_divide_are_refused_with_the_nearest_that_would_do():
    with pytest.raises(ParameterError, match=r"frames_per_batch=1001 .* to 1000 or 1008"):
        shape_of(frames_per_batch=1001)
    with pytest.raises(ParameterError, match=r"frames_per_batch=5 .* to 8,"):
        shape_of(frames_per_batch=5)


def test_a_minibatch_larger_than_the_batch_is_refused():
    with pytest.raises(ParameterError, match=r"minibatch_size=41 is larger than the batch of 40"):
        shape_of(frames_per_batch=None, rollouts_per_iteration=5, minibatch_size=41)


def test_environments_that_the_processes_do_not_divide_are_refused_with_a_number_that_would_do():
    assert shape_of(frames_per_batch=1000, num_ranks=5) == BatchShape(125, 8)
    with pytest.raises(ParameterError, match=r"125 environments .* by 4 .*frames_per_batch to 992"):
        shape_of(frames_per_batch=1000, num_ranks=4)
    with pytest.raises(ParameterError, match=r"by 4 .*rollouts_per_iteration to 4, or"):
        shape_of(frames_per_batch=None, dataset_size=1, num_ranks=4)
