"""A debate in which the seed tosses who opens, and in which the loser pays the winner."""

from dataclasses import dataclass

from nip.parameters import SubParameters, register_parameter_class
from nip.parameters.types import Count, NonNegative
from nip.protocols import AgentRewards, ProtocolHandler, ProtocolRules, register_protocol


@register_parameter_class
@dataclass
class ZeroSumDebateParameters(SubParameters):
    """What can be set about a zero-sum debate."""

    num_exchanges: Count = 1
    """How often each prover speaks before the verifier decides."""

    stake: NonNegative = 1.0
    """What the loser pays the winner."""


@register_protocol("zero_sum_debate", parameters=ZeroSumDebateParameters)
class ZeroSumDebateProtocol(ProtocolHandler):
    """Two provers take turns on one channel; the verifier listens and then decides once."""

    def make_rules(self) -> ProtocolRules:
        """State the protocol."""
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
                # A row for each label (0, 1), in it a reward for each decision (0, 1).
                "prover0": AgentRewards(decided=((stake, -stake), (stake, -stake))),
                "prover1": AgentRewards(decided=((-stake, stake), (-stake, stake))),
            },
        )
