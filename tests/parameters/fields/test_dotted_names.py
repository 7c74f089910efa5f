"""Dotted names are joined, and unknown ones are answered with the closest."""

from nip.parameters.fields.dotted_names import join, unknown_parameter


def test_a_name_is_appended_to_a_path() -> None:
    assert join("", "rl") == "rl"
    assert join("agents.prover", "d_gnn") == "agents.prover.d_gnn"


def test_an_unknown_name_gets_the_closest_of_its_group() -> None:
    known = ["gamma", "lmbda", "_type"]
    message = unknown_parameter("gama", "rl", known)
    assert message == "There is no parameter 'rl.gama'. Did you mean 'rl.gamma'?"


def test_without_a_close_name_all_public_ones_are_listed() -> None:
    message = unknown_parameter("xyz", "", ["gamma", "_type"])
    assert message == "There is no parameter 'xyz'. Known here: gamma."
    assert unknown_parameter("xyz", "", []) == "There is no parameter 'xyz'."
