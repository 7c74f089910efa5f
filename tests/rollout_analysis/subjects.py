"""Subjects of analyses, and messages of their dialogues."""

from dataclasses import replace
from typing import Any

from nip.rollout_analysis.subject import Subject
from nip.scenario_base.text.play import begin_rollout
from nip.scenario_base.text.rollout import MessageRecord
from tests.scenario_base.text.dialogues import DATAPOINT, PLAN, rules_of


def subject_of(agent: str, protocol: str = "nip", **common: bool) -> Subject:
    rules = rules_of(protocol, protocol_common=common)
    rollout = begin_rollout(DATAPOINT, PLAN)
    return Subject("train", 1, rollout, DATAPOINT, rules, agent)


def subject_with(agent: str, *messages: MessageRecord, solution: str = "") -> Subject:
    """Return a subject whose dialogue has the given messages."""
    subject = subject_of(agent)
    return replace(
        subject,
        rollout=replace(subject.rollout, messages=messages),
        datapoint=replace(subject.datapoint, solution=solution),
    )


def message(round: int, agent: str, text: str, **changes: Any) -> MessageRecord:
    return MessageRecord(round, agent, text, {"main": text}, **changes)
