"""Collected batches agree with the environment and continue in the next batch."""

from copy import deepcopy

import pytest
import torch

from nip.protocols.registry import protocol_registry
from nip.rl_objectives.advantages import RewardToGo
from nip.scenario_base.collector import RolloutCollector
from nip.scenario_instance import ScenarioInstance
from tests.experiments import TENSOR_SCENARIOS, make_instance, make_params

pytestmark = pytest.mark.usefixtures("float64")

CONTINUE, ACCEPT = 2, 1


def collector_of(instance: ScenarioInstance, num_steps=3, seed=0, **options) -> RolloutCollector:
    return RolloutCollector(
        instance.train_environment,
        instance.agents.eval(),
        num_steps=num_steps,
        seed=seed,
        **options,
    )


def toy_instance(protocol="nip", **changes) -> ScenarioInstance:
    return make_instance(make_params(protocol=protocol, **changes))


def always(instance: ScenarioInstance, decision: int, agent: str = "verifier") -> None:
    """Let an agent that decides say the same in every round."""
    head = instance.agents.agents[agent].policy_head.decision
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.full((3,), -100.0))
        head.bias[decision] = 100.0


@pytest.mark.parametrize("protocol", protocol_registry.names())
@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_every_frame_agrees_with_the_step_that_the_environment_makes(scenario, protocol, data_dir):
    instance = make_instance(make_params(scenario, protocol=protocol), data_dir)
    batch = collector_of(instance).collect()
    environment = instance.train_environment
    assert batch.batch_size == (4, 3)
    actions = ("decision", environment.message_key)
    for step in range(3):
        frame = batch[:, step]
        state = {name: frame[name] for name in frame.keys() if name not in ("agents", "next")}
        transition = environment.advance(state, {name: frame["agents", name] for name in actions})
        assert torch.equal(frame["next", "done"], transition.done)
        assert torch.equal(frame["next", "terminated"], transition.terminated)
        assert torch.equal(frame["next", "agents", "reward"], transition.reward)
        if step + 1 < 3:
            running = ~transition.done
            following = batch[:, step + 1]
            for name, value in transition.state.items():
                assert torch.equal(following[name][running], value[running])
            assert not following["round"][transition.done].any()


def test_a_verifier_that_has_decided_has_no_turns_and_no_values_any_more():
    instance = toy_instance(protocol_common={"zero_knowledge": True})
    always(instance, ACCEPT)
    always(instance, CONTINUE, "adversarial_verifier")
    collector = collector_of(instance, num_steps=3)
    batch, rest = collector.collect(), collector.collect()
    agents, verifier = batch["agents"], 1
    assert agents["active"][:, :, verifier].any(-1).tolist() == [[True, False, False]] * 4
    assert agents["value_known"][:, :, verifier].tolist() == [[True, False, False]] * 4
    assert agents["decides"][:, :, 2].tolist() == [[True, False, True]] * 4
    assert not agents["bootstrap_value"][:, :, verifier].any()
    assert agents["bootstrap_value"][:, -1, [0, 2, 3]].all()
    assert not rest["agents", "value_known"][:, 0, verifier].any()
    # The prover goes on with the adversarial verifier alone.
    assert agents["active"][0, 1, 0].tolist() == [False, True, False]
    assert batch["next", "verdict"].tolist() == [[ACCEPT] * 3] * 4
    assert batch["next", "agents", "done"][0].tolist() == [[False, True, False, False]] * 3
    assert rest["next", "done"].tolist() == [[True, False, False]] * 4
    assert rest["next", "agents", "episode_reward"][:, 0, verifier].abs().tolist() == [1.0] * 4


@pytest.mark.parametrize("zero_knowledge", [False, True])
def test_decisions_of_running_episodes_are_saved_if_there_are_any(zero_knowledge):
    instance = toy_instance(protocol_common={"zero_knowledge": zero_knowledge})
    if zero_knowledge:
        always(instance, ACCEPT)
        always(instance, CONTINUE, "adversarial_verifier")
    collector = collector_of(instance)
    collector.collect()
    state = collector.state_dict()
    assert ("decided" in state["state"]) == zero_knowledge
    expected = collector.collect()
    again = collector_of(instance, seed=1)
    again.load_state_dict(state)
    assert (again.collect() == expected).all()


def test_episodes_go_on_in_the_next_batch():
    instance = toy_instance()
    always(instance, CONTINUE)
    collector = collector_of(instance, num_steps=3)
    rounds = torch.cat([collector.collect()["round"] for _ in range(4)], dim=1)
    # Episodes of four rounds in batches of three steps.
    assert rounds.tolist() == [[0, 1, 2, 3] * 3] * 4


def test_the_state_after_the_cut_is_valued_by_both_agents():
    instance = toy_instance()
    always(instance, CONTINUE)
    collector = collector_of(instance, num_steps=3)
    first = collector.collect()
    bootstrap = first["agents", "bootstrap_value"]
    assert not bootstrap[:, :-1].any()
    # The state after the cut is the first of the next batch: both agents' values are asked there.
    second = collector.collect()
    names = ("round", "message", "message_history", "secret", "x")
    start = {name: second[name][:, 0] for name in names}
    with torch.no_grad():
        expected = [agent.value(start) for _, _, agent in instance.agents]
    torch.testing.assert_close(bootstrap[:, -1], torch.stack(expected, dim=-1))
    assert second["agents", "value_known"][:, 0].all()
    torch.testing.assert_close(second["agents", "value"][:, 0], bootstrap[:, -1])


def test_nothing_is_bootstrapped_where_an_episode_ends():
    instance = toy_instance("adp")
    batch = collector_of(instance, num_steps=2).collect()
    assert batch["next", "done"][:, -1].all()
    assert not batch["agents", "bootstrap_value"].any()


def test_without_values_the_same_is_played_and_no_critic_is_asked():
    with_values = collector_of(toy_instance(), num_steps=3).collect()
    collector = collector_of(toy_instance(), num_steps=3)
    collector.with_values = False
    batch = collector.collect()
    for key in ("decision", "position_selected", "sample_log_prob"):
        assert torch.equal(batch["agents", key], with_values["agents", key])
    assert not batch["agents", "value_known"].any()
    assert not batch["agents", "value"].any()


def test_a_value_is_known_where_the_agent_has_its_turn():
    instance = toy_instance()
    always(instance, CONTINUE)
    batch = collector_of(instance, num_steps=4).collect()
    # The verifier, who is the second agent, begins; the batch begins with the episodes.
    expected = torch.tensor([[False, True], [True, False]] * 2).expand(4, -1, -1)
    assert torch.equal(batch["agents", "value_known"], expected)
    assert torch.equal(batch["agents", "active"].squeeze(-1), expected)


def test_a_decision_counts_only_from_the_first_decisive_round_on():
    instance = toy_instance(nip_protocol={"max_message_rounds": 4, "min_message_rounds": 3})
    always(instance, ACCEPT)
    batch = collector_of(instance, num_steps=4).collect()
    verifier = batch["agents", "decides"][..., 1]
    assert verifier.tolist() == [[False, False, True, False]] * 4
    assert batch["next", "done"].tolist() == [[False, False, True, False]] * 4


def test_the_reward_of_an_episode_is_summed_across_batches():
    rewards = {"verifier_no_guess_reward": 0.25, "verifier_terminated_penalty": -3.0}
    instance = toy_instance(protocol_common=rewards)
    always(instance, CONTINUE)
    collector = collector_of(instance, num_steps=3)
    batches = torch.cat([collector.collect() for _ in range(2)], dim=1)
    # Turns of the verifier: rounds 0 and 2; round 3 ends the episode.
    sums = [0.25, 0.25, 0.5, -2.5, 0.25, 0.25]
    assert batches["next", "agents", "episode_reward"][0, :, 1].tolist() == sums


@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_a_stored_collector_goes_on_with_the_same_batches(scenario, data_dir):
    params = make_params(scenario, protocol="debate", include_linear_message_space=True)
    collector = collector_of(make_instance(params, data_dir))
    collector.collect()
    stored = deepcopy(collector.state_dict())
    expected = [collector.collect() for _ in range(3)]
    other = collector_of(make_instance(params, data_dir), seed=9)
    other.collect()
    other.load_state_dict(stored)
    for batch in expected:
        again = other.collect()
        assert (again == batch).all()


def test_a_greedy_collector_takes_the_most_probable_actions():
    instance = toy_instance("adp")
    batch = collector_of(instance, num_steps=2, greedy=True).collect().reshape(-1)
    for index in range(2):
        turns = batch["agents", "active"][:, index, 0]
        logits = batch["agents", "main_message_logits"][turns, index, 0, 0]
        chosen = batch["agents", "position_selected"][turns, index, 0, 0]
        assert torch.equal(chosen, logits.argmax(-1))
    verifier = batch["agents", "decides"][:, 1]
    logits = batch["agents", "decision_logits"][verifier, 1]
    assert torch.equal(batch["agents", "decision"][verifier, 1], logits.argmax(-1))


def test_collecting_draws_nothing_from_the_global_generator():
    instance = toy_instance()
    before = torch.get_rng_state()
    collector_of(instance).collect()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_cut_episode_is_played_to_its_end_for_its_return():
    """In adp the verifier is paid 1 in round 1, where the first batch of one step does not get."""
    instance = toy_instance("adp", protocol_common={"force_guess": "y"})
    collector = collector_of(instance, num_steps=1, with_values=False, discount=0.5)
    first, second = collector.collect(), collector.collect()
    verifier = instance.protocol_handler.agent_names.index("verifier")
    assert first["next", "agents", "reward"][:, 0, verifier].tolist() == [0] * 4
    assert first["agents", "bootstrap_return"][:, 0, verifier].tolist() == [1] * 4
    returns = RewardToGo(0.5)(first)["agents", "reward_to_go"][:, 0, verifier]
    assert returns.tolist() == [0.5] * 4
    # The episode itself goes on where it was.
    assert second["round"].flatten().tolist() == [1] * 4
    assert torch.equal(second["datapoint_id"], first["datapoint_id"])
    assert not second["agents", "bootstrap_return"].any()
    assert "bootstrap_return" not in collector_of(instance).collect()["agents"].keys()


@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_returns_do_not_depend_on_where_batches_end(num_steps):
    instance = toy_instance(
        "nip", agents={"_default": {"is_random": True}}, rl={"rollouts_per_iteration": 8000}
    )
    means = []
    for steps in (num_steps, 4):
        collector = collector_of(instance, steps, seed=steps, with_values=False, discount=0.9)
        batch = RewardToGo(0.9)(collector.collect())
        means.append(batch["agents", "reward_to_go"][:, 0].mean(0))
    torch.testing.assert_close(means[0], means[1], atol=0.06, rtol=0)
