"""MALT: fine-tune each model on preferences between the responses in trees of dialogues."""

from collections.abc import Iterator

import numpy as np

from nip.language_models.fine_tuning.datasets import Preference
from nip.protocols.rules import VERIFIER
from nip.scenario_base.text.conversation import Conversation
from nip.trainers.registry import register_trainer
from nip.trainers.rl_pure_text_base import PureTextRlTrainer
from nip.trainers.text.preference_pairs import PairRule, pair_rules, verdict_correction
from nip.trainers.text.rollout_selection import balanced, thinned
from nip.trainers.text.tree_statistics import (
    PAIRS,
    REWARD,
    tree_statistic_names,
    tree_statistics,
)
from nip.utils.nested_array_dict import NestedArrayDict

_METRICS = (REWARD, PAIRS)


@register_trainer("pure_text_malt")
class PureTextMaltTrainer(PureTextRlTrainer):
    """Direct preference optimisation on pairs of responses to the same dialogue.

    Each training rollout is a tree with ``pure_text_malt.num_responses_per_timestep`` responses at
    each decision point. A response is positive for an agent if the agent's reward, averaged over
    the leaves below, is at least its mid-point in the protocol, and negative otherwise. Wherever
    an agent has responses of both kinds, one pair is drawn. With ``pure_text_malt.pair_invalid``,
    positive responses are preferred to invalid answers too, which enter nothing else. In the share
    ``text_rl.verifier_guess_replacement_proportion`` of the points at which all verdicts are wrong,
    the true label is preferred to one of them.

    References
    ----------
    Motwani et al.: MALT: Improving Reasoning with Multi-Agent LLM Training (2024).
    """

    def _stage_create_fine_tune_jobs(self, rollouts: NestedArrayDict) -> None:
        """Draw the pairs of each agent, and create a preference job for each model group."""
        rules = {rule.agent: rule for rule in self._rules()}
        for group in self.shared_model_groups.values():
            group.create_preference_fine_tune_job(
                {agent: self._preferences(rules[agent]) for agent in group.agent_names},
                beta=self.hyper_params.pure_text_malt.beta,
            )

    def _rules(self) -> list[PairRule]:
        """Return how the pairs of each agent are drawn."""
        pairs_invalid = self.hyper_params.pure_text_malt.pair_invalid
        invalid_answers = self._stored.invalid_answers if pairs_invalid else None
        correction = verdict_correction(
            self.hyper_params.text_rl, self.state.iteration, self.scenario_instance.rules.scale
        )
        return pair_rules(self.protocol_handler, invalid_answers, correction)

    def _preferences(self, rule: PairRule) -> Iterator[Preference]:
        """Yield the examples of an agent from all iterations that it learns from."""
        params, iteration = self.hyper_params.pure_text_malt, self.state.iteration
        is_weighted = params.balance_verdicts or params.reject_weight != 1
        if rule.agent != VERIFIER or not is_weighted:
            return (preference for preference, _ in self._all_preferences(rule))
        given = list(self._all_preferences(rule))
        decisions = np.array([decision for _, decision in given], dtype=np.int64)
        seed = self.hyper_params.seed
        choose = balanced if params.balance_verdicts else thinned
        kept = choose(decisions, params.reject_weight, seed=seed, iteration=iteration)
        return (given[place][0] for place in kept)

    def _all_preferences(self, rule: PairRule) -> Iterator[tuple[Preference, int]]:
        """Yield each pair of an agent as an example, with the decision that is preferred."""
        dataset = self._stored.dataset("train")
        for iteration in range(self._first_iteration(rule.agent), self.state.iteration + 1):
            for root in self._stored.trees(iteration):
                datapoint = dataset[root.rollout.datapoint]
                conversation = Conversation(
                    self.scenario_instance.rules, datapoint, root.rollout.seed
                )
                for pair in rule.draw(root):
                    yield pair.preference(conversation), pair.preferred_decision

    def _training_statistics(self) -> dict[str, float]:
        return tree_statistics(
            self._stored.trees(self.state.iteration),
            self._rules(),
            self.scenario_instance.rules.episode,
            _METRICS,
        )

    def _training_statistic_names(self) -> frozenset[str]:
        return tree_statistic_names(self.scenario_instance.rules.episode, _METRICS)
