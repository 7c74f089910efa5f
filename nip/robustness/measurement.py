"""Measurement of a frozen verifier: the share of right decisions about each datapoint."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nip.robustness.best_answers import BestAnswers
from nip.robustness.episodes import play_episodes, rows_with_label
from nip.robustness.threats import Threat
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed

Shares = NDArray[np.float64]
"""Share of right decisions about each datapoint, (datapoint,)."""


@dataclass(frozen=True)
class Measurement:
    """Measures the verifier of an instance on the test split, against the provers of the instance.

    The random numbers depend on ``seed`` alone, so that provers are compared in the same
    episodes.
    """

    instance: TensorDictScenarioInstance
    """The agents and their environment."""

    seed: int
    """Seed of the run whose verifier is measured."""

    greedy: bool
    """Whether all agents but the random ones take their most probable actions."""

    num_repeats: int
    """Episodes about each datapoint, if actions are sampled."""

    max_datapoints: int | None
    """Datapoints of each label; None: all."""

    def shares(
        self, label: int, variants: Sequence[int], random_agents: Sequence[str] = ()
    ) -> Shares:
        """Play about the datapoints of a label.

        Parameters
        ----------
        label : int
            The label.
        variants : sequence of int
            Timetables of the protocol.
        random_agents : sequence of str
            Agents whose messages are drawn uniformly from the legal symbols.
        """
        rows = self._rows(label)
        outcomes = play_episodes(
            self.instance.test_environment,
            self.instance.agents,
            rows,
            variants,
            num_repeats=1 if self.greedy else self.num_repeats,
            greedy=self.greedy,
            seed=stable_seed(self.seed, "attack", label),
            random_agents=random_agents,
        )
        return outcomes.is_right.double().view(-1, len(rows)).mean(0).numpy()

    def best_answers(self, threat: Threat, *, max_states: int) -> Shares:
        """Return the probability of a right decision if the attackers give the best answers.

        Raises
        ------
        SearchTooLargeError
            If a round has more than ``max_states`` states.
        """
        search = BestAnswers(
            self.instance.test_environment,
            self.instance.agents,
            threat,
            greedy=self.greedy,
            seed=stable_seed(self.seed, "best answers"),
            max_states=max_states,
        )
        rows = self._rows(threat.label)
        values = [search.right_probability(rows, variant) for variant in threat.variants]
        return torch.stack(values).mean(0).double().cpu().numpy()

    def _rows(self, label: int) -> Tensor:
        return rows_with_label(self.instance.test_environment, label)[: self.max_datapoints]


def copy_other_agents(
    source: TensorDictScenarioInstance, target: TensorDictScenarioInstance, threat: Threat
) -> None:
    """Copy the weights of all agents but the attackers, and the scaling of observations."""
    target.normalizer.load_state_dict(source.normalizer.state_dict())
    for _, name, agent in target.agents:
        if name not in threat.attackers:
            agent.load_state_dict(source.agents.agents[name].state_dict())
