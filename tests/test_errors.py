"""Error messages, suggestions, and built-in base classes."""

import pickle

import pytest

from nip.errors import (
    DatasetError,
    NipError,
    NipWarning,
    ParameterError,
    PluginError,
    ProtocolError,
    ResumeError,
    UnknownNameError,
    did_you_mean,
    unknown_name,
    warn_user,
)


@pytest.mark.parametrize(
    ("error", "built_in"),
    [
        (UnknownNameError, KeyError),
        (ParameterError, ValueError),
        (DatasetError, FileNotFoundError),
        (ResumeError, RuntimeError),
        (PluginError, ImportError),
        (ProtocolError, ValueError),
    ],
)
def test_each_error_is_ours_and_the_built_in_one(error: type, built_in: type) -> None:
    assert issubclass(error, NipError)
    assert issubclass(error, built_in)


def test_an_unknown_name_is_printed_without_the_quotes_of_key_error() -> None:
    assert str(UnknownNameError("There is no trainer 'x'.")) == "There is no trainer 'x'."


def test_a_single_problem_is_printed_as_it_is() -> None:
    assert str(ParameterError("rl.lr must be above 0.")) == "rl.lr must be above 0."


def test_several_problems_are_printed_as_a_list() -> None:
    error = ParameterError("a must be 1.", "b must be 2.")
    assert str(error).splitlines() == [
        "2 problems with the parameters:",
        "  - a must be 1.",
        "  - b must be 2.",
    ]
    assert error.problems == ("a must be 1.", "b must be 2.")


def test_an_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ParameterError("a", "b")))
    assert error.problems == ("a", "b")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("vanila_ppo", "Did you mean 'vanilla_ppo'?"),
        ("Vanilla_PPO", "Did you mean 'vanilla_ppo'?"),
        ("renforce", "Did you mean 'reinforce'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_closest_name_is_suggested(name: str, suggestion: str) -> None:
    assert did_you_mean(name, ["vanilla_ppo", "reinforce"]) == suggestion


def test_the_message_for_an_unknown_name_lists_the_known_ones_in_order() -> None:
    message = unknown_name("trainer", "renforce", ["vanilla_ppo", "reinforce"])
    assert message == (
        "There is no trainer 'renforce'. Did you mean 'reinforce'? Known: reinforce, vanilla_ppo."
    )
    assert unknown_name("plugin", "x", []) == "There is no plugin 'x'. None is known."


def test_a_warning_points_at_the_line_of_the_user() -> None:
    with pytest.warns(NipWarning, match="idle") as caught:
        warn_user("idle")
    assert caught[0].filename == __file__


def test_known_names_with_commas_are_told_apart() -> None:
    message = unknown_name("group", "x", ["rl.lr=1, seed=2", "b"])
    assert message.endswith("Known: 'b', 'rl.lr=1, seed=2'.")


def test_of_many_known_names_only_the_most_similar_ones_are_listed() -> None:
    known = [*(f"sort_{number}" for number in range(50)), "strings"]
    message = unknown_name("topic", "strngs", known)
    start = "There is no topic 'strngs'. Did you mean 'strings'? The most similar of 51: strings, "
    assert message.startswith(start)
    assert message.count(",") == 9
    assert "Known: " in unknown_name("topic", "strngs", known[:40])
