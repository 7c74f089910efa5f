"""Supervised training of bodies and solo heads, without messages: objective and dataset."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch.nn import functional as F

from nip.parameters import AgentParameters, HyperParameters, LrFactors, SoloAgentParameters
from nip.rl_objectives import Objective
from nip.scenario_base.agent import Agent, Part
from nip.scenario_base.combined_agents import CombinedAgents, readable
from nip.scenario_base.environment import TensorDictEnvironment
from nip.seeding import stable_seed
from nip.trainers.tensor.learning.metric_means import mean_over_rows
from nip.trainers.tensor.learning.minibatches import Minibatches
from nip.utils.batch_rows import take_rows
from nip.utils.ranks import current_ranks

TRAINED_PARTS = ("body", "solo_head")
"""Parts of an agent that are trained."""


def solo_rules(params: SoloAgentParameters) -> dict[str, Any]:
    """Return the arguments ``select`` and ``params_of`` of ``build_optimizer``."""

    def params_of(agent: Agent) -> AgentParameters:
        own = agent.context.params
        return replace(own, body_lr_factor=LrFactors()) if params.body_lr_factor_override else own

    def select(agent: Agent, part: Part) -> bool:
        return agent.solo_head is not None and part.name.partition(".")[0] in TRAINED_PARTS

    return {"select": select, "params_of": params_of}


class SoloObjective(Objective):
    """The cross-entropy of each agent that has a solo head, summed.

    The agents share no parameters, so that the sum trains each agent independently.
    """

    def __init__(self, agents: CombinedAgents) -> None:
        super().__init__(agents)
        self._learners = {name: agent for _, name, agent in agents if agent.solo_head is not None}

    def forward(self, tensordict: TensorDictBase) -> TensorDict:
        """Return ``loss_<agent>``, ``<agent>.loss`` and ``<agent>.accuracy`` of each agent.

        The rows are first observations of episodes, (row,), with the labels ``y``.
        """
        y = tensordict["y"].squeeze(-1)
        observation = readable(dict(tensordict.items()))
        weight, metrics = self._weight(len(y)), {}
        if weight == 0:
            return TensorDict({name: torch.zeros((), device=y.device) for name in self._names()})
        for name, agent in self._learners.items():
            logits = agent.solo_logits(observation).float()
            loss = F.cross_entropy(logits, y) * weight
            metrics[f"loss_{name}"] = loss
            metrics[f"{name}.loss"] = loss.detach()
            metrics[f"{name}.accuracy"] = (logits.argmax(-1) == y).float().mean() * weight
        return TensorDict(metrics)

    def _weight(self, num_rows: int) -> float:
        """Return the weight of a mean over this rank's rows in the mean over all ranks."""
        if not torch.is_grad_enabled():
            return 1.0  # Only training rows are divided among the ranks.
        return num_rows / float(current_ranks().mean_(torch.tensor(float(num_rows))))

    def metric_names(self) -> list[str]:
        """Return the names of the metrics: loss and accuracy of each agent."""
        return [f"{name}.{kind}" for name in self._learners for kind in ("loss", "accuracy")]

    def _names(self) -> list[str]:
        return [*self.metric_names(), *(f"loss_{name}" for name in self._learners)]


class RowMinibatches(Minibatches):
    """Minibatches of the rows of a dataset in random order; the last one may be smaller."""

    def __init__(self, num_rows: int, size: int, generator: torch.Generator) -> None:
        self._num_rows = num_rows
        self._size = size
        self._generator = generator

    @property
    def num_per_epoch(self) -> int:
        """Number of minibatches of a pass over the rows."""
        return ceil(self._num_rows / self._size)

    def of(self, batch: TensorDictBase) -> Iterator[TensorDictBase]:
        """Yield the minibatches of one pass over the rows."""
        permutation = torch.randperm(len(batch), generator=self._generator)
        yield from take_rows(batch, permutation).split(self._size)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the generator."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self._generator.set_state(state["generator"])


class SoloDataset:
    """The training data, divided into training rows and test rows.

    The environment provides the first observations of episodes. It has at least two datapoints.
    """

    def __init__(self, environment: TensorDictEnvironment, hyper_params: HyperParameters) -> None:
        self._environment = environment
        self._batch_size = hyper_params.solo_agent.batch_size
        seed = stable_seed(hyper_params.seed, "solo")
        self._generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(environment.dataset), generator=self._generator)
        num_test = min(max(1, round(hyper_params.test_size * len(order))), len(order) - 1)
        rows = TensorDict({"row": order}, batch_size=[len(order)])
        self.test_rows, self.train_rows = rows[:num_test], rows[num_test:]

    def minibatches(self) -> RowMinibatches:
        """Return minibatches of the training rows, drawn by the generator that split the rows."""
        return RowMinibatches(len(self.train_rows), self._batch_size, self._generator)

    def questions(self, rows: TensorDictBase) -> TensorDict:
        """Return the first observations of episodes about some rows, with their labels."""
        device = self._environment.device
        indices = rows["row"].to(device)
        state = self._environment.state_of(indices, torch.zeros_like(indices))
        return TensorDict(state, batch_size=[len(rows)], device=device)

    def in_order(self, *, held_out: bool) -> Iterator[TensorDict]:
        """Yield the questions of the test rows or of the training rows, in batches."""
        rows = self.test_rows if held_out else self.train_rows
        return (self.questions(batch) for batch in rows.split(self._batch_size))


def answer_alone(
    objective: SoloObjective, rows: SoloDataset, *, held_out: bool
) -> dict[str, float]:
    """Return each agent's mean loss and accuracy on the test rows or on the training rows."""
    return mean_over_rows(
        [(objective(batch), len(batch)) for batch in rows.in_order(held_out=held_out)]
    )
