"""Reading overrides and checking their names."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.command_line.overrides import (
    check_names,
    parse_overrides,
    refuse_sweeps,
    single_jobs,
    unknown_name_in,
    unknown_names_in,
)
from nip.errors import ParameterError

TREE = {
    "seed": 1,
    "rl": {"lr": 0.1, "gamma": 0.9},
    "ppo": {"clip_epsilon": 0.2},
    "agents": {"_default": {"d": 1}, "prover": {"d": "${agents._default.d}"}},
}


@given(st.text())
def test_whatever_is_typed_is_read_or_refused_with_a_message(text: str) -> None:
    with contextlib.suppress(ParameterError):
        assert len(parse_overrides([text])) == 1


def test_values_are_read_with_their_types() -> None:
    arguments = ["a=1", "a=0.5", "a=1e-3", "a=true", "a=null", "a=[1,x]", "a='1'", "a.b={c: 2}"]
    values = [override.value() for override in parse_overrides(arguments)]
    assert values[:5] == [1, 0.5, 0.001, True, None]
    assert values[5] == [1, "x"]
    assert str(values[6]) == "1"
    assert values[7] == {"c": 2}


def test_a_sweep_is_taken_apart_in_the_order_of_hydra() -> None:
    overrides = parse_overrides(["seed=1,2", "rl.lr=0.1", "rl.gamma=range(0,2)", "~ppo"])
    assert list(single_jobs(overrides)) == [
        [f"seed={seed}", "rl.lr=0.1", f"rl.gamma={gamma}", "~ppo"]
        for seed in (1, 2)
        for gamma in (0, 1)
    ]


def test_values_that_only_a_sweeper_knows_are_left_out_of_the_jobs() -> None:
    overrides = parse_overrides(["rl.lr=interval(0,1)", "seed=1,2"])
    assert list(single_jobs(overrides)) == [["seed=1"], ["seed=2"]]


@pytest.mark.parametrize("sweep", ["seed=1,2", "seed=choice(1,2)", "seed=range(3)"])
def test_a_sweep_is_refused_where_one_run_is_asked_for(sweep: str) -> None:
    with pytest.raises(ParameterError, match="--multirun"):
        refuse_sweeps(parse_overrides([sweep]))
    refuse_sweeps(parse_overrides(["seed=[1,2]"]))


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("sead", "'seed'"),
        ("rl.gama", "'rl.gamma'"),
        ("rll.gamma", "'rl.gamma'"),
        ("gamma", "'rl.gamma'"),
        ("ppo.gamma", "'rl.gamma'"),
        ("d", "'agents._default.d' or 'agents.prover.d'"),
        ("agents.provr.d", "'agents.prover.d'"),
        ("agents.prover.dd", "'agents.prover.d'"),
        ("clip_epsilom", "'ppo.clip_epsilon'"),
    ],
)
def test_the_suggestion_is_a_name_that_exists(name: str, suggestion: str) -> None:
    message = unknown_name_in(TREE, name.split("."))
    assert message is not None
    assert repr(name) in message
    assert f"Did you mean {suggestion}?" in message


def test_known_names_are_accepted_whatever_their_depth() -> None:
    for name in ("seed", "rl", "rl.lr", "agents.prover.d"):
        assert unknown_name_in(TREE, name.split(".")) is None


def test_what_resembles_nothing_gets_the_list_of_what_there_is() -> None:
    message = unknown_name_in(TREE, ["rl", "xyzzy"])
    assert message is not None
    assert "Known here: gamma, lr." in message


def test_all_unknown_names_are_told_at_once() -> None:
    overrides = parse_overrides(["sead=1", "+new=2", "seed=3", "seed@rl=4"])
    with pytest.raises(ParameterError) as caught:
        check_names(overrides, TREE)
    assert len(caught.value.problems) == 3


def test_unknown_names_of_a_whole_tree_are_found() -> None:
    given_tree = {"seed": 2, "rl": {"lr": 1, "lrr": 1}, "agents": {"prover": {"d": 1, "e": 1}}}
    problems = list(unknown_names_in(TREE, given_tree))
    assert len(problems) == 2
    assert "'rl.lrr'" in problems[0]
    assert "'agents.prover.e'" in problems[1]
