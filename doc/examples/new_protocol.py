"""A zero-sum debate, in which the seed decides which prover starts."""

from dataclasses import dataclass

from nip.parameters import SubParameters, register_parameter_class
from nip.parameters.types import Count, NonNegative
from nip.protocols import AgentRewards, ProtocolHandler, ProtocolRules, register_protocol


@register_parameter_class
@dataclass
class ZeroSumDebateParameters(SubParameters):
    """Parameters of the zero-sum debate."""

    num_exchanges: Count = 1
    """Number of messages of each prover before the verifier decides."""

    stake: NonNegative = 1.0
    """Reward of the winner, and penalty of the loser."""


@register_protocol("zero_sum_debate", parameters=ZeroSumDebateParameters)
class ZeroSumDebateProtocol(ProtocolHandler):
    """Two provers take turns on one channel; the verifier reads and decides in the last round."""

    def make_rules(self) -> ProtocolRules:
        """Return the rules of the protocol."""
        params: ZeroSumDebateParameters = self.hyper_params.zero_sum_debate
        everybody = ("prover0", "prover1", "verifier")
        prover0, prover1, verifier = ({agent: ("main",)} for agent in everybody)
        stake = params.stake
        return ProtocolRules(
            agents=everybody,
            channels={"main": everybody},
            timetables=(
                (prover0, prover1) * params.num_exchanges + (verifier,),
                (prover1, prover0) * params.num_exchanges + (verifier,),
            ),
            max_message_rounds=2 * params.num_exchanges + 1,
            prover_goals={"prover0": 0, "prover1": 1},
            rewards={
                # One row per label (0, 1), with the reward of each decision (0, 1).
                "prover0": AgentRewards(decided=((stake, -stake), (stake, -stake))),
                "prover1": AgentRewards(decided=((-stake, stake), (-stake, stake))),
            },
        )
