"""Sentences about what the agents argue for and are rewarded for, derived from the rewards."""

from dataclasses import dataclass

from nip.protocols.incentives import DecidedRewards, Incentive, incentive_of
from nip.protocols.rules import VERIFIER
from nip.scenario_base.text.dialogue_rules import DialogueRules

VERDICTS = ("reject", "accept")
"""Verb of each decision."""

ENDS = ("rejection", "acceptance")
"""Name of the end of the scale of each decision."""

CLAIMS = ("wrong", "correct")
"""Adjective of what is judged that each decision claims."""

LINEAR = "In between, the reward depends linearly on where the decision lies on the scale."

_SIDE_OF = {Incentive.REJECTION: 0, Incentive.ACCEPTANCE: 1}


@dataclass(frozen=True)
class _Decider:
    """The agent that decides, as the grammar of a sentence needs it."""

    name: str
    """Its name, or "you"."""

    possessive: str
    """Its decision, as in "the decision of Verifier"."""

    ending: str
    """Ending of verbs."""

    pronoun: str
    """Its name when it is mentioned again."""


_YOU = _Decider("you", "your decision", "", "you")


def own_stance(rules: DialogueRules, agent: str, stance: int) -> str:
    """Tell an agent what it argues for and what it is rewarded for.

    ``stance`` is that of the datapoint; unused unless stances are randomised.
    """
    table = rules.episode.rewards_of(agent, stance)
    if agent == VERIFIER:
        sentence = _verifier_stance(rules, table)
    elif _shares_goal_with_verifier(rules, table, stance):
        verifier = rules.specs[VERIFIER].shown_name
        sentence = (
            f"You are on the same side as {verifier}: you are rewarded if the decision is right. "
            f"Help {verifier} to decide rightly."
        )
    else:
        decider = _named(rules.specs[VERIFIER].shown_name)
        claim = _claim(rules, "You argue", rules.side(agent, stance))
        sentence = f"{claim}{_reward(rules, table, 'You are', 'Your', decider)}"
    return sentence + _without_decision(rules, agent)


def stance_of_other(rules: DialogueRules, reader: str, agent: str, stance: int) -> str:
    """Tell a reader what an agent other than the verifier argues for and is rewarded for."""
    decider = _YOU if reader == VERIFIER else _named(rules.specs[VERIFIER].shown_name)
    name = rules.specs[agent].shown_name
    table = rules.episode.rewards_of(agent, stance)
    incentive, side = incentive_of(table), rules.side(agent, stance)
    if side is not None and side == _SIDE_OF.get(incentive):
        return (
            f"{name} argues that the {rules.judged} is {CLAIMS[side]}, and is rewarded if "
            f"{decider.name} {VERDICTS[side]}{decider.ending} it, whether or not it is "
            f"{CLAIMS[side]}{_in_proportion(rules, side)}."
        )
    if incentive is Incentive.TRUTH:
        return f"{name} is rewarded if {decider.possessive} is right.{_linearly(rules)}"
    reward = _reward(rules, table, f"{name} is", f"{name}'s", decider)
    return f"{_claim(rules, f'{name} argues', side)}{reward}"


def neutral_stance(rules: DialogueRules, agent: str, stance: int) -> str:
    """Describe the stance of any agent to a third party."""
    table = rules.episode.rewards_of(agent, stance)
    incentive, side = incentive_of(table), rules.side(agent, stance)
    if agent == VERIFIER:
        return _verifier_stance(rules, table)
    if incentive is Incentive.TRUTH:
        return "The agent is rewarded if the verifier decides rightly."
    if side is not None and side == _SIDE_OF.get(incentive):
        claim = f"argues that the {rules.judged} is {CLAIMS[side]}"
        return f"The agent {claim}, and is rewarded for that."
    reward = _reward(rules, table, "The agent is", "Its", _named("the verifier"))
    return f"{_claim(rules, 'The agent argues', side)}{reward}"


def linear_reward_note(rules: DialogueRules) -> str:
    """Tell the verifier how its reward depends on the scale, if it is linear; else nothing."""
    if not rules.episode.is_linear:
        return ""
    if incentive_of(rules.episode.rewards_of(VERIFIER, 0)) is not Incentive.TRUTH:
        return LINEAR
    return (
        "Your reward grows in proportion to how far your decision lies towards the right end of "
        "the scale."
    )


def _named(name: str) -> _Decider:
    return _Decider(name, f"the decision of {name}", "s", "it")


def _claim(rules: DialogueRules, argues: str, side: int | None) -> str:
    return "" if side is None else f"{argues} that the {rules.judged} is {CLAIMS[side]}. "


def _shares_goal_with_verifier(rules: DialogueRules, table: DecidedRewards, stance: int) -> bool:
    of_verifier = incentive_of(rules.episode.rewards_of(VERIFIER, stance))
    return incentive_of(table) is of_verifier is Incentive.TRUTH


def _verifier_stance(rules: DialogueRules, table: DecidedRewards) -> str:
    if incentive_of(table) is Incentive.TRUTH:
        return (
            "You are rewarded if your decision is right, that is, if you accept a correct "
            f"{rules.judged} or reject a wrong one."
        )
    return _reward(rules, table, "You are", "Your", _YOU)


def _reward(
    rules: DialogueRules, table: DecidedRewards, agent_is: str, whose: str, decider: _Decider
) -> str:
    """State what a table pays for.

    ``agent_is`` is for example "You are", ``whose`` "Your" or "Critic's".
    """
    reward = f"{whose} reward"
    incentive, verb = incentive_of(table), decider.ending
    if incentive in _SIDE_OF:
        side = _SIDE_OF[incentive]
        return (
            f"{agent_is} rewarded if {decider.name} {VERDICTS[side]}{verb} it, whether or not it "
            f"is {CLAIMS[side]}{_in_proportion(rules, side)}."
        )
    if incentive is Incentive.NOTHING:
        return f"{reward} does not depend on {decider.possessive}."
    if incentive is Incentive.MIXED:
        (reject_wrong, accept_wrong), (reject_correct, accept_correct) = table
        return (
            f"{reward} is {accept_correct:g} if {decider.name} accept{verb} a correct "
            f"{rules.judged}, {reject_correct:g} if {decider.pronoun} reject{verb} a correct one, "
            f"{accept_wrong:g} if {decider.pronoun} accept{verb} a wrong one, and "
            f"{reject_wrong:g} if {decider.pronoun} reject{verb} a wrong one.{_linearly(rules)}"
        )
    is_truth = incentive is Incentive.TRUTH
    accepted, rejected = ("correct", "wrong") if is_truth else ("wrong", "correct")
    return (
        f"{agent_is} rewarded if {decider.possessive} is {'right' if is_truth else 'wrong'}, that "
        f"is, if {decider.pronoun} accept{verb} a {accepted} {rules.judged} or reject{verb} a "
        f"{rejected} one.{_linearly(rules)}"
    )


def _without_decision(rules: DialogueRules, agent: str) -> str:
    """State the reward for no decision, which only the tables of a protocol give to an agent."""
    protocol = rules.protocol
    reward = protocol.terminated_reward[protocol.agent_names.index(agent)]
    is_shared = protocol.common.shared_reward and agent in protocol.prover_names
    if agent not in protocol.rules.rewards or is_shared or reward == 0:
        return ""
    return f" If the conversation ends without a decision, your reward is {reward:g}."


def _in_proportion(rules: DialogueRules, side: int) -> str:
    if not rules.episode.is_linear:
        return ""
    return f", in proportion to how far the decision lies towards {ENDS[side]}"


def _linearly(rules: DialogueRules) -> str:
    return f" {LINEAR}" if rules.episode.is_linear else ""
