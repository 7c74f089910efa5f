"""Subjects of analyses: an agent in a dialogue that has just begun."""

from nip.rollout_analysis.subject import Subject
from nip.scenario_base.text.play import begin_rollout
from tests.scenario_base.text.dialogues import DATAPOINT, PLAN, rules_of


def subject_of(agent: str, protocol: str = "nip", **common: bool) -> Subject:
    rules = rules_of(protocol, protocol_common=common)
    rollout = begin_rollout(DATAPOINT, PLAN)
    return Subject("train", 0, rollout, DATAPOINT, rules, agent)
