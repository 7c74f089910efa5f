"""Rules with several agents that decide must be consistent."""

from dataclasses import replace

import pytest

from nip.errors import ProtocolError
from nip.protocols import ProtocolRules
from nip.protocols.imitation import Imitation
from nip.protocols.rules_check import check_rules

IMITATION = Imitation(
    imitator="mimic",
    model="judge",
    channels={"side": "mirror"},
    distance="kl",
    rewards={"mimic": 1.0},
)
SOUND = ProtocolRules(
    agents=("prover", "verifier", "judge", "mimic"),
    channels={
        "main": ("prover", "verifier"),
        "side": ("prover", "judge"),
        "mirror": ("mimic",),
        "notes": ("verifier",),
    },
    timetables=(
        (
            {"prover": ("main", "side")},
            {"verifier": ("main", "notes"), "judge": ("side",), "mimic": ("mirror",)},
        ),
    ),
    max_message_rounds=2,
    deciders={"verifier": ("main", "notes"), "judge": ("side", "mirror")},
    copies=(("main",), ("side",)),
    imitations=(IMITATION,),
)


def test_sound_rules_pass() -> None:
    check_rules("sound", SOUND)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"deciders": {"verifier": ("main",), "jugde": ("side",)}}, "agent 'jugde'"),
        ({"deciders": {"verifier": ("mian",)}}, "channel 'mian'"),
        ({"deciders": {"judge": ("side",)}}, "must include 'verifier'"),
        ({"deciders": {"verifier": ("main",), "judge": ()}}, "closes no channel"),
        ({"deciders": {"verifier": ("main",), "prover": ("side",)}}, "'prover' has no turn from"),
        ({"copies": (("main",), ("side", "main"))}, "'main' must be in one of the copies only"),
        ({"copies": (("main",), ("side", "nowhere"))}, "channel 'nowhere'"),
        ({"imitations": (replace(IMITATION, model="nobody"),)}, "agent 'nobody'"),
        ({"imitations": (replace(IMITATION, imitator="verifier"),)}, "must not be among deciders"),
        ({"imitations": (replace(IMITATION, channels={"side": "notes"}),)}, "must write on notes"),
    ],
)
def test_inconsistent_rules_are_refused(changes, words) -> None:
    rules = replace(SOUND, **changes)
    if "prover" in changes.get("deciders", {}):
        rules = replace(rules, min_message_rounds=2)
    with pytest.raises(ProtocolError, match=words):
        check_rules("mine", rules)


def test_an_agent_of_several_copies_sees_nothing_else() -> None:
    rules = replace(SOUND, channels={**SOUND.channels, "more": ("prover", "judge")})
    with pytest.raises(ProtocolError, match="'prover' plays several copies, but also sees more"):
        check_rules("mine", rules)


def test_an_agent_sees_equally_much_of_each_copy() -> None:
    channels = {**SOUND.channels, "more": ("prover", "judge")}
    rules = replace(SOUND, channels=channels, copies=(("main",), ("side", "more")))
    with pytest.raises(ProtocolError, match="equally many channels"):
        check_rules("mine", rules)
