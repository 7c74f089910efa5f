"""Rules that contradict themselves are refused, by name and with the way out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from nip.errors import NipError, ProtocolError
from nip.protocols import AgentRewards, ProtocolRules
from nip.protocols.rules_check import check_rules
from tests.protocols.play import handler_of

PROVER, VERIFIER = {"prover": ("main",)}, {"verifier": ("main",)}
SOUND = ProtocolRules(
    agents=("prover", "verifier"),
    channels={"main": ("prover", "verifier"), "notes": ("verifier",)},
    timetables=((PROVER, VERIFIER),),
    max_message_rounds=4,
)


def test_sound_rules_pass() -> None:
    check_rules("sound", SOUND)


def test_the_errors_are_of_the_family_and_value_errors() -> None:
    assert issubclass(ProtocolError, NipError)
    assert issubclass(ProtocolError, ValueError)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"timetables": ((PROVER, {"prover": ("notes",)}, VERIFIER),)},
            ["turn 1", "timetable 0", "'prover'", "'notes'", "does not see", "channels['notes']"],
            id="writes where it sees nothing",
        ),
        pytest.param(
            {"timetables": ((PROVER, VERIFIER), (VERIFIER, {"verifier": ("mian",)}))},
            ["turn 1", "timetable 1", "channel 'mian'", "Did you mean 'main'"],
            id="writes on a channel that is not there",
        ),
        pytest.param(
            {"timetables": (({"provre": ("main",)}, VERIFIER),)},
            ["turn 0", "agent 'provre'", "Did you mean 'prover'"],
            id="a writer that is not there",
        ),
        pytest.param(
            {"channels": {"main": ("prover", "verifier", "judge")}},
            ["channels['main']", "agent 'judge'", "Known: prover, verifier"],
            id="a hearer that is not there",
        ),
        pytest.param(
            {"agents": ("prover", "judge")},
            ["exactly one agent decides", "prover, judge", "'verifier'"],
            id="nobody decides",
        ),
        pytest.param(
            {"agents": ("verifier", "verifier")},
            ["exactly one agent decides", "verifier, verifier"],
            id="two decide",
        ),
        pytest.param(
            {"agents": ("prover", "prover2", "verifier")},
            ["'prover' must not be part of", "'prover2'", "Rename"],
            id="a name is part of another",
        ),
        pytest.param(
            {"agents": ("prover", "prover", "verifier")},
            ["'prover' must not be part of", "Rename"],
            id="a name twice",
        ),
        pytest.param(
            {"agents": ("the prover", "verifier")},
            ["'the prover'", "letters, digits and underscores"],
            id="a name with a space",
        ),
        pytest.param({"agents": ()}, ["at least one name"], id="no agents"),
        pytest.param({"agents": "verifier"}, ["tuple", "'verifier'"], id="agents as a string"),
        pytest.param({"channels": {}}, ["there must be a channel"], id="no channels"),
        pytest.param(
            {"channels": {"main": "verifier"}},
            ["channels['main']", "('verifier',)", "got 'verifier'"],
            id="hearers as a string",
        ),
        pytest.param(
            {"timetables": (({"verifier": "main"},),)},
            ["'verifier'", "('main',)", "got 'main'"],
            id="channels of a turn as a string",
        ),
        pytest.param({"timetables": ()}, ["timetables must be"], id="no timetable"),
        pytest.param({"timetables": ((),)}, ["timetables must be"], id="an empty timetable"),
        pytest.param(
            {"timetables": (PROVER, VERIFIER)}, ["timetables must be"], id="one level too few"
        ),
        pytest.param(
            {"timetables": ((PROVER, "verifier"),)},
            ["timetables must be", "'verifier' instead of a turn"],
            id="a turn as a string",
        ),
        pytest.param(
            {"timetables": ((PROVER, {}, VERIFIER),)},
            ["nobody writes in round 2", "turn 1"],
            id="a silent round",
        ),
        pytest.param(
            {"timetables": ((PROVER, VERIFIER), (PROVER,))},
            ["'verifier' never has a turn", "timetable 1"],
            id="one outcome of the seed without a decision",
        ),
        pytest.param(
            {"min_message_rounds": 4, "timetables": ((VERIFIER, PROVER),)},
            ["round 3", "from round 4 on", "min_message_rounds to at most 3"],
            id="decisions count too late",
        ),
        pytest.param(
            {"min_message_rounds": 5},
            ["min_message_rounds", "got 5", "between 1 and the 4 rounds"],
            id="minimum above maximum",
        ),
        pytest.param(
            {"min_message_rounds": 0}, ["min_message_rounds", "got 0"], id="minimum of zero"
        ),
        pytest.param({"max_message_rounds": 0}, ["at least 1 round", "got 0"], id="no rounds"),
        pytest.param(
            {"num_episode_rounds": 5},
            ["num_episode_rounds", "at most", "(4)", "got 5"],
            id="an episode longer than its history",
        ),
        pytest.param(
            {"prover_goals": {"verifier": 1}},
            ["prover_goals", "'verifier'", "Known: prover"],
            id="a goal for one who is no prover",
        ),
        pytest.param(
            {"prover_goals": {"prover": 2}},
            ["prover_goals['prover']", "got 2"],
            id="a goal that is no decision",
        ),
        pytest.param(
            {"rewards": {"provers": AgentRewards(decided=((0, 0), (0, 0)))}},
            ["rewards", "'provers'", "Did you mean 'prover'"],
            id="rewards for nobody",
        ),
        pytest.param(
            {"rewards": {"prover": AgentRewards(decided=((0, 0, 0), (0, 0)))}},  # type: ignore[arg-type]
            ["rewards['prover'].decided", "two rows"],
            id="rewards of a wrong shape",
        ),
        pytest.param(
            {
                "rewards": {
                    "prover": AgentRewards(decided=((0, 0), (0, 0)), terminated=float("nan"))
                }
            },
            ["rewards['prover']", "finite", "nan"],
            id="rewards that are no numbers",
        ),
        pytest.param(
            {"rewards": {"prover": AgentRewards(decided=((0, 0), (0, "1")))}},  # type: ignore[arg-type]
            ["rewards['prover'].decided", "two rows"],
            id="rewards that are texts",
        ),
        *(
            pytest.param({name: value}, [f"{name} must be {wanted}"], id=f"{name} of another type")
            for name, value, wanted in (
                ("channels", ("main",), "a mapping from channels to tuples of agents"),
                ("max_message_rounds", "4", "an integer"),
                ("min_message_rounds", 1.5, "an integer"),
                ("num_episode_rounds", "4", "an integer or None"),
                ("prover_goals", None, "a mapping from provers to 0 or 1"),
                ("rewards", {"prover": ((0, 0), (0, 0))}, "a mapping from agents to AgentRewards"),
                ("rewards", {"prover": AgentRewards(((0, 0), (0, 0)), None)}, "a mapping"),  # type: ignore[arg-type]
                ("deciders", {"verifier": None}, "a mapping from agents to tuples of channels"),
                ("copies", ("main",), "a tuple of tuples of channels"),
                ("imitations", ("prover",), "a tuple of Imitation"),
            )
        ),
    ],
)
def test_a_contradiction_is_named_with_the_way_out(
    changes: Mapping[str, Any], words: list[str]
) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_rules("my_protocol", replace(SOUND, **changes))
    message = str(caught.value)
    assert [word for word in ["Protocol 'my_protocol'", *words] if word not in message] == []


def test_parameters_that_leave_the_verifier_without_a_turn_are_refused() -> None:
    with pytest.raises(
        ProtocolError, match=r"Protocol 'nip': 'verifier' never has a turn in the 1"
    ):
        handler_of("nip", common={"verifier_first": False}, nip_protocol={"max_message_rounds": 1})


@pytest.mark.parametrize("protocol", ["nip", "debate", "mnip"])
def test_the_options_of_the_number_of_rounds_are_named_as_they_are_given(protocol: str) -> None:
    group = f"{protocol}_protocol"
    with pytest.raises(ProtocolError) as caught:
        handler_of(
            protocol,
            common={"verifier_first": False},
            **{group: {"max_message_rounds": 3, "min_message_rounds": 3}},
        )
    message = str(caught.value)
    assert f"Set {group}.min_message_rounds to at most 2" in message
    assert f"or raise {group}.max_message_rounds." in message
