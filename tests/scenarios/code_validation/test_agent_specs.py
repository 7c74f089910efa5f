"""The agent specs of the built-in protocols fit prompts and rewards."""

import pytest

from nip.protocols import protocol_registry
from nip.scenario_base.text.agent_spec_registry import agent_spec_registry
from tests.scenario_base.text.dialogues import PLAYABLE, PROMPTS, rules_of


def test_each_protocol_is_registered_once_and_exists() -> None:
    names = [name for name in agent_spec_registry.names() if name.startswith("code_validation/")]
    assert names == [f"code_validation/{protocol}" for protocol in PLAYABLE]
    assert set(PLAYABLE) <= set(protocol_registry.names())


@pytest.mark.parametrize("protocol", PLAYABLE)
def test_each_agent_has_a_prompt_and_no_prompt_is_left_over(protocol: str) -> None:
    files = {path.stem for path in (PROMPTS / protocol).iterdir()}
    assert files == set(rules_of(protocol).protocol.agent_names)


def test_there_are_no_prompts_of_unknown_protocols() -> None:
    assert sorted(path.name for path in PROMPTS.iterdir()) == sorted(PLAYABLE)


def test_provers_are_anonymous_only_where_the_name_would_give_the_stance_away() -> None:
    anonymous = {
        (protocol, name)
        for protocol in PLAYABLE
        for name, spec in rules_of(protocol).specs.items()
        if spec.is_anonymous
    }
    assert anonymous == {("merlin_arthur", "prover0"), ("merlin_arthur", "prover1")}


@pytest.mark.parametrize("protocol", PLAYABLE)
def test_every_stated_stance_is_what_the_protocol_pays_for(protocol: str) -> None:
    rules = rules_of(protocol)
    stances = {name: rules.specs[name].stance for name in rules.protocol.prover_names}
    assert stances == rules.protocol.prover_goals
    assert rules.specs["verifier"].stance is None


@pytest.mark.parametrize("protocol", ["debate", "mnip"])
@pytest.mark.parametrize("is_random", [True, False])
def test_the_order_of_channels_is_shuffled_where_the_parameters_say_so(protocol, is_random) -> None:
    group = {f"{protocol}_protocol": {"randomize_channel_order": is_random}}
    specs = rules_of(protocol, **group).specs
    shuffled = {name for name, spec in specs.items() if spec.shuffles_channels}
    assert shuffled == ({"verifier"} if is_random else set())
