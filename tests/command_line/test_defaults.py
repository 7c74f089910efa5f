"""Which defaults a command line starts from, and what it must choose."""

from typing import Any

import pytest

from nip.command_line.defaults import RUN_KEYS, all_defaults, check_choices
from nip.errors import NipError, ParameterError

TOY = {"scenario": "toy", "dataset": "witness", "trainer": "vanilla_ppo"}


@pytest.mark.parametrize(
    ("protocol", "agents"),
    [
        ({}, ["prover", "verifier"]),
        ({"interaction_protocol": None}, ["prover", "verifier"]),
        ({"interaction_protocol": "debate"}, ["prover0", "prover1", "verifier"]),
        ({"interaction_protocol": "solo_verifier"}, ["verifier"]),
        (
            {"protocol_common": {"zero_knowledge": True}},
            ["prover", "verifier", "adversarial_verifier", "simulator"],
        ),
        ({"interaction_protocol": "debat"}, []),
        ({"interaction_protocol": ["nip"]}, []),
    ],
    ids=str,
)
def test_the_agents_are_those_of_the_protocol(protocol: dict[str, Any], agents: list[str]) -> None:
    assert set(all_defaults({"scenario": "toy", **protocol})["agents"]) == {"_default", *agents}


@pytest.mark.parametrize("choices", [{}, {"scenario": "tooy"}, {"scenario": ["toy"]}], ids=str)
def test_without_a_known_scenario_there_are_no_agents(choices: dict[str, Any]) -> None:
    tree = all_defaults(choices)
    assert tree["agents"] == {}
    assert tree.keys() == all_defaults(TOY).keys()


def test_the_keys_of_the_command_line_stand_beside_the_parameters() -> None:
    tree = all_defaults(TOY)
    settings = tree["settings"]
    assert {name: tree[name] for name in RUN_KEYS} == {
        "run_id": None,
        "resume": "auto",
        "num_parallel_seeds": 1,
        "dry_run": False,
        "plugins": [],
        "settings": settings,
    }
    assert settings["num_threads"] == 1
    assert "plugin_groups" not in tree


@pytest.mark.parametrize("absent", [{}, {"dataset": None, "trainer": "???"}], ids=str)
def test_all_that_is_still_to_choose_is_named_at_once(absent: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"experiment=\.\.\., or dataset=\.\.\. trainer=\.\."):
        check_choices({"scenario": "toy", **absent})


@pytest.mark.parametrize(
    ("group", "missing"),
    [
        ({"base_run_type": "parameters"}, r"'parameters' needs .* Add base_run\.run_id=\.\.\."),
        ({"base_run_type": "rerun_tests", "run_id": None}, r"Add base_run\.run_id=\.\.\."),
        ({"run_id": "x"}, r"run_id='x' has no effect .* Add base_run\.base_run_type=parameters"),
        ({"run_id": "x", "base_run_type": "none"}, r"Add base_run\.base_run_type=parameters"),
        ({"base_run_type": "parameter"}, "Did you mean 'parameters'"),
        ({}, "Choose what to run"),
    ],
    ids=str,
)
def test_the_missing_half_of_a_base_run_is_named(group: dict[str, Any], missing: str) -> None:
    with pytest.raises(ParameterError, match=missing):
        check_choices({"base_run": group})


def test_choices_that_do_not_fit_are_refused() -> None:
    check_choices(TOY)
    with pytest.raises(NipError, match="pure_text_ei"):
        check_choices({**TOY, "trainer": "pure_text_ei"})
