"""Rewards of each agent, from the common parameters and the rules of the protocol."""

from nip.parameters import CommonProtocolParameters
from nip.protocols.rules import VERIFIER, AgentRewards, ProtocolRules


def verifier_rewards(common: CommonProtocolParameters) -> AgentRewards:
    """Return the rewards of the verifier: for a correct, a wrong and a missing decision."""
    right, wrong = common.verifier_reward, common.verifier_incorrect_penalty
    return AgentRewards(
        decided=((right, wrong), (wrong, right)),
        terminated=common.verifier_terminated_penalty,
        no_guess=common.verifier_no_guess_reward,
    )


def prover_rewards(common: CommonProtocolParameters, goal: int) -> AgentRewards:
    """Return the rewards of a prover, which is paid for one decision whatever the label.

    ``goal`` is the decision that pays: 0 (reject) or 1 (accept).
    """
    row = (0.0, common.prover_reward) if goal == 1 else (common.prover_reward, 0.0)
    return AgentRewards(decided=(row, row), terminated=common.prover_terminated_penalty)


def rewards_of_agents(
    rules: ProtocolRules, common: CommonProtocolParameters
) -> dict[str, AgentRewards]:
    """Return the rewards of each agent.

    A table in ``rules.rewards`` takes precedence over the common parameters.
    ``protocol_common.shared_reward`` takes precedence over both: every prover then earns what the
    verifier earns. An agent that is neither prover nor verifier earns 0 unless it has a table.
    """
    earned = {}
    for agent in rules.agents:
        if agent in rules.provers:
            default = prover_rewards(common, rules.prover_goals.get(agent, 1))
        elif agent == VERIFIER:
            default = verifier_rewards(common)
        else:
            default = AgentRewards(decided=((0.0, 0.0), (0.0, 0.0)))
        earned[agent] = rules.rewards.get(agent, default)
    if common.shared_reward:
        earned.update(dict.fromkeys(rules.provers, earned[VERIFIER]))
    return earned
