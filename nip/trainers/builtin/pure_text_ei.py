"""Expert iteration: fine-tune each model on the rollouts in which its agents had high rewards."""

import numpy as np

from nip.protocols.rules import VERIFIER
from nip.trainers.registry import register_trainer
from nip.trainers.rl_pure_text_base import PureTextRlTrainer
from nip.trainers.text.guess_replacement import choose_replaced, guess_replacement_share
from nip.trainers.text.rollout_selection import balance_verdicts, select_rollouts
from nip.utils.nested_array_dict import NestedArrayDict


@register_trainer("pure_text_ei")
class PureTextEiTrainer(PureTextRlTrainer):
    """Supervised fine-tuning on rollouts that are selected by the agent's reward.

    References
    ----------
    Anthony, Tian, Barber: Thinking Fast and Slow with Deep Learning and Tree Search (2017).
    """

    def _stage_create_fine_tune_jobs(self, rollouts: NestedArrayDict) -> None:
        """Select the rollouts of each agent, and create a supervised job for each model group."""
        replaced = self._rollouts_with_replaced_verdict(rollouts)
        for group in self.shared_model_groups.values():
            group.create_supervised_fine_tune_job(
                {
                    agent: self._select(
                        rollouts[~replaced] if agent == VERIFIER else rollouts, agent
                    )
                    for agent in group.agent_names
                },
                replaced_per_agent={VERIFIER: self._within_window(rollouts[replaced], VERIFIER)}
                if VERIFIER in group.agent_names
                else None,
            )

    def _rollouts_with_replaced_verdict(self, rollouts: NestedArrayDict) -> np.ndarray:
        """Choose the rollouts in which the verifier's verdict is replaced by the true label."""
        iteration = self.state.iteration
        return choose_replaced(
            rollouts,
            np.arange(len(rollouts)),
            self.protocol_handler.agent_names.index(VERIFIER),
            guess_replacement_share(iteration, self.hyper_params.text_rl),
            seed=self.hyper_params.seed,
            iteration=iteration,
        )

    def _select(self, rollouts: NestedArrayDict, agent: str) -> NestedArrayDict:
        params, seed = self.hyper_params.pure_text_ei, self.hyper_params.seed
        iteration = self.state.iteration
        rollouts = self._within_window(rollouts, agent)
        rows = select_rollouts(
            rollouts,
            self.protocol_handler.agent_names,
            agent,
            params,
            seed=seed,
            iteration=iteration,
        )
        if agent == VERIFIER and params.balance_verdicts:
            weight = params.reject_weight
            rows = balance_verdicts(rollouts, rows, weight, seed=seed, iteration=iteration)
        return rollouts[rows]
