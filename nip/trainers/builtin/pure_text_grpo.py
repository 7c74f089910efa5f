"""GRPO: policy gradients with advantages relative to the other responses to the same dialogue."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.language_models.fine_tuning import PolicyGradientOptions, ScoredResponse
from nip.parameters import HyperParameters
from nip.protocols.rules import VERIFIER
from nip.run_store import Run
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.registry import register_trainer
from nip.trainers.rl_pure_text_base import PureTextRlTrainer
from nip.trainers.text.preference_pairs import PairRule, pair_rules
from nip.trainers.text.response_advantages import (
    Group,
    Response,
    advantages_over,
    groups_of,
    relative_advantages,
    updated_baseline,
    weight_labels,
)
from nip.trainers.text.tree_statistics import (
    INFORMATIVE,
    REWARD,
    tree_statistic_names,
    tree_statistics,
)
from nip.utils.nested_array_dict import NestedArrayDict

_METRICS = (REWARD, INFORMATIVE)


@register_trainer("pure_text_grpo")
class PureTextGrpoTrainer(PureTextRlTrainer):
    """Group-relative policy gradients of each agent.

    Each training rollout is a tree with ``pure_text_grpo.num_responses_per_timestep`` responses at
    each decision point. The reward of a response for an agent is the agent's reward averaged over
    the finished and valid leaves below; its advantage is relative to the other responses at the
    same point, or to a running mean of the agent. With ``pure_text_grpo.invalid_reward``, invalid
    answers are further responses, which enter nothing else. Jobs take a clipped policy gradient
    with a KL penalty towards the base model, and start from the model that has sampled.

    References
    ----------
    Shao et al.: DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models
    (2024).
    """

    def __init__(
        self,
        hyper_params: HyperParameters,
        scenario_instance: PureTextScenarioInstance,
        settings: ExperimentSettings,
        run: Run | None = None,
    ) -> None:
        super().__init__(hyper_params, scenario_instance, settings, run)
        self._baselines: Mapping[str, float] = {}
        for group in self.shared_model_groups.values():
            # The ratios of the loss are to the probabilities of the model that has sampled.
            group.fine_tune_from_scratch = False

    def check(self) -> None:
        """Refuse agents that learn although all their responses to a dialogue are equal."""
        super().check()
        for name, agent in self.scenario_instance.agents.items():
            if agent.params.temperature == 0 and not agent.params.freeze_agent:
                raise ParameterError(
                    f"agents.{name}.temperature must be above 0 with trainer='pure_text_grpo', "
                    "which compares different responses to one dialogue, got 0. Set it to 1, or "
                    f"agents.{name}.freeze_agent=true."
                )

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the base class, and the baselines of the agents."""
        return {**super().state_dict(), "baselines": dict(self._baselines)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        super().load_state_dict(state)
        self._baselines = dict(state["baselines"])

    def _stage_create_fine_tune_jobs(self, rollouts: NestedArrayDict) -> None:
        """Compute the advantages of each agent, and create a job for each model group."""
        params = self.hyper_params.pure_text_grpo
        groups = self._groups()
        self._baselines = self._updated_baselines(groups)
        for group in self.shared_model_groups.values():
            earlier = self._earlier_models(group)
            group.create_policy_gradient_fine_tune_job(
                {
                    agent: self._examples(agent, groups[agent], group, earlier)
                    for agent in group.agent_names
                },
                PolicyGradientOptions(
                    clip_epsilon=params.clip_epsilon,
                    kl_coefficient=params.kl_coefficient,
                    reference_model=group.base_model.model_name,
                    earlier_models=earlier,
                ),
            )

    def _groups(self) -> dict[str, list[Group]]:
        """Return the responses of each agent in all iterations that it learns from."""
        rules = self._rules()
        first = {rule.agent: self._first_iteration(rule.agent) for rule in rules}
        found: dict[str, list[Group]] = {rule.agent: [] for rule in rules}
        for iteration in range(min(first.values()), self.state.iteration + 1):
            for root in self._stored.trees(iteration):
                for rule in rules:
                    if iteration >= first[rule.agent]:
                        found[rule.agent] += groups_of(
                            root, rule, iteration, invalid_reward=self._invalid_reward
                        )
        return found

    def _rules(self) -> Sequence[PairRule]:
        """Return which responses of each agent have a reward."""
        is_rewarded = self.hyper_params.pure_text_grpo.invalid_reward is not None
        invalid_answers = self._stored.invalid_answers if is_rewarded else None
        return pair_rules(self.protocol_handler, invalid_answers)

    @property
    def _invalid_reward(self) -> float:
        return self.hyper_params.pure_text_grpo.invalid_reward or 0.0

    def _updated_baselines(self, groups: Mapping[str, list[Group]]) -> dict[str, float]:
        """Return the running means with the responses of this iteration."""
        decay, last = self.hyper_params.pure_text_grpo.baseline_decay, self.state.iteration
        found = {}
        for agent, own in groups.items():
            latest = [group for group in own if group[0].iteration == last]
            baseline = updated_baseline(self._baselines.get(agent), latest, decay)
            if baseline is not None:
                found[agent] = baseline
        return found

    def _earlier_models(self, group: PureTextSharedModelGroup) -> tuple[str, ...]:
        """Return the models of a group, other than the present one, that it learns from."""
        first = min(map(self._first_iteration, group.agent_names))
        models = [models[group.name] for models in self.state.models[first:]]
        return tuple(dict.fromkeys(each for each in models if each != group.model_name))

    def advantages(self, agent: str, groups: Sequence[Group]) -> list[Response]:
        """Return the responses to learn from, with their advantages.

        Override it for another estimate.

        Parameters
        ----------
        agent : str
            Name of the agent.
        groups : sequence of tuple of Response
            Its responses to each dialogue, with their rewards.
        """
        params = self.hyper_params.pure_text_grpo
        if params.baseline == "group":
            responses = relative_advantages(groups, params.scale_rewards)
        elif agent in self._baselines:
            responses = advantages_over(self._baselines[agent], groups, params.scale_rewards)
        else:
            return []
        if agent == VERIFIER and params.reject_weight is not None:
            return weight_labels(responses, groups, params.reject_weight)
        return responses

    def _examples(
        self,
        agent: str,
        groups: list[Group],
        group: PureTextSharedModelGroup,
        earlier: tuple[str, ...],
    ) -> Iterator[ScoredResponse]:
        """Yield the training examples of an agent."""
        dataset = self._stored.dataset("train")
        temperature = self.scenario_instance.agents[agent].params.temperature
        policies = {name: number for number, name in enumerate((group.model_name, *earlier))}
        for each in self.advantages(agent, groups):
            rollout = each.root.rollout
            conversation = Conversation(
                self.scenario_instance.rules, dataset[rollout.datapoint], rollout.seed
            )
            prompt = conversation.messages_for(
                agent, each.message.round, each.node.rollout.messages
            )
            yield ScoredResponse(
                prompt,
                each.message.text,
                each.advantage,
                temperature=1.0 if temperature is None else temperature,
                is_cut=each.message.is_cut,
                policy=policies[self.state.models[each.iteration][group.name]],
            )

    def _training_statistics(self) -> dict[str, float]:
        return tree_statistics(
            self._stored.trees(self.state.iteration),
            self._rules(),
            self.scenario_instance.rules.episode,
            _METRICS,
            invalid_reward=self._invalid_reward,
        )

    def _training_statistic_names(self) -> frozenset[str]:
        return tree_statistic_names(self.scenario_instance.rules.episode, _METRICS)
