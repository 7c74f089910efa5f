"""Groups of agents that share one model, and the fine-tuned versions of that model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from nip.errors import ParameterError
from nip.language_models.chat import ChatMessage, ModelSpec
from nip.language_models.fine_tuning.backend import PolicyGradientOptions
from nip.language_models.fine_tuning.datasets import (
    FineTuningDataset,
    Preference,
    ScoredResponse,
    policy_gradient_dataset,
    preference_dataset,
    supervised_dataset,
)
from nip.language_models.provider_registry import names_code
from nip.scenario_base.text.agent import TextAgent
from nip.utils.nested_array_dict import NestedArrayDict


class FineTuningService(Protocol):
    """Creates training conversations and fine-tuning jobs for a group; the trainer provides it."""

    iteration: int
    """Index of the current iteration, from 0."""

    def conversations(
        self, agent_name: str, rollouts: NestedArrayDict, *, verdict_becomes_truth: bool = False
    ) -> list[list[ChatMessage]]:
        """Return each rollout as the agent saw it, ending with its last message."""

    def create_job(
        self,
        group: PureTextSharedModelGroup,
        dataset: FineTuningDataset,
        beta: float | None = None,
        policy_gradient: PolicyGradientOptions | None = None,
    ) -> None:
        """Create the group's job of the present iteration, unless it exists already.

        ``beta`` is the weight of the KL penalty of a job that learns preferences, and
        ``policy_gradient`` has the options of one with that method.
        """


class PureTextSharedModelGroup:
    """A group of agents that share one model.

    Parameters
    ----------
    name : str
        Name of the group: ``shared_model_group`` of its agents, or the name of its only agent.
    agents : sequence of TextAgent
        The agents, which all start with the same model.
    """

    def __init__(self, name: str, agents: Sequence[TextAgent]) -> None:
        first = agents[0]
        self.name = name
        self.agent_names = tuple(agent.name for agent in agents)
        self.base_model = first.model
        self.model = first.model
        self.is_frozen = first.params.freeze_agent
        self._schedules = {agent.name: agent.params.update_schedule for agent in agents}
        self.fine_tune_from_scratch = first.params.fine_tune_from_scratch
        self.n_epochs = first.params.n_epochs
        self.learning_rate_multiplier = first.params.learning_rate_multiplier
        self.service: FineTuningService | None = None

    def learners(self, iteration: int) -> tuple[str, ...]:
        """Return the agents that learn in an iteration, given by its index, from 0."""
        return tuple(
            name for name, schedule in self._schedules.items() if schedule.is_active(iteration)
        )

    @property
    def model_name(self) -> str:
        """Name of the model that the agents use at present."""
        return self.model.model_name

    @property
    def model_to_fine_tune(self) -> ModelSpec:
        """Model from which the next fine-tuning starts."""
        return self.base_model if self.fine_tune_from_scratch else self.model

    def use_model(self, model_name: str) -> None:
        """Switch the agents to another model of the same service, see ``version``."""
        self.model = self.version(model_name)

    def version(self, model_name: str) -> ModelSpec:
        """Return the base model or a fine-tuned version of it.

        Raises
        ------
        ParameterError
            If the name would be that of code. Names come from the state of a run, which is data.
        """
        base = self.base_model.model_name
        if model_name != base and names_code(self.base_model.provider):
            raise ParameterError(
                f"The stored state of the run names the model {model_name!r} for "
                f"{', '.join(self.agent_names)}, which is not the given {base!r}. With "
                f"model_provider={self.base_model.provider!r} it would be executed, so it is "
                "refused. Start a new run, with this model_name if it is what you want."
            )
        return replace(
            self.base_model,
            model_name=model_name,
            fine_tuned_from=None if model_name == base else base,
        )

    def create_supervised_fine_tune_job(
        self,
        rollouts_per_agent: Mapping[str, NestedArrayDict],
        *,
        replaced_per_agent: Mapping[str, NestedArrayDict] | None = None,
    ) -> None:
        """Fine-tune the model on the last messages of its agents in these rollouts.

        The job is created only once, also when an interrupted run is resumed. A group of frozen
        agents creates no job. An agent whose update schedule pauses in this iteration does not
        learn; if all of a group pause, it creates no job.

        Parameters
        ----------
        rollouts_per_agent : mapping from str to NestedArrayDict
            Rollouts to learn from, by agent, batch ``(rollout,)``. A rollout that occurs twice
            becomes two examples. Agents may be missing.
        replaced_per_agent : mapping from str to NestedArrayDict, optional
            Further rollouts, in which the agent's verdict is replaced by the true label.

        Raises
        ------
        LanguageModelError
            If the job cannot be created and ``fine_tuning.on_failure`` is ``stop``.
        """
        service = self._connected_service()
        learners = self._present_learners(service)
        if not learners:
            return
        conversations = []
        for given, becomes_truth in ((rollouts_per_agent, False), (replaced_per_agent or {}, True)):
            for agent_name in learners:
                if agent_name in given:
                    conversations += service.conversations(
                        agent_name, given[agent_name], verdict_becomes_truth=becomes_truth
                    )
        service.create_job(self, supervised_dataset(conversations))

    def create_preference_fine_tune_job(
        self,
        preferences_per_agent: Mapping[str, Iterable[Preference]],
        *,
        beta: float | None = None,
    ) -> None:
        """Fine-tune the model on preferences between messages of its agents (DPO).

        Jobs are created as in ``create_supervised_fine_tune_job``.

        Parameters
        ----------
        preferences_per_agent : mapping from str to iterable of Preference
            Pairs to learn from, by agent; only those of agents that learn are read. Agents may be
            missing.
        beta : float, optional
            Weight of the KL penalty towards the model before; None: the service chooses.

        Raises
        ------
        LanguageModelError
            If the job cannot be created and ``fine_tuning.on_failure`` is ``stop``.
        """
        service = self._connected_service()
        learners = self._present_learners(service)
        if learners:
            preferences = [
                each for name in learners for each in preferences_per_agent.get(name, ())
            ]
            service.create_job(self, preference_dataset(preferences), beta)

    def create_policy_gradient_fine_tune_job(
        self,
        responses_per_agent: Mapping[str, Iterable[ScoredResponse]],
        options: PolicyGradientOptions,
    ) -> None:
        """Fine-tune the model by policy gradients, from responses of its agents with advantages.

        Jobs are created as in ``create_supervised_fine_tune_job``.

        Parameters
        ----------
        responses_per_agent : mapping from str to iterable of ScoredResponse
            Responses to learn from, by agent; only those of agents that learn are read. Agents may
            be missing.
        options : PolicyGradientOptions
            Options of the job.

        Raises
        ------
        LanguageModelError
            If the job cannot be created and ``fine_tuning.on_failure`` is ``stop``.
        """
        service = self._connected_service()
        learners = self._present_learners(service)
        if learners:
            responses = [each for name in learners for each in responses_per_agent.get(name, ())]
            dataset = policy_gradient_dataset(responses)
            service.create_job(self, dataset, policy_gradient=options)

    def _connected_service(self) -> FineTuningService:
        assert self.service is not None, "a trainer connects its groups before it uses them"
        return self.service

    def _present_learners(self, service: FineTuningService) -> tuple[str, ...]:
        return () if self.is_frozen else self.learners(service.iteration)


def build_shared_model_groups(
    agents: Mapping[str, TextAgent],
) -> dict[str, PureTextSharedModelGroup]:
    """Build the groups by name, in the order of their first agents.

    An agent without ``shared_model_group`` forms its own group.

    Raises
    ------
    ParameterError
        If a group has the name of an agent that is not in it.
    """
    members: dict[str, list[TextAgent]] = {}
    for agent in agents.values():
        group = agent.params.shared_model_group or agent.name
        if (
            group in agents
            and agent.name != group
            and agents[group].params.shared_model_group != group
        ):
            raise ParameterError(
                f"agents.{agent.name}.shared_model_group must not be the name of an agent outside "
                f"the group, got {group!r}. Choose another name, or set "
                f"agents.{group}.shared_model_group={group!r} as well."
            )
        members.setdefault(group, []).append(agent)
    return {name: PureTextSharedModelGroup(name, members[name]) for name in members}
