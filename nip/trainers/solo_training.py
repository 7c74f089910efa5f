"""Supervised training of each agent's body and solo head, without any messages."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from nip.parameters import HyperParameters
from nip.parameters.agents import LrFactors
from nip.scenario_base.agent import Agent, Part
from nip.scenario_base.combined_agents import CombinedAgents, readable
from nip.scenario_base.environment import TensorDictEnvironment
from nip.seeding import stable_seed
from nip.trainers.optimization import part_learning_rate

TRAINED_PARTS = ("body", "solo_head")
"""Parts of an agent which this training changes."""


class SoloTraining:
    """Epochs of cross-entropy on a split of the training data, for all agents side by side.

    The agents share no parameters, so that one optimizer and one sum of losses trains each of
    them for itself.

    Parameters
    ----------
    agents : CombinedAgents
        The agents, of which at least one has a solo head; the others are left out.
    environment : TensorDictEnvironment
        Gives the training data, at least two datapoints, and the observation of an episode that
        has just begun.
    hyper_params : HyperParameters
        Its ``solo_agent`` group, ``test_size`` and ``seed`` count.
    """

    def __init__(
        self,
        agents: CombinedAgents,
        environment: TensorDictEnvironment,
        hyper_params: HyperParameters,
    ) -> None:
        self._params = hyper_params.solo_agent
        self._environment = environment
        self._learners = {name: agent for _, name, agent in agents if agent.solo_head is not None}
        seed = stable_seed(hyper_params.seed, "solo")
        self._generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(environment.dataset), generator=self._generator)
        num_test = min(max(1, round(hyper_params.test_size * len(order))), len(order) - 1)
        self._test_rows, self._train_rows = order[:num_test], order[num_test:]
        self.optimizer = torch.optim.Adam(self._groups(), fused=True)
        self.names = {parameter: name for name, parameter in agents.named_parameters()}

    def run_epoch(self) -> dict[str, float]:
        """Pass over the training rows once; return each agent's mean loss and accuracy."""
        permutation = torch.randperm(len(self._train_rows), generator=self._generator)
        sums = torch.zeros(2, len(self._learners), device=self._environment.device)
        for rows in self._train_rows[permutation].split(self._params.batch_size):
            self.optimizer.zero_grad(set_to_none=True)
            losses, correct = self._losses(rows)
            losses.sum().backward()
            self.optimizer.step()
            sums = sums + torch.stack((losses.detach() * len(rows), correct))
        return self._named(sums / len(self._train_rows))

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return each agent's mean loss and accuracy on the rows which were held out."""
        sums = torch.zeros(2, len(self._learners), device=self._environment.device)
        for rows in self._test_rows.split(self._params.batch_size):
            losses, correct = self._losses(rows)
            sums = sums + torch.stack((losses * len(rows), correct))
        return self._named(sums / len(self._test_rows), prefix="test_")

    def generator_state(self) -> dict[str, Tensor]:
        """Return the state of the generator that shuffles the rows."""
        return {"generator": self._generator.get_state()}

    def load_generator_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue where ``generator_state`` was taken."""
        self._generator.set_state(state["generator"])

    def _losses(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return each agent's mean loss and its number of correct answers, both (agent,)."""
        rows = rows.to(self._environment.device)
        state = self._environment.state_of(rows, torch.zeros_like(rows))
        y = state["y"].squeeze(-1)
        observation = readable(state)
        logits = [agent.solo_logits(observation) for agent in self._learners.values()]
        losses = torch.stack([F.cross_entropy(values, y) for values in logits])
        correct = torch.stack([(values.argmax(-1) == y).float().sum() for values in logits])
        return losses, correct

    def _named(self, figures: Tensor, prefix: str = "") -> dict[str, float]:
        metrics = {}
        for name, loss, accuracy in zip(self._learners, *figures.tolist(), strict=True):
            metrics[f"{prefix}{name}.loss"] = loss
            metrics[f"{prefix}{name}.accuracy"] = accuracy
        return metrics

    def _groups(self) -> list[dict[str, object]]:
        return [
            {"params": list(part.parameters), "lr": self._rate(agent, part)}
            for agent in self._learners.values()
            for part in agent.parts()
            if part.parameters and part.name.partition(".")[0] in TRAINED_PARTS
        ]

    def _rate(self, agent: Agent, part: Part) -> float:
        params = agent.context.params
        if self._params.body_lr_factor_override:
            params = replace(params, body_lr_factor=LrFactors())
        return part_learning_rate(self._params.learning_rate, params, part)
