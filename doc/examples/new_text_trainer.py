"""A trainer of language models that learns from the shortest successful dialogues."""

from dataclasses import dataclass

import numpy as np

from nip.parameters import SubParameters, register_parameter_class
from nip.parameters.types import UnitInterval
from nip.trainers.registry import register_trainer
from nip.trainers.rl_pure_text_base import PureTextRlTrainer
from nip.utils.nested_array_dict import NestedArrayDict


@register_parameter_class
@dataclass
class TersenessParameters(SubParameters):
    """Parameters of the selection of dialogues."""

    share: UnitInterval = 0.75
    """Share of the successful dialogues to learn from, the shortest first."""


def num_tokens(rollouts: NestedArrayDict) -> np.ndarray:
    """Return the length of all messages, (rollout,)."""
    return rollouts["agents", "completion_tokens"].sum(axis=(1, 2))


@register_trainer("terseness", parameters=TersenessParameters)
class TersenessTrainer(PureTextRlTrainer):
    """Fine-tune each model on the shortest dialogues with a high reward of its agents."""

    def _stage_create_fine_tune_jobs(self, rollouts: NestedArrayDict) -> None:
        for group in self.shared_model_groups.values():
            group.create_supervised_fine_tune_job(
                {name: self._shortest_good(rollouts, name) for name in group.agent_names}
            )

    def _shortest_good(self, rollouts: NestedArrayDict, agent_name: str) -> NestedArrayDict:
        agent = self.protocol_handler.agent_names.index(agent_name)
        earned = rollouts["agents", "reward"].sum(axis=1)[:, agent]
        good = np.flatnonzero((earned > 0) & ~rollouts["failed"])
        number = round(self.hyper_params.terseness.share * len(good))
        order = np.argsort(num_tokens(rollouts)[good], kind="stable")
        return rollouts[good[order[:number]]]

    def _get_log_stats(self, rollouts: NestedArrayDict, *, train: bool = True) -> dict[str, float]:
        log_stats = super()._get_log_stats(rollouts, train=train)
        name = "mean_tokens" if train else "test_mean_tokens"
        log_stats[name] = float(num_tokens(rollouts).mean())
        return log_stats
