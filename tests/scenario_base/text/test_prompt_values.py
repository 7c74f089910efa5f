"""Placeholder values describe orders of turns that no built-in protocol has."""

from dataclasses import replace

from nip.protocols import ProtocolHandler, ProtocolRules
from nip.scenario_base.text.episode_rules import EpisodeRules
from nip.scenario_base.text.prompt_values import decision_instruction, order_string
from tests.scenario_base.text.dialogues import rules_of, text_params


class LastWord(ProtocolHandler):
    """The first prover opens and has the last word, before a verifier that listens."""

    def make_rules(self) -> ProtocolRules:
        everybody = ("prover0", "prover1", "verifier")
        first, second, verifier = ({agent: ("main",)} for agent in everybody)
        return ProtocolRules(
            agents=everybody,
            channels={"main": everybody},
            timetables=((first, second, first, verifier),),
            max_message_rounds=10,
            min_message_rounds=6,
            prover_goals={"prover0": 0, "prover1": 1},
        )


def last_word():
    """Let the agents of a debate converse by another timetable."""
    return replace(rules_of("debate"), episode=EpisodeRules(LastWord(text_params("debate"))))


def test_an_order_that_repeats_only_in_part_is_told_in_full() -> None:
    assert order_string(last_word(), "prover1", seed=0) == (
        "The conversation has at most 10 rounds, in which the order is: Expert 1, then you, then "
        "Expert 1, then Verifier, and so on."
    )


def test_what_is_too_early_is_counted_in_messages_not_in_rounds() -> None:
    # The verifier writes in rounds 3 and 7, and a decision counts from round 5 on.
    told = decision_instruction(last_word(), seed=0)
    assert told.startswith("You cannot decide in your first message, but in any later one")
    assert "You write at most 2 messages" in told
