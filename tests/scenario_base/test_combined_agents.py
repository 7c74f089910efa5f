"""All agents together: evaluated only in the rows that need it, and never given the label."""

import pytest
import torch
from tensordict import TensorDict

from nip.protocols.registry import protocol_registry
from nip.scenario_base import combined_agents
from nip.scenario_base.collector import RolloutCollector
from nip.scenario_base.row_selection import RowSelection
from nip.scenario_instance import ScenarioInstance
from tests.experiments import (
    NUM_ROUNDS,
    TENSOR_SCENARIOS,
    make_instance,
    make_params,
    make_trainer,
)

pytestmark = pytest.mark.usefixtures("float64")

LOGITS = {
    "decision": "decision_logits",
    "node_selected": "main_message_logits",
    "linear_message_selected": "linear_message_logits",
}
"""The logits of each action."""

OBJECTIVES = {
    "ppo_clip": ("vanilla_ppo", {"ppo": {"entropy_eps": 0.1}, "rl": {"clip_value": True}}),
    "ppo_kl": ("vanilla_ppo", {"ppo": {"loss_type": "kl_penalty"}}),
    "reinforce": ("reinforce", {}),
    "reinforce_critic": ("reinforce", {"reinforce": {"use_advantage_and_critic": True}}),
}


def graph_instance(data_dir, protocol="nip", **changes) -> ScenarioInstance:
    params = make_params("graph_isomorphism", protocol=protocol, message_size=2, **changes)
    return make_instance(params, data_dir)


def play(instance: ScenarioInstance, num_steps: int = 2) -> dict[str, torch.Tensor]:
    """Return the state after some rounds in which nobody decides."""
    environment = instance.train_environment
    generator = torch.Generator().manual_seed(1)
    state = environment.initial_state()
    for _ in range(num_steps):
        actions = environment.random_actions(generator)
        actions["decision"].fill_(2)
        state = environment.advance(state, actions).state
    return state


def act(instance: ScenarioInstance, state: dict[str, torch.Tensor], **changes):
    """Let the agents act greedily; return their actions and the masks of those that are needed."""
    protocol = instance.train_environment.tensor_protocol
    active = protocol.active_mask(state["round"], state["seed"])
    decides = protocol.decision_mask(state["round"], state["seed"])
    needs_value = torch.zeros_like(decides)
    needs_value[0] = True
    generator = torch.Generator().manual_seed(2)
    arguments = {"greedy": True, **changes}
    instance.agents.eval()
    with torch.no_grad():
        actions = instance.agents.act(state, active, decides, needs_value, generator, **arguments)
    return actions, active, needs_value


@pytest.mark.parametrize("linear", [False, True], ids=["", "linear"])
@pytest.mark.parametrize("protocol", protocol_registry.names())
def test_acting_in_the_rows_that_count_equals_acting_in_all(protocol, linear, data_dir):
    instance = graph_instance(data_dir, protocol, include_linear_message_space=linear)
    environment = instance.train_environment
    state = play(instance, num_steps=1 if protocol != "solo_verifier" else 0)
    # Environments in different rounds, so that each agent is asked in some rows only.
    state["round"] = torch.arange(4) % environment.protocol.num_episode_rounds
    state["seed"] = torch.arange(4)
    sparse, active, needs_value = act(instance, state)
    instance.agents.fixed_shapes = True
    dense, _, _ = act(instance, state)
    assert sparse.keys() == dense.keys()
    is_asked = active.any(-1) | needs_value
    for name in sparse:
        if name in LOGITS:
            # Twin nodes have equal logits, and rounding decides which of them is chosen.
            logits = dense[LOGITS[name]]
            found = logits.gather(-1, sparse[name].unsqueeze(-1)).squeeze(-1)
            torch.testing.assert_close(found[is_asked], logits.amax(-1)[is_asked])
        else:
            torch.testing.assert_close(sparse[name][is_asked], dense[name][is_asked])
    assert not sparse["value"][~is_asked].any()
    assert (sparse["decision"][~is_asked] == 2).all()


@pytest.mark.parametrize("kind", OBJECTIVES)
@pytest.mark.parametrize("protocol", ["nip", "merlin_arthur", "mnip"])
def test_losses_of_the_rows_that_count_equal_those_of_all(protocol, kind, data_dir):
    trainer_name, changes = OBJECTIVES[kind]
    if protocol != "merlin_arthur":
        changes[f"{protocol}_protocol"] = {**NUM_ROUNDS, "min_message_rounds": 3}
    params = make_params("graph_isomorphism", trainer_name, protocol, **changes)
    trainer = make_trainer(params, data_dir)
    loss_module, estimator = trainer._get_loss_module_and_gae()
    batch = collect_minibatch(trainer.scenario_instance, estimator)
    sparse = losses_and_gradients(loss_module, batch)
    trainer.agents.fixed_shapes = True
    dense = losses_and_gradients(loss_module, batch)
    assert sparse.keys() == dense.keys()
    assert any(value.any() for name, value in sparse.items() if name.endswith("weight"))
    for name in sparse:
        scale = max(1.0, float(dense[name].abs().max()))
        torch.testing.assert_close(sparse[name], dense[name], atol=1e-9 * scale, rtol=0)


def collect_minibatch(instance: ScenarioInstance, estimator) -> TensorDict:
    """Return frames with advantages and probabilities unlike those of the present agents."""
    collector = RolloutCollector(
        instance.train_environment, instance.agents.eval(), num_steps=3, seed=0
    )
    # The second batch begins within episodes, where values are needed out of turn.
    for _ in range(2):
        batch = collector.collect()
    estimator(batch)
    spread = torch.linspace(-1, 1, batch["agents", "value"].numel())
    for name in ("advantage", "reward_to_go"):
        if name in batch["agents"].keys():
            batch["agents", name] += spread.view_as(batch["agents", name])
    batch["agents", "sample_log_prob"] += 0.3 * spread.view_as(batch["agents", "value"])
    return batch.reshape(-1)


def losses_and_gradients(loss_module, minibatch: TensorDict) -> dict[str, torch.Tensor]:
    loss_module.agents.train()
    loss_module.zero_grad(set_to_none=True)
    losses = loss_module(minibatch.clone())
    loss_module.backward(losses)
    gradients = {
        name: parameter.grad
        for name, parameter in loss_module.agents.named_parameters()
        if parameter.grad is not None
    }
    return {**dict(losses.detach().items()), **gradients}


@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_agents_never_read_the_answer(scenario, data_dir):
    instance = make_instance(make_params(scenario, protocol="nip"), data_dir)
    state = play(instance)
    changed = {**state, "y": 1 - state["y"], "datapoint_id": state["datapoint_id"] + 100}
    told, untold = act(instance, changed)[0], act(instance, state)[0]
    assert all(torch.equal(told[name], untold[name]) for name in told)
    needed = torch.ones(4, 2, dtype=torch.bool)
    agents = instance.agents
    assert torch.equal(agents.values(changed, needed), agents.values(state, needed))


@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS)
def test_agents_do_not_read_the_answer_when_they_learn(scenario, data_dir):
    instance = make_instance(make_params(scenario, protocol="nip"), data_dir)
    collector = RolloutCollector(
        instance.train_environment, instance.agents.eval(), num_steps=3, seed=0
    )
    frames = collector.collect().reshape(-1)
    changed = frames.clone()
    changed["y"] = 1 - frames["y"]
    changed["datapoint_id"] = frames["datapoint_id"] + 100
    for index in range(2):
        for batch in (frames, changed):
            rows = RowSelection()
            batch["out"] = instance.agents.evaluate(index, batch, rows, with_value=True)[0].value
        assert torch.equal(frames["out"], changed["out"])
        del frames["out"], changed["out"]


@pytest.mark.parametrize("trainer", ["vanilla_ppo", "solo_agent"])
def test_no_part_of_an_agent_is_handed_the_answer(trainer, data_dir):
    """Not even a part from a plugin can read the label."""
    built = make_trainer(make_params("graph_isomorphism", trainer, "nip"), data_dir)
    handed = set()
    for _, _, agent in built.agents:
        agent.body.register_forward_pre_hook(lambda _, inputs: handed.update(inputs[0]))
    built.train()
    assert {"x", "message", "adjacency"} <= handed
    assert not handed & {"y", "datapoint_id", "agents", "next"}


def test_a_sampled_action_has_the_log_probability_that_is_stored(data_dir):
    instance = graph_instance(data_dir, include_linear_message_space=True)
    collector = RolloutCollector(
        instance.train_environment, instance.agents.eval(), num_steps=4, seed=0
    )
    frames = collector.collect().reshape(-1)
    for index, _, _ in instance.agents:
        rows = frames["agents", "active"][:, index].any(-1).nonzero().squeeze(-1)
        selected = RowSelection(rows)
        output, choice, turn = instance.agents.evaluate(index, frames, selected, with_value=True)
        stored = frames["agents", "sample_log_prob"][rows, index]
        log_prob = combined_agents.log_prob(output, choice, turn)
        torch.testing.assert_close(log_prob, stored)
        assert (stored < 0).all()
        value = frames["agents", "value"][rows, index]
        torch.testing.assert_close(output.value, value)


def test_random_agents_play_at_random_even_in_a_greedy_test(data_dir):
    agents = {"_default": {"is_random": True}}
    instance = graph_instance(data_dir, agents=agents)
    state = {name: value[:1].repeat_interleave(4, 0) for name, value in play(instance).items()}
    symbols = act(instance, state, greedy=True)[0]["node_selected"][:, 1]
    assert len(set(symbols.flatten().tolist())) > 1
