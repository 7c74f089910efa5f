"""Agents which learn on some iterations only."""

from dataclasses import replace

import torch

from nip.parameters import AlternatingPeriodicUpdateSchedule, ContiguousPeriodicUpdateSchedule
from nip.trainers.callbacks import Callback
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from nip.trainers.tensor.learning.agent_freezing import choose_learners, train_learning_parts
from tests.experiments import (
    make_params,
    make_trainer,
    same_tensors,
    tiny_graph_agent,
)
from tests.rl_objectives.tables import table_agents


class Recorder(Callback):
    """Keeps weights, buffers and moments of every agent after each iteration."""

    def __init__(self, trainer: TensorDictRlTrainer) -> None:
        self.trainer = trainer
        self.states = []
        self.optimizers = []

    def on_iteration_start(self, context):
        if not self.states:
            self.record()

    def on_iteration_end(self, context):
        self.record()

    def record(self):
        state = {}
        for _, name, agent in self.trainer.agents:
            tensors = dict(agent.state_dict())
            for key, parameter in agent.named_parameters():
                for kind, value in self.trainer.optimizer.state.get(parameter, {}).items():
                    tensors[f"{key}:{kind}"] = torch.as_tensor(value)
            state[name] = {key: value.clone() for key, value in tensors.items()}
        self.states.append(state)
        self.optimizers.append(self.trainer.optimizer)


def changes_of(trainer: TensorDictRlTrainer) -> dict[str, list[bool]]:
    """Train; return for each agent on which iterations anything about it changed."""
    recorder = Recorder(trainer)
    trainer.callbacks.append(recorder)
    trainer.train()
    assert len(set(map(id, recorder.optimizers))) == 1
    return {
        name: [
            not same_tensors(before[name], after[name])
            for before, after in zip(recorder.states, recorder.states[1:], strict=False)
        ]
        for name in recorder.states[0]
    }


def test_a_pausing_agent_keeps_weights_and_moments(data_dir):
    schedule = ContiguousPeriodicUpdateSchedule(period=3, start=1, stop=2)
    agents = {
        "prover": tiny_graph_agent(update_schedule=schedule),
        "_default": tiny_graph_agent(),
    }
    params = make_params(
        "graph_isomorphism", protocol="nip", agents=agents, rl={"num_iterations": 6}
    )
    assert changes_of(make_trainer(params, data_dir)) == {
        "prover": [False, True, False, False, True, False],
        "verifier": [True] * 6,
    }


def test_two_agents_may_take_turns():
    agents = {
        "prover": {"update_schedule": AlternatingPeriodicUpdateSchedule(3, 2, first_agent=True)},
        "verifier": {"update_schedule": AlternatingPeriodicUpdateSchedule(3, 2, first_agent=False)},
    }
    params = make_params(trainer="reinforce", agents=agents, rl={"num_iterations": 6})
    assert changes_of(make_trainer(params)) == {
        "prover": [True, True, False] * 2,
        "verifier": [False, False, True] * 2,
    }


def test_the_pause_of_one_agent_does_not_change_what_the_other_learns_from(data_dir):
    """With moments on other parameters, or a rebuilt optimizer, the other would differ."""
    pausing = ContiguousPeriodicUpdateSchedule(period=2, start=0, stop=1)
    verifiers = []
    for schedule in (None, pausing):
        agents = {
            # The prover learns nothing in both, once for good and once on schedule.
            "prover": tiny_graph_agent(
                agent_lr_factor={"actor": 1e-30, "critic": 1e-30}, update_schedule=schedule
            ),
            "_default": tiny_graph_agent(),
        }
        params = make_params(
            "graph_isomorphism",
            protocol="nip",
            agents=agents,
            rl={"num_iterations": 3, "max_grad_norm": 1e9},
        )
        trainer = make_trainer(params, data_dir)
        trainer.train()
        verifiers.append(trainer.agents.agents["verifier"].state_dict())
    assert same_tensors(*verifiers)


def test_agents_that_pause_are_frozen_without_gradients_and_come_back():
    agents = table_agents()
    prover, verifier = (agent for _, _, agent in agents)
    pausing = ContiguousPeriodicUpdateSchedule(period=2, start=0, stop=1)
    params = replace(prover.context.params, update_schedule=pausing)
    prover.context = replace(prover.context, params=params)
    never = verifier.value_head.value
    learning = set(agents.parameters()) - {never}
    for parameter in agents.parameters():
        parameter.grad = torch.ones_like(parameter)
    for iteration, prover_learns in enumerate((True, False, True)):
        choose_learners(agents, iteration, learning)
        assert all(p.requires_grad == prover_learns for p in prover.parameters())
        assert all(p.requires_grad == (p is not never) for p in verifier.parameters())
        assert all(p.grad is None for p in agents.parameters())


def test_only_parts_that_learn_are_in_training_mode():
    agents = table_agents()
    prover, verifier = (agent for _, _, agent in agents)
    prover.requires_grad_(False)
    verifier.value_head.requires_grad_(False)
    train_learning_parts(agents)
    assert verifier.policy_head.training
    assert not any((prover.policy_head.training, verifier.value_head.training))
