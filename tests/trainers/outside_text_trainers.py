"""A trainer of language models as a user of the published guide would write it."""

from dataclasses import dataclass

import numpy as np

from nip.parameters import register_parameter_class
from nip.parameters.parameters_base import SubParameters
from nip.parameters.trainers import TextRlParameters
from nip.scenario_base.agents import PureTextSharedModelGroup
from nip.scenario_instance import ScenarioInstance
from nip.trainers.registry import register_trainer
from nip.trainers.rl_pure_text_base import PureTextRlTrainer
from nip.utils.nested_array_dict import NestedArrayDict


@register_parameter_class
@dataclass
class OutsideTextParameters(SubParameters):
    """Parameters of a trainer from outside."""

    share: float = 1.0
    """Share of the rollouts that are learnt from."""


@register_trainer("outside_text", parameters=OutsideTextParameters)
class OutsideTextTrainer(PureTextRlTrainer):
    def __init__(self, hyper_params, scenario_instance: ScenarioInstance, settings, run=None):
        super().__init__(hyper_params, scenario_instance, settings, run)
        self.text_rl: TextRlParameters = hyper_params.text_rl
        self.num_sampled = []

    def _sample_rollouts(self, *args, **kwargs) -> NestedArrayDict:
        rollouts = super()._sample_rollouts(*args, **kwargs)
        self.num_sampled.append(len(rollouts))
        rollouts["bonus"] = np.full(len(rollouts), 0.5)
        return rollouts

    def _get_log_stats(self, rollouts: NestedArrayDict, *args, **kwargs) -> dict[str, float]:
        log_stats = super()._get_log_stats(rollouts, *args, **kwargs)
        prefix = "" if kwargs.get("train", True) else "test_"
        log_stats.update({f"{prefix}mean_bonus": float(rollouts["bonus"].mean())})
        return log_stats

    def _stage_create_fine_tune_jobs(self, rollouts: NestedArrayDict):
        number = int(self.hyper_params.outside_text.share * len(rollouts))
        for group in self.shared_model_groups.values():
            assert isinstance(group, PureTextSharedModelGroup)
            group.create_supervised_fine_tune_job(
                dict.fromkeys(group.agent_names, rollouts[:number])
            )
