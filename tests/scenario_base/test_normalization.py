"""Messages are scaled by the statistics of random episodes."""

from math import sqrt

import pytest
import torch

from nip.protocols.registry import protocol_registry
from nip.scenario_base.environment import TensorDictEnvironment
from nip.scenario_base.normalization import (
    EPISODES_AT_ONCE,
    ObservationNormalizer,
    fit_normalizer,
)
from tests.experiments import TENSOR_SCENARIOS, make_instance, make_params, make_trainer


def adp_instance(**changes):
    return make_instance(make_params(protocol="adp", rl={"rollouts_per_iteration": 8}, **changes))


def statistics(normalizer):
    return {name: float(value) for name, value in normalizer.state_dict().items()}


def test_before_it_is_fitted_it_changes_nothing():
    values = torch.tensor([-1.0, 0.0, 3.0])
    normalizer = ObservationNormalizer()
    for key in ("x", "message", "linear_message_history"):
        assert torch.equal(normalizer(key, values), values)


def test_it_has_one_mean_and_one_deviation_for_each_key():
    normalizer = ObservationNormalizer()
    steps = [
        {"x": torch.tensor([[0.0, 2.0]]), "message": torch.tensor([[5.0]])},
        {"x": torch.tensor([[2.0, 4.0]]), "message": torch.tensor([[7.0]])},
    ]
    normalizer.fit(steps)
    # x: 0, 2, 2, 4 has mean 2 and variance (4 + 0 + 0 + 4) / 4 = 2.
    torch.testing.assert_close(
        normalizer("x", torch.tensor([2.0, 2 + sqrt(2)])), torch.tensor([0.0, 1.0])
    )
    torch.testing.assert_close(
        normalizer("message", torch.tensor([5.0, 8.0])), torch.tensor([-1.0, 2.0])
    )
    assert float(normalizer("linear_message_history", torch.tensor(3.0))) == 3.0


def test_the_statistics_of_batches_of_any_size_are_those_of_all_rows():
    generator = torch.Generator().manual_seed(0)
    rows = 1e4 + torch.randn(60, 3, generator=generator, dtype=torch.double)
    normalizer = ObservationNormalizer()
    normalizer.fit({"x": part} for part in rows.split([1, 40, 2, 17]))
    assert float(normalizer.x_mean) == pytest.approx(float(rows.mean()), rel=1e-6)
    assert float(normalizer.x_std) == pytest.approx(float(rows.std(correction=0)), rel=1e-6)


def test_what_never_varies_is_shifted_but_not_scaled():
    normalizer = ObservationNormalizer()
    normalizer.fit([{"x": torch.full((2, 2), 0.25), "message": torch.full((2,), 0.1)}])
    scaled = normalizer("x", torch.tensor([0.25, 1.25]))
    torch.testing.assert_close(scaled, torch.tensor([0.0, 1.0]))
    assert float(normalizer.message_std) == 1.0


@pytest.mark.parametrize("num_frames", [1, 7, 100, 2 * EPISODES_AT_ONCE + 1])
def test_the_statistics_are_those_of_whole_episodes(num_frames):
    instance = adp_instance()
    fit_normalizer(instance.train_environment, num_frames, seed=5)
    # Of the two states of an episode, one has no message, and one has a symbol of 4.
    expected = {}
    for key, num_entries in (("x", 8), ("message", 4)):
        mean = 1 / (2 * num_entries)
        expected |= {f"{key}_mean": mean, f"{key}_std": sqrt(mean - mean**2)}
    found = statistics(instance.normalizer)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def whole_episodes(environment: TensorDictEnvironment, num_episodes: int, seed: int):
    """Yield what agents read in the rounds of whole episodes with independent random actions."""
    generator = torch.Generator().manual_seed(seed)
    state = environment.initial_state(num_episodes)
    is_over = torch.zeros(num_episodes, dtype=torch.bool)
    while not is_over.all():
        yield {name: value[~is_over] for name, value in state.items()}
        actions = environment.random_actions(generator, num_episodes)
        transition = environment.advance(state, actions)
        state, is_over = transition.state, is_over | transition.done


@pytest.mark.parametrize("protocol", protocol_registry.names())
@pytest.mark.parametrize("num_environments", [1, 7, 256, 1000, 5000])
def test_in_random_play_agents_read_mean_0_and_deviation_1(protocol, num_environments):
    rl = {"rollouts_per_iteration": num_environments, "num_normalization_steps": 1000}
    params = make_params(
        protocol=protocol,
        include_linear_message_space=True,
        d_linear_message_space=3,
        rl={**rl, "minibatch_size": 1},
    )
    environment = make_instance(params).train_environment
    assert environment.num_environments == num_environments
    fit_normalizer(environment, params.rl.num_normalization_steps, seed=5)
    played = list(whole_episodes(environment, 10_000, seed=6))
    for key in ("x", "message", "linear_message_history"):
        values = torch.cat([state[key].flatten() for state in played]).double()
        # A verifier that decides alone never reads a message: a constant.
        is_constant = protocol == "solo_verifier"
        assert float(values.mean()) == pytest.approx(0.0, abs=0.02)
        assert float(values.std()) == pytest.approx(float(not is_constant), abs=0.04)


@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_a_trainer_fits_its_environment_in_every_scenario(scenario, data_dir):
    # As many environments as steps: each environment has made a single step of the 1000.
    rl = {"rollouts_per_iteration": 1000, "num_normalization_steps": 1000}
    params = make_params(scenario, protocol="nip", nip_protocol={"max_message_rounds": 8}, rl=rl)
    trainer = make_trainer(params, data_dir)
    trainer.setup()
    with trainer.closing():
        played = list(whole_episodes(trainer.scenario_instance.train_environment, 10_000, seed=6))
        for key in ("x", "message"):
            values = torch.cat([state[key].flatten() for state in played]).double()
            assert float(values.mean()) == pytest.approx(0.0, abs=0.02)
            assert float(values.std()) == pytest.approx(1.0, abs=0.04)


def test_the_statistics_do_not_depend_on_the_number_of_environments():
    found = []
    for count in (1, 64):
        instance = make_instance(
            make_params(protocol="nip", rl={"rollouts_per_iteration": count, "minibatch_size": 1})
        )
        fit_normalizer(instance.train_environment, 200, seed=5)
        found.append(statistics(instance.normalizer))
    assert found[0] == found[1]


def test_fitting_changes_nothing_but_the_normalizer():
    fitted, other = adp_instance(), adp_instance()
    fit_normalizer(fitted.train_environment, 100, seed=5)
    for environment in (fitted.train_environment, other.train_environment):
        environment.normalizer.load_state_dict(ObservationNormalizer().state_dict())
    for _ in range(3):
        state = fitted.train_environment.initial_state()
        expected = other.train_environment.initial_state()
        assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_training_and_testing_share_the_statistics():
    instance = adp_instance()
    fit_normalizer(instance.train_environment, 100, seed=5)
    rows, seeds = torch.arange(8), torch.zeros(8, dtype=torch.long)
    train = instance.train_environment.state_of(rows, seeds)
    test = instance.test_environment.state_of(rows, seeds)
    mean, std = 1 / 8, sqrt(1 / 8 - (1 / 8) ** 2)
    torch.testing.assert_close(train["message"], torch.full((8, 1, 1, 4), -mean / std))
    assert torch.equal(train["message"], test["message"])
    assert torch.equal(train["x"], test["x"])


def test_the_raw_history_stays_raw_while_its_copies_are_scaled():
    instance = adp_instance(include_linear_message_space=True)
    environment = instance.train_environment
    fit_normalizer(environment, 100, seed=5)
    state = environment.initial_state()
    actions = environment.random_actions(torch.Generator().manual_seed(0))
    after = environment.advance(state, actions).state
    raw = torch.zeros(8, 2, 1, 1, 4)
    raw[torch.arange(8), 0, 0, 0, actions["position_selected"][:, 0, 0, 0]] = 1
    assert torch.equal(after["message_history"], raw)
    torch.testing.assert_close(after["x"], instance.normalizer("x", raw))
    torch.testing.assert_close(after["message"], instance.normalizer("message", raw[:, 0]))
    linear = torch.zeros(8, 2, 1, 1, 2)
    linear[torch.arange(8), 0, 0, 0, actions["linear_message_selected"][:, 0, 0, 0]] = 1
    scaled = instance.normalizer("linear_message_history", linear)
    torch.testing.assert_close(after["linear_message_history"], scaled)
    assert torch.equal(after["linear_message"], linear[:, 0])


@pytest.mark.parametrize("protocol", ["adp", "solo_verifier"])
@pytest.mark.parametrize("linear", [False, True])
def test_no_protocol_and_no_message_space_gives_numbers_that_are_not_finite(protocol, linear):
    instance = make_instance(make_params(protocol=protocol, include_linear_message_space=linear))
    fit_normalizer(instance.train_environment, 30, seed=0)
    state = instance.train_environment.initial_state()
    assert all(torch.isfinite(value).all() for value in state.values())
