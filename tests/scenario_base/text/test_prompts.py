"""Prompt templates are checked for unknown and missing placeholders."""

from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.scenario_base.text.prompts import (
    PLACEHOLDERS,
    PromptNeeds,
    PromptTemplate,
    check_prompt,
    load_prompt,
)
from tests.scenario_base.text.dialogues import PROMPTS, rules_of

ENOUGH = "About $question and $solution."


def problem_of(text: str, **needs) -> str:
    with pytest.raises(ParameterError) as caught:
        check_prompt(PromptTemplate("own/nip/verifier.txt", text), PromptNeeds(**needs))
    return str(caught.value)


def test_values_go_in_as_they_are() -> None:
    template = PromptTemplate("x", "$question costs $$5")
    assert template.render({"question": "a < b && $c"}) == "a < b && $c costs $5"


@pytest.mark.parametrize("stray", ["$5", "100 $", "${question", "$-x"])
def test_a_stray_dollar_sign_is_told(stray: str) -> None:
    assert problem_of(f"{ENOUGH} {stray}") == (
        "System prompt 'own/nip/verifier.txt': a dollar sign must begin the name of a "
        "placeholder. For a plain one, write $$."
    )


def test_an_unknown_placeholder_is_told_with_the_closest() -> None:
    message = problem_of(f"{ENOUGH} $max_words")
    assert "There is no placeholder 'max_words'." in message
    assert "$$" in message
    assert "own/nip/verifier.txt" in message
    assert "Did you mean 'question'?" in problem_of(f"{ENOUGH} $questoin")


@pytest.mark.parametrize(
    ("text", "needs", "missing"),
    [
        ("$solution", {}, "$question"),
        ("$question", {}, "$solution"),
        (ENOUGH, {"decides": True}, "$decision_instruction"),
        (ENOUGH, {"headers": ("to A", "to B")}, "$channel_instruction"),
        (ENOUGH + "[to A]", {"headers": ("to A", "to B")}, "$channel_instruction"),
        (ENOUGH, {"has_random_stance": True}, "$agent_stance_string"),
        (
            ENOUGH + "Decision: accept",
            {"decides": True, "has_random_stance": True},
            "$prover_stance_string",
        ),
    ],
)
def test_what_an_agent_has_to_know_must_be_in_it(text: str, needs, missing: str) -> None:
    assert f"{missing} must be in it" in problem_of(text, **needs)


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        (ENOUGH, {}),
        (ENOUGH + " End with `Decision: accept` or `Decision: reject`.", {"decides": True}),
        (ENOUGH + "[to A] [to B]", {"headers": ("to A", "to B")}),
        (ENOUGH + "".join(f" ${name}" for name in PLACEHOLDERS), {"has_random_stance": True}),
    ],
)
def test_own_words_will_do(text: str, needs) -> None:
    check_prompt(PromptTemplate("x", text), PromptNeeds(**needs))


def test_a_missing_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        load_prompt(tmp_path, "nip", "prover")
    message = str(caught.value)
    assert str(tmp_path / "nip" / "prover.txt") in message
    assert "No such file" in message
    assert "prompt_folder=null" in message


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "nip").mkdir()
    (tmp_path / "nip" / "prover.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ParameterError, match="it is not UTF-8 text"):
        load_prompt(tmp_path, "nip", "prover")


def own_folder(tmp_path: Path, **changes: str) -> dict[str, object]:
    (tmp_path / "nip").mkdir(exist_ok=True)
    for agent in ("prover", "verifier"):
        text = changes.get(agent) or (PROMPTS / "nip" / f"{agent}.txt").read_text()
        (tmp_path / "nip" / f"{agent}.txt").write_text(text)
    return {"code_validation": {"prompt_folder": str(tmp_path)}}


def test_a_folder_of_the_user_is_read_instead(tmp_path: Path) -> None:
    rules = rules_of("nip", **own_folder(tmp_path, prover="Mine: $question, $solution."))
    assert rules.prompts["prover"].text == "Mine: $question, $solution."
    with pytest.raises(ParameterError, match=r"nip/verifier\.txt.*\$decision_instruction"):
        rules_of("nip", **own_folder(tmp_path, verifier="Mine: $question, $solution."))


def test_the_digest_follows_the_words_not_the_folder(tmp_path: Path) -> None:
    builtin = rules_of("nip").digest
    assert rules_of("nip", **own_folder(tmp_path)).digest == builtin
    changed = own_folder(tmp_path, prover="Mine: $question, $solution.")
    assert rules_of("nip", **changed).digest != builtin
