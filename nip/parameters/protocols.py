"""Parameters of the interaction protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.specs import protocol_specs, trainer_specs
from nip.parameters.types import Count, NonNegative
from nip.utils.memory_limit import MemoryNeed

if TYPE_CHECKING:
    from nip.parameters.tree.hyper_parameters import HyperParameters


BYTES_OF_ROUND = {False: 3, True: 200}
"""Least size of one round: in tables of an agent and a channel, and for texts also in lists."""

PolicyDistance = Literal["kl", "total_variation", "cosine"]
"""Measures of how different the probabilities of two agents are."""

ADVERSARIAL_VERIFIER = "adversarial_verifier"
"""Agent under ``zero_knowledge`` that tries to learn more from the provers than the answer."""

SIMULATOR = "simulator"
"""Agent under ``zero_knowledge`` that imitates the adversarial verifier without any prover."""

_WITHOUT_EPISODES = "with a trainer whose agents answer alone and play no episodes"


def _plays_no_episodes(_: SubParameters, hyper_params: HyperParameters) -> bool:
    return not trainer_specs[hyper_params.trainer].plays_episodes


@register_parameter_class
@dataclass
class CommonProtocolParameters(SubParameters):
    """Rewards and rules shared by most protocols."""

    verifier_first: bool = True
    """Whether the verifier speaks before the provers."""

    prover_reward: float = 1.0
    """Reward of a prover when the decision is the one that it argues for."""

    prover_terminated_penalty: float = 0.0
    """Reward of a prover when the rounds run out before the verifier has decided."""

    verifier_reward: float = 1.0
    """Reward of the verifier for a correct decision."""

    verifier_incorrect_penalty: float = -1.0
    """Reward of the verifier for a wrong decision."""

    verifier_terminated_penalty: float = -1.0
    """Reward of the verifier when the rounds run out before it has decided."""

    verifier_no_guess_reward: float = 0.0
    """Reward of the verifier in each round in which it may decide but does not."""

    randomize_prover_stance: bool = False
    """Draw for each question the decision that the prover argues for (text, one prover)."""

    shared_reward: bool = False
    """Give the provers the reward of the verifier, so that all cooperate."""

    force_guess: Literal["zero", "one", "y"] | None = None
    """Replace the verifier's decision by 0, by 1, or by the true label; None: let it decide."""

    zero_knowledge: bool = False
    """Add an adversarial verifier and a simulator, and pay provers for revealing nothing."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            (
                "verifier_first",
                "prover_reward",
                "prover_terminated_penalty",
                "verifier_reward",
                "verifier_incorrect_penalty",
                "verifier_terminated_penalty",
                "verifier_no_guess_reward",
                "randomize_prover_stance",
                "shared_reward",
                "force_guess",
            ),
            _WITHOUT_EPISODES,
            _plays_no_episodes,
        ),
        UnusedOptionRule(
            ("prover_reward", "prover_terminated_penalty", "randomize_prover_stance"),
            "with protocol_common.shared_reward=True",
            lambda common, _: common.shared_reward,
        ),
    )


@register_parameter_class
@dataclass
class ZkProtocolParameters(SubParameters):
    """Parameters of ``protocol_common.zero_knowledge``."""

    distance: PolicyDistance = "kl"
    """Measure of how alike the simulator and the adversarial verifier choose."""

    simulator_reward_coefficient: NonNegative = 1.0
    """Factor of their similarity in the reward of the simulator; the other loses as much."""

    aux_prover_reward_coefficient: NonNegative = 1.0
    """Share of the simulator's reward that each prover receives as well."""

    unused_rules: ClassVar[tuple[UnusedOptionRule, ...]] = (
        UnusedOptionRule(
            ("distance", "simulator_reward_coefficient", "aux_prover_reward_coefficient"),
            "unless protocol_common.zero_knowledge=True",
            lambda _, hyper_params: not hyper_params.protocol_common.zero_knowledge,
        ),
        UnusedOptionRule(
            ("distance", "simulator_reward_coefficient", "aux_prover_reward_coefficient"),
            _WITHOUT_EPISODES,
            _plays_no_episodes,
        ),
        UnusedOptionRule(
            ("distance", "aux_prover_reward_coefficient"),
            "with zk_protocol.simulator_reward_coefficient=0",
            lambda zk, _: zk.simulator_reward_coefficient == 0,
        ),
    )


@dataclass
class MessageRoundsParameters(SubParameters):
    """Limits on the number of rounds."""

    max_message_rounds: Count = 8
    """Maximum number of rounds."""

    min_message_rounds: Count = 1
    """Minimum number of rounds before a decision counts."""

    unused_rules: ClassVar[tuple[UnusedOptionRule, ...]] = (
        UnusedOptionRule(("min_message_rounds",), _WITHOUT_EPISODES, _plays_no_episodes),
    )

    def memory_needs(
        self, at: Callable[[str], str], hyper_params: SubParameters
    ) -> Iterator[MemoryNeed]:
        """State the size of the timetable: who writes on which channel, and who may decide."""
        if num_rounds(hyper_params) == (at("max_message_rounds"), self.max_message_rounds):
            options = {at("max_message_rounds"): self.max_message_rounds}
            each = BYTES_OF_ROUND[trainer_specs[hyper_params.get("trainer")].data == "text"]
            yield MemoryNeed("the timetable", options, each * self.max_message_rounds)

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require that there is a round in which a decision counts."""
        if self.min_message_rounds > self.max_message_rounds:
            yield (
                f"{at('min_message_rounds')} must be at most {at('max_message_rounds')} "
                f"({self.max_message_rounds}), got {self.min_message_rounds}. Lower it, or allow "
                f"more rounds."
            )


def agents_in(hyper_params: SubParameters) -> tuple[str, ...] | None:
    """Return all agents of an experiment, in their order; None if its protocol does not state them.

    These are also the agents of zero knowledge.
    """
    agents = protocol_specs[hyper_params.get("interaction_protocol")].agents
    if agents is None or not hyper_params.get("protocol_common.zero_knowledge"):
        return agents
    return (*agents, ADVERSARIAL_VERIFIER, SIMULATOR)


def num_rounds(hyper_params: SubParameters) -> tuple[str, int]:
    """Return name and value of the option that sets the number of rounds of an episode.

    Without a single one, the name is empty, and the number the least possible, 1.
    """
    spec = protocol_specs[hyper_params.get("interaction_protocol")]
    names = {name.partition(".")[0] for name in (*(spec.reads or ()), spec.parameter_group or "")}
    found = [
        (f"{name}.max_message_rounds", group.max_message_rounds)
        for name in sorted(filter(None, names))
        if isinstance(group := hyper_params.get(name), MessageRoundsParameters)
    ]
    return found[0] if len(found) == 1 else ("", 1)


@register_parameter_class
@dataclass
class NipProtocolParameters(MessageRoundsParameters):
    """Parameters of the ``nip`` protocol: one prover and the verifier take turns."""


@dataclass
class TwoProversParameters(MessageRoundsParameters):
    """Number of rounds and speaking order with two provers."""

    sequential: bool = False
    """Let the provers speak one after another instead of in the same round."""

    prover0_first: bool = True
    """Whether ``prover0`` is the first of the two when they speak one after another."""

    randomize_channel_order: bool = True
    """Shuffle, for each episode, the order in which the verifier reads the channels (text)."""

    unused_rules: ClassVar[tuple[UnusedOptionRule, ...]] = (
        *MessageRoundsParameters.unused_rules,
        UnusedOptionRule(("sequential", "prover0_first"), _WITHOUT_EPISODES, _plays_no_episodes),
        UnusedOptionRule(
            ("randomize_channel_order",),
            "with a trainer of networks",
            lambda _, hyper_params: trainer_specs[hyper_params.trainer].data == "tensordict",
        ),
    )


@register_parameter_class
@dataclass
class DebateProtocolParameters(TwoProversParameters):
    """Parameters of the ``debate`` protocol: two provers argue for opposite decisions."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("prover0_first",),
            "unless debate_protocol.sequential=True",
            lambda params, _: not params.sequential,
        ),
        *TwoProversParameters.unused_rules,
    )


@register_parameter_class
@dataclass
class MnipProtocolParameters(TwoProversParameters):
    """Parameters of the ``mnip`` protocol: two provers that do not hear each other."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("prover0_first",),
            "unless mnip_protocol.sequential=True",
            lambda params, _: not params.sequential,
        ),
        *TwoProversParameters.unused_rules,
    )
