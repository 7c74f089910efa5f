"""Rules of the dialogues of one experiment: episodes, agent specs, prompts and decision scale."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from nip.errors import ParameterError, ProtocolError
from nip.parameters import HyperParameters
from nip.parameters.text_agents import TextAgentParameters
from nip.protocols.handler import ProtocolHandler
from nip.protocols.incentives import pays_against
from nip.protocols.rules import VERIFIER
from nip.scenario_base.text.agent_spec import TextAgentSpec
from nip.scenario_base.text.answers.decision_scales import DecisionScale, find_scale
from nip.scenario_base.text.answers.parsing import header_key
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.episode_rules import EpisodeRules
from nip.scenario_base.text.prompts import PromptNeeds, PromptTemplate, check_prompt, load_prompt
from nip.scenario_base.text.shown_names import check_shown_names, is_label

MarkMessage = Callable[[TextDatapoint, str, str], str]
"""Returns the form in which others read a message, given the datapoint, the agent and the text."""


@dataclass(frozen=True)
class DialogueOptions:
    """Options of dialogues that a scenario can expose to its users."""

    decision_scale: str = "accept_reject"
    """Name of the scale on which the verifier decides."""

    linear_reward: bool = False
    """Whether rewards are proportional to the verdict's position on the scale."""

    prompt_folder: Path | None = None
    """Folder of system prompts to use instead of the scenario's own."""

    judged: str = "solution"
    """Noun for what the verifier judges, in the sentences about the agents' rewards."""

    mark_message: MarkMessage | None = None
    """Marks that the environment adds to a message, such as whether a quotation is accurate."""


@dataclass(frozen=True)
class DialogueRules:
    """Rules of the dialogues of one experiment.

    Raises
    ------
    ProtocolError
        If the specs do not fit the protocol.
    ParameterError
        If a prompt cannot be rendered or lacks required information.
    """

    episode: EpisodeRules
    """Turns, decisions and rewards."""

    specs: Mapping[str, TextAgentSpec]
    """Spec of each agent."""

    prompts: Mapping[str, PromptTemplate]
    """Template of the system prompt of each agent."""

    scale: DecisionScale
    """Scale of the verifier's decision."""

    max_response_words: Mapping[str, int]
    """Requested maximum length of each agent's messages, in words."""

    quotes_messages: bool = True
    """Whether each line of another agent's message begins with ``> ``. Not so in runs of earlier
    versions, which are continued as they began."""

    judged: str = "solution"
    """Noun for what the verifier judges."""

    mark_message: MarkMessage | None = None
    """Marks that the environment adds to each message before others read it."""

    def __post_init__(self) -> None:
        for agent in self.protocol.agent_names:
            self._check_spec(agent)
            needs = PromptNeeds(
                decides=agent == VERIFIER,
                headers=tuple(self.specs[agent].headers.values()) if self.splits(agent) else (),
                has_random_stance=self.episode.has_random_stance
                and agent in (VERIFIER, *self.protocol.prover_names),
                texts=self.specs[agent].sees,
            )
            check_prompt(self.prompts[agent], needs)
        check_shown_names({agent: self.specs[agent] for agent in self.protocol.agent_names})

    @property
    def protocol(self) -> ProtocolHandler:
        """The protocol."""
        return self.episode.protocol

    @cached_property
    def channels_at_once(self) -> dict[str, frozenset[str]]:
        """For each agent, the channels of rounds in which it writes on several channels."""
        protocol = self.protocol
        found: dict[str, set[str]] = {agent: set() for agent in protocol.agent_names}
        for variant in range(protocol.num_variants):
            for round in range(protocol.num_episode_rounds):
                for agent, channels in self.episode.writers(round, variant).items():
                    if len(channels) > 1:
                        found[agent] |= set(channels)
        return {agent: frozenset(channels) for agent, channels in found.items()}

    def side(self, agent: str, stance: int) -> int | None:
        """Return the decision for which an agent argues, given the datapoint's stance, or None."""
        is_stated = self.specs[agent].stance is not None and not self._takes_no_stated_side(agent)
        return self.specs[agent].stance if is_stated else self.episode.goal(agent, stance)

    def splits(self, agent: str) -> bool:
        """Return whether an agent ever writes on several channels in one round."""
        return bool(self.channels_at_once[agent])

    @property
    def digest(self) -> str:
        """SHA-256 of the prompts and specs of all agents, and of the form of messages."""
        said: list[object] = [
            [agent, self.prompts[agent].text, _described(self.specs[agent])]
            for agent in self.protocol.agent_names
        ]
        if self.judged != "solution":
            said.append(["judged", self.judged])
        if self.quotes_messages:
            said.append("quoted")
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def _takes_no_stated_side(self, agent: str) -> bool:
        """Return whether the experiment replaces the side that the spec of an agent states."""
        common = self.protocol.common
        is_prover = agent in self.protocol.prover_names
        return is_prover and (common.shared_reward or self.episode.has_random_stance)

    def _check_stance(self, agent: str) -> None:
        stance = self.specs[agent].stance
        if stance is None or self._takes_no_stated_side(agent):
            return
        rewards = self.episode.rewards_of(agent, stance)
        if pays_against(rewards, stance):
            against = [label for label, row in enumerate(rewards) if row[stance] < row[1 - stance]]
            raise ProtocolError(
                f"The spec of {agent!r} has stance={stance}, but the protocol "
                f"{self.protocol.name!r} rewards the decision {1 - stance}"
                f"{f' for the label {against[0]}' if len(against) == 1 else ''}: {rewards!r} (by "
                "label and decision). Change the rewards or the stance, or omit the stance, so "
                "that its prompt follows from the rewards."
            )

    def _check_spec(self, agent: str) -> None:
        name = self.protocol.name
        if agent not in self.specs:
            raise ProtocolError(
                f"The agent {agent!r} of the protocol {name!r} has no spec; there are specs of "
                f"{', '.join(self.specs)}. Add a TextAgentSpec for it."
            )
        spec = self.specs[agent]
        self._check_stance(agent)
        headers = [header_key(header) for header in spec.headers.values()]
        lacking = sorted(self.channels_at_once[agent] - set(spec.headers))
        is_unclear = len(set(headers)) < len(headers) or "" in headers
        if lacking or is_unclear or not all(map(is_label, spec.headers.values())):
            missing = f"; missing: {lacking}" if lacking else ""
            raise ProtocolError(
                f"The spec of {agent!r} has headers={dict(spec.headers)!r}, but in the protocol "
                f"{name!r} it writes on several channels at once. Give each of them a "
                f"header of its own, one line without brackets{missing}."
            )


def make_dialogue_rules(
    hyper_params: HyperParameters,
    protocol: ProtocolHandler,
    specs: Mapping[str, TextAgentSpec],
    builtin_prompts: Path | str | None,
    options: DialogueOptions | None = None,
) -> DialogueRules:
    """Build the rules of an experiment's dialogues.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment.
    protocol : ProtocolHandler
        The protocol.
    specs : mapping
        Spec of each agent.
    builtin_prompts : Path or str, optional
        Folder of the scenario's built-in templates, for agents whose spec has no prompt.
    options : DialogueOptions, optional
        Options chosen by the user.
    """
    options = options or DialogueOptions()
    prompts, words = {}, {}
    for agent, spec in specs.items():
        if options.prompt_folder is not None:
            prompts[agent] = load_prompt(options.prompt_folder, protocol.name, agent)
        elif spec.prompt is not None:
            source = f"{protocol.name}/{agent}"
            prompts[agent] = PromptTemplate(source, spec.prompt.strip())
        elif builtin_prompts is None:
            raise ParameterError(
                f"Agent {agent!r} of protocol {protocol.name!r} has no system prompt: the class "
                f"of scenario {hyper_params.scenario!r} has no attribute `prompts`, and the "
                "agent's TextAgentSpec no `prompt`. Set `prompts` to the folder of "
                "<protocol>/<agent>.txt, or give the spec a prompt."
            )
        else:
            prompts[agent] = load_prompt(Path(builtin_prompts), protocol.name, agent)
        params = hyper_params.agents[agent]
        assert isinstance(params, TextAgentParameters), params
        words[agent] = params.max_response_words
    return DialogueRules(
        episode=EpisodeRules.of(protocol, is_linear=options.linear_reward),
        specs=dict(specs),
        prompts=prompts,
        scale=find_scale(options.decision_scale),
        max_response_words=words,
        judged=options.judged,
        mark_message=options.mark_message,
    )


def _described(spec: TextAgentSpec) -> dict[str, object]:
    """Return a spec as plain data, as runs of earlier versions have it in their digest."""
    fields = asdict(spec)
    if spec.sees == TextAgentSpec(shown_name="").sees:
        del fields["sees"]
    return fields
