"""The rewards of each agent, from the common parameters and from what the protocol states."""

import numpy as np
from numpy.typing import NDArray

from nip.parameters import CommonProtocolParameters
from nip.protocols.rules import VERIFIER, AgentRewards, ProtocolRules


def verifier_rewards(common: CommonProtocolParameters) -> AgentRewards:
    """Pay a right decision, and make a wrong one and a missing one cost."""
    right, wrong = common.verifier_reward, common.verifier_incorrect_penalty
    return AgentRewards(
        decided=((right, wrong), (wrong, right)),
        terminated=common.verifier_terminated_penalty,
        no_guess=common.verifier_no_guess_reward,
    )


def prover_rewards(common: CommonProtocolParameters, goal: int) -> AgentRewards:
    """Pay a prover for one decision, whatever the label; ``goal`` is 0 (reject) or 1 (accept)."""
    row = (0.0, common.prover_reward) if goal == 1 else (common.prover_reward, 0.0)
    return AgentRewards(decided=(row, row))


def rewards_of_agents(
    rules: ProtocolRules, common: CommonProtocolParameters
) -> dict[str, AgentRewards]:
    """Return what each agent earns.

    A table in ``rules.rewards`` goes before the common parameters. Shared rewards go before
    both: every prover then earns exactly what the verifier earns. An agent that is neither
    prover nor verifier earns nothing unless it has a table of its own.
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


def decided_table(rewards: dict[str, AgentRewards]) -> NDArray[np.float64]:
    """Stack the rewards of decisions: (agent, label, decision)."""
    return np.array([reward.decided for reward in rewards.values()], dtype=np.float64)


def terminated_table(rewards: dict[str, AgentRewards]) -> NDArray[np.float64]:
    """Stack the rewards of running out of rounds: (agent,)."""
    return np.array([reward.terminated for reward in rewards.values()], dtype=np.float64)


def no_guess_table(rewards: dict[str, AgentRewards]) -> NDArray[np.float64]:
    """Stack the rewards of going on where a decision was possible: (agent,)."""
    return np.array([reward.no_guess for reward in rewards.values()], dtype=np.float64)
