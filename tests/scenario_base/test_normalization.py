"""Messages are scaled by the statistics of random episodes."""

from math import sqrt

import pytest
import torch

from nip.scenario_base.normalization import MIN_STD, ObservationNormalizer, fit_normalizer
from tests.experiments import make_instance, make_params


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


def test_what_never_varies_is_not_divided_by_zero():
    normalizer = ObservationNormalizer()
    normalizer.fit([{"x": torch.full((2, 2), 0.25), "message": torch.full((2,), 0.25)}])
    assert float(normalizer.x_std) == pytest.approx(MIN_STD)
    scaled = normalizer("x", torch.tensor([0.25, 1.25]))
    torch.testing.assert_close(scaled, torch.tensor([0.0, 1 / MIN_STD]))


def test_the_statistics_are_those_of_random_play():
    instance = adp_instance()
    fit_normalizer(instance.train_environment, 100, seed=5)
    # Eight environments are all in round 0 and in round 1 by turns: 100 frames need 13 steps,
    # 7 of them with no message so far, 6 with one symbol of 4 in one round of 2.
    expected = {}
    for key, num_entries in (("x", 8), ("message", 4)):
        mean = 6 / (13 * num_entries)
        expected |= {f"{key}_mean": mean, f"{key}_std": sqrt(mean - mean**2)}
    found = statistics(instance.normalizer)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


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
    mean, std = 6 / 52, sqrt(6 / 52 - (6 / 52) ** 2)
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
