"""A trainer with another advantage: leave one out (Ahmadian et al., 2024)."""

from collections.abc import Sequence
from dataclasses import replace

from nip.parameters.specs import trainer_specs
from nip.trainers.builtin.pure_text_grpo import PureTextGrpoTrainer
from nip.trainers.registry import register_trainer
from nip.trainers.text.response_advantages import Group, Response


@register_trainer("pure_text_rloo", spec=trainer_specs["pure_text_grpo"])
class PureTextRlooTrainer(PureTextGrpoTrainer):
    """Compare each response with the mean of the others to the same dialogue, unscaled."""

    def advantages(self, agent: str, groups: Sequence[Group]) -> list[Response]:
        """Return the responses that have others to be compared with."""
        responses = []
        for group in groups:
            total = sum(each.reward for each in group)
            for each in group if len(group) > 1 else ():
                others = (total - each.reward) / (len(group) - 1)
                responses.append(replace(each, advantage=each.reward - others))
        return responses
