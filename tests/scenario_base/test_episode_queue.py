"""Episodes drawn ahead are those that would be drawn one by one."""

from pathlib import Path
from typing import Any

import pytest
import torch

from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.scenario_base.environment import TensorDictEnvironment
from tests.experiments import make_params

PATTERN = torch.tensor(
    [[0, 0, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1], [0, 1, 0, 0], [0, 0, 0, 1], [1, 1, 0, 1]]
).bool()
"""Which of four episodes end in each of six steps."""


def environment(agent_rows: str, data_dir: Path) -> TensorDictEnvironment:
    params = make_params("graph_isomorphism", protocol="merlin_arthur")
    settings = ExperimentSettings(data_dir=data_dir, agent_rows=agent_rows)
    return build_scenario_instance(params, settings).train_environment


def resets(env: TensorDictEnvironment, state: Any, pattern: torch.Tensor) -> list[Any]:
    """Return the state after each step of a pattern of ended episodes."""
    states = []
    for done in pattern:
        state = {**state, "round": state["round"] + 1}
        states.append(state := env.reset_finished(state, done))
    return states


def assert_same(first: list[Any], second: list[Any]) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("num_steps", [1, 3, 6])
def test_the_same_episodes_begin(num_steps: int, data_dir: Path) -> None:
    """The pattern goes through the eight pairs of graphs more than once."""
    found = []
    for agent_rows in ("compact", "fixed"):
        env = environment(agent_rows, data_dir)
        state, states = env.initial_state(), []
        for first in range(0, len(PATTERN), num_steps):
            env.prepare_resets(num_steps)
            states += resets(env, state, PATTERN[first : first + num_steps])
            state = states[-1]
        found.append(states)
    assert_same(*found)
    assert any((state["round"] == 0).any() for state in found[0])


def test_without_preparation_the_same_episodes_begin(data_dir: Path) -> None:
    compact, fixed = (environment(rows, data_dir) for rows in ("compact", "fixed"))
    expected = resets(compact, compact.initial_state(), PATTERN)
    assert_same(resets(fixed, fixed.initial_state(), PATTERN), expected)


@pytest.mark.parametrize("before", ["compact", "fixed"])
@pytest.mark.parametrize("after", ["compact", "fixed"])
def test_a_stored_position_goes_on_with_either_setting(
    before: str, after: str, data_dir: Path
) -> None:
    env = environment(before, data_dir)
    state = env.initial_state()
    env.prepare_resets(6)
    state = resets(env, state, PATTERN[:3])[-1]
    stored = env.data_state_dict()
    expected = resets(env, state, PATTERN[3:])
    other = environment(after, data_dir)
    other.prepare_resets(2)
    other.load_data_state_dict(stored)
    assert_same(resets(other, state, PATTERN[3:]), expected)
    # It can be stored and loaded again, before all episodes that were drawn ahead have begun.
    twice = environment(after, data_dir)
    twice.load_data_state_dict(stored)
    again = environment(before, data_dir)
    again.load_data_state_dict(twice.data_state_dict())
    assert_same(resets(again, state, PATTERN[3:]), expected)
