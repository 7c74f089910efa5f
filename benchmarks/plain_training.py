"""Frozen reference training: one step and one collection of rollouts in plain PyTorch.

Like the networks of ``plain_networks``, these share no code with the package.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from plain_networks import PlainAgent, PlainOutput
from torch import Tensor, nn

HIDDEN_KEYS = {"y", "datapoint_id", "decided", "opponent", "agents", "next"}
"""Keys of a batch that agents do not read."""


def plain_agents(trainer: Any) -> list[PlainAgent]:
    """Return the agents of a trainer as plain networks."""
    return [PlainAgent(agent).to(trainer.device) for _, _, agent in trainer.agents]


def log_prob(output: PlainOutput, played: Mapping[str, Tensor]) -> Tensor:
    """Return the log-probability of the actions that took effect, (row,)."""
    logs = output.message_logits.log_softmax(-1)
    chosen = logs.gather(-1, played["message"].unsqueeze(-1)).squeeze(-1)
    total = (chosen.sum(-1) * played["active"]).sum(-1)
    if output.decision_logits is not None:
        logs = output.decision_logits.log_softmax(-1)
        decided = logs.gather(-1, played["decision"].unsqueeze(-1)).squeeze(-1)
        total = total + decided * played["decides"]
    return total


def entropy(output: PlainOutput, played: Mapping[str, Tensor]) -> Tensor:
    """Return the entropy of the actions that took effect, (row,)."""
    logs = output.message_logits.log_softmax(-1)
    total = (-(logs.exp() * logs).sum(-1).sum(-1) * played["active"]).sum(-1)
    if output.decision_logits is not None:
        logs = output.decision_logits.log_softmax(-1)
        total = total - (logs.exp() * logs).sum(-1) * played["decides"]
    return total


class PlainStep:
    """One step of all agents on all frames of a minibatch: forward, backward, clipping, Adam.

    Parameters
    ----------
    trainer : TensorDictRlTrainer
        Its agents' weights are copied.
    minibatch : TensorDict
        Frames, (frame,).
    """

    def __init__(self, trainer: Any, minibatch: Any) -> None:
        self.params = trainer.hyper_params.ppo
        self.has_critic = trainer.needs_values
        self.agents = plain_agents(trainer)
        self.parameters = [each for agent in self.agents for each in agent.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, lr=1e-9)
        self.observation = {k: minibatch[k] for k in minibatch.keys() if k not in HIDDEN_KEYS}
        played = dict(minibatch["agents"].items())
        played["message"] = played.pop(trainer.agents.message_key)
        self.played = [
            {name: value[:, index].contiguous() for name, value in played.items()}
            for index in range(len(self.agents))
        ]

    def __call__(self) -> None:
        """Take the step."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=self.parameters[0].device)
        for agent, played in zip(self.agents, self.played, strict=True):
            output = agent(self.observation)
            of_agent = self._ppo if self.has_critic else self._reinforce
            loss = loss + of_agent(output, played)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()

    def _ppo(self, output: PlainOutput, played: Mapping[str, Tensor]) -> Tensor:
        ratio = (log_prob(output, played) - played["sample_log_prob"]).exp()
        advantage = played["advantage"]
        advantage = (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-6)
        epsilon = self.params.clip_epsilon
        clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
        loss = -torch.minimum(ratio * advantage, clipped * advantage).mean()
        loss = loss + F.smooth_l1_loss(output.value, played["value_target"])
        return loss - self.params.entropy_eps * entropy(output, played).mean()

    def _reinforce(self, output: PlainOutput, played: Mapping[str, Tensor]) -> Tensor:
        return -(log_prob(output, played) * played["reward_to_go"]).mean()


class PlainCollection:
    """The forward passes of one batch in a plain loop: all agents on all rows, without rewards."""

    def __init__(self, trainer: Any) -> None:
        self.agents = plain_agents(trainer)
        for agent in self.agents:
            agent.eval()
        self.num_steps = trainer.scenario_instance.batch_shape.num_steps
        environment = trainer.scenario_instance.train_environment.fresh_copy(0)
        state = environment.initial_state()
        self.state = {name: each for name, each in state.items() if name not in HIDDEN_KEYS}
        self.generator = torch.Generator(environment.device).manual_seed(0)

    @torch.no_grad()
    def __call__(self) -> None:
        """Run all agents on all environments, and write their messages into the state."""
        state = dict(self.state)
        rows = torch.arange(len(state["round"]), device=state["round"].device)
        kept = []
        for step in range(self.num_steps):
            for index, agent in enumerate(self.agents):
                output = agent(state)
                message = self._draw(output.message_logits)
                decision = None
                if output.decision_logits is not None:
                    decision = self._draw(output.decision_logits)
                kept.append((message, decision, output, output.message_logits.log_softmax(-1)))
                if index == step % 2:
                    flat = state["x"].view(len(rows), self.num_steps, -1).clone()
                    flat[rows, step, message[:, 0, 0]] = 1.0
                    state["x"] = flat.view_as(state["x"])

    def _draw(self, logits: Tensor) -> Tensor:
        """Sample symbols by the Gumbel-max trick."""
        noise = torch.empty_like(logits).exponential_(generator=self.generator)
        return (logits - noise.log()).argmax(-1)


class PlainIteration:
    """A plain collection, and then as many plain steps as an iteration of the trainer has."""

    def __init__(self, collection: PlainCollection, step: PlainStep, num_steps: int) -> None:
        self.collection, self.step, self.num_steps = collection, step, num_steps

    def __call__(self) -> None:
        """Run the iteration."""
        self.collection()
        for _ in range(self.num_steps):
            self.step()
