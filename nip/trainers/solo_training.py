"""Supervised training of each agent's body and solo head, without any messages."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from nip.errors import ParameterError
from nip.parameters import HyperParameters
from nip.parameters.agents import LrFactors
from nip.scenario_base.agent import Agent, Part
from nip.scenario_base.combined_agents import HIDDEN_KEYS, CombinedAgents
from nip.scenario_base.environment import TensorDictEnvironment
from nip.seeding import stable_seed
from nip.trainers.optimization import part_learning_rate


class SoloTraining:
    """Epochs of cross-entropy on a split of the training data, for all agents side by side.

    The agents share no parameters, so that one optimizer and one sum of losses trains each of
    them for itself.

    Parameters
    ----------
    agents : CombinedAgents
        Agents with solo heads; random ones are left out.
    environment : TensorDictEnvironment
        Gives the training data and the observation of an episode that has just begun.
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
        if not self._learners:
            raise ParameterError(
                f"No agent of scenario={hyper_params.scenario!r} can learn to decide alone: agents "
                "that play at random or are written by hand do not. Let one of them learn, or "
                "choose another trainer."
            )
        seed = stable_seed(hyper_params.seed, "solo")
        self._generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(environment.dataset), generator=self._generator)
        num_test = max(1, round(hyper_params.test_size * len(order)))
        self._test_rows, self._train_rows = order[:num_test], order[num_test:]
        if len(self._train_rows) == 0:
            raise ParameterError(
                f"test_size={hyper_params.test_size} leaves none of the {len(order)} datapoints to "
                "learn from. Choose a smaller test_size."
            )
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
        return self._named(sums / len(self._train_rows), "train")

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return each agent's mean loss and accuracy on the rows which were held out."""
        sums = torch.zeros(2, len(self._learners), device=self._environment.device)
        for rows in self._test_rows.split(self._params.batch_size):
            losses, correct = self._losses(rows)
            sums = sums + torch.stack((losses * len(rows), correct))
        return self._named(sums / len(self._test_rows), "test")

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
        observation = {key: value for key, value in state.items() if key not in HIDDEN_KEYS}
        logits = [agent.solo_logits(observation) for agent in self._learners.values()]
        losses = torch.stack([F.cross_entropy(values, y) for values in logits])
        correct = torch.stack([(values.argmax(-1) == y).float().sum() for values in logits])
        return losses, correct

    def _named(self, figures: Tensor, split: str) -> dict[str, float]:
        losses, accuracies = figures.tolist()
        metrics = {}
        for name, loss, accuracy in zip(self._learners, losses, accuracies, strict=True):
            metrics[f"{name}.{split}_loss"] = loss
            metrics[f"{name}.{split}_accuracy"] = accuracy
        return metrics

    def _groups(self) -> list[dict[str, object]]:
        groups: list[dict[str, object]] = []
        for agent in self._learners.values():
            seen: set[Tensor] = set()
            for part in agent.parts():
                parameters = [p for p in part.module.parameters() if p not in seen]
                seen.update(parameters)
                if parameters and not part.name.startswith(("policy", "value")):
                    groups.append({"params": parameters, "lr": self._rate(agent, part)})
        return groups

    def _rate(self, agent: Agent, part: Part) -> float:
        params = agent.context.params
        if self._params.body_lr_factor_override:
            params = replace(params, body_lr_factor=LrFactors())
        return part_learning_rate(self._params.learning_rate, params, part)
