"""Answers are parsed into messages and decisions, and invalid ones are explained."""

from dataclasses import replace
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.scenario_base.text.answers.decision_scales import DECISION_SCALES, find_scale
from nip.scenario_base.text.answers.parsing import (
    AnswerForm,
    parse_answer,
    split_decision,
    with_decision,
)

SCALE = find_scale("accept_reject")
PROVER = AnswerForm(channels=("main",))
VERIFIER = AnswerForm(channels=("main",), scale=SCALE, may_decide=True)
EARLY = replace(VERIFIER, may_decide=False)
TO_TWO = AnswerForm(
    channels=("left", "right"),
    headers={"left": "to Expert 1", "right": "to Expert 2"},
    scale=SCALE,
    may_decide=True,
)

WORDS = st.sampled_from(
    ["Decision:", "decision", "accept", "reject", "ACCEPT", "**", "#", " ", "\n", "\r\n", ".", "x"]
)
TEXTS = st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(WORDS).map("".join))


@given(TEXTS)
def test_no_text_makes_a_prover_decide(text: str) -> None:
    parsed = parse_answer(text, PROVER)
    assert parsed.decision == 2
    assert parsed.value is None
    assert (parsed.problem is None) == bool(text.strip())
    if parsed.problem is None:
        assert parsed.channel_texts == {"main": text.strip()}


@given(TEXTS)
def test_a_verifier_never_decides_out_of_turn(text: str) -> None:
    assert parse_answer(text, EARLY).decision == 2


@given(TEXTS)
def test_only_the_last_line_decides(text: str) -> None:
    parsed = parse_answer(f"{text}\nDecision: accept", VERIFIER)
    assert (parsed.decision, parsed.problem) == (1, None)
    parsed = parse_answer(f"Decision: accept\n{text}\nWhich line do you mean?", VERIFIER)
    assert (parsed.decision, parsed.problem) == (2, None)


@given(st.sampled_from([" or ", " and ", "/", " ", ", ", " not "]), st.booleans(), TEXTS)
def test_both_words_are_invalid(between: str, accept_first: bool, before: str) -> None:
    words = ["accept", "reject"] if accept_first else ["reject", "accept"]
    parsed = parse_answer(f"{before}\nDecision: {between.join(words)}", VERIFIER)
    assert parsed.decision == 2
    assert parsed.problem is not None
    assert "is not one of the possible decisions" in parsed.problem


@given(
    word=st.sampled_from(["accept", "reject"]),
    change=st.sampled_from([str.lower, str.upper, str.title, str.swapcase]),
    before=st.sampled_from(["", "**", "*", "__", "`", "# ", "### **", "> ", "- **", "  ", "\t"]),
    inside=st.sampled_from([": ", ":", " : ", ":** ", ": **", ":  _", "： ", ': "', ": `"]),
    after=st.sampled_from(["", ".", "!", "**", ".**", "`.", "_", '"', "  ", "**  \n\n", "\r\n \n"]),
)
def test_formatting_is_tolerated(word, change, before, inside, after) -> None:
    line = f"{before}{change('decision')}{inside}{change(word)}{after}"
    parsed = parse_answer(f"It handles every input.\n\n{line}", VERIFIER)
    assert parsed.problem is None
    assert parsed.decision == ["reject", "accept"].index(word)
    assert parsed.channel_texts == {"main": "It handles every input."}


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("Fine.\n\n```\nDecision: accept\n```", "Fine."),
        ("Fine.\n```text\nDecision: accept\n```\n", "Fine."),
        ("Fine.\n\nDecision: accept\n\n---", "Fine."),
        ("Fine.\n**\nDecision: accept\n**", "Fine.\n**"),
        # The fence belongs to the code in front of the decision.
        ("So:\n```\nf(0)\n```\nDecision: accept\n***", "So:\n```\nf(0)\n```"),
        ("So:\n```\nf(0)\nDecision: accept\n```", "So:\n```\nf(0)\n```"),
    ],
)
def test_lines_that_are_nothing_but_markup_are_empty(text: str, body: str) -> None:
    parsed = parse_answer(text, VERIFIER)
    assert (parsed.decision, parsed.problem) == (1, None)
    assert parsed.channel_texts == {"main": body}
    assert parse_answer(text, EARLY).problem is not None
    # The verdict that takes its place is the only one.
    assert split_decision(with_decision(text, 0, SCALE)) == (body, "reject")


@pytest.mark.parametrize(
    "line",
    [
        "Decision: maybe",
        "Decision:",
        "Decision: continue",
        "Decision: accepted",
        "Decision: not accept",
        "Decision: accept because it works",
    ],
)
def test_another_word_is_invalid(line: str) -> None:
    parsed = parse_answer(f"Well.\n{line}", VERIFIER)
    assert parsed.problem is not None
    assert parsed.decision == 2


@pytest.mark.parametrize(
    "text",
    [
        "I accept this.",
        "My decision: accept",
        "Decision accept",
        "So, Decision: accept",
        "Indecision: accept",
        "Decision: accept\nWhat about n = 0?",
    ],
)
def test_what_only_looks_like_a_decision_is_none(text: str) -> None:
    parsed = parse_answer(text, VERIFIER)
    assert (parsed.decision, parsed.problem) == (2, None)
    assert parsed.channel_texts == {"main": text}


def test_a_decision_out_of_turn_is_invalid_for_a_verifier_and_text_for_a_prover() -> None:
    text = "It is fine.\nDecision: accept"
    assert parse_answer(text, EARLY).problem == (
        "it decides in a round in which no decision is possible"
    )
    assert parse_answer(text, PROVER).channel_texts == {"main": text}


@pytest.mark.parametrize("form", [PROVER, VERIFIER, TO_TWO])
@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_answer_is_invalid(form: AnswerForm, text: str) -> None:
    assert parse_answer(text, form).problem == "the answer is empty"


@pytest.mark.parametrize(
    "text",
    [
        "[to Expert 1]\nWhy?\n\n[to Expert 2]\nHow?",
        "I wonder...\n**[To Expert 2]**\nHow?\n### [to  expert 1]:\nWhy?\n",
        "[to Expert 1] Why?\n[to Expert 2]: How?",
        "[to Expert 1]\nWhy?\n[to Expert 2]\nHow?\nDecision: reject",
    ],
)
def test_headers_cut_an_answer_into_messages(text: str) -> None:
    parsed = parse_answer(text, TO_TWO)
    assert parsed.problem is None
    assert parsed.channel_texts == {"left": "Why?", "right": "How?"}


def test_headers_may_have_markup_and_spaces_of_their_own() -> None:
    headers = {"left": "to  prover_1", "right": "to *Bob*"}
    parsed = parse_answer("[to  prover_1]\nWhy?\n[To *Bob*] How?", replace(TO_TWO, headers=headers))
    assert parsed.channel_texts == {"left": "Why?", "right": "How?"}


def test_what_stands_behind_a_header_keeps_its_markup() -> None:
    text = "[to Expert 1]\n`a_b * c`\n[to Expert 2] is `x__y` used in [a][b]?\n[1, 2]"
    assert parse_answer(text, TO_TWO).channel_texts == {
        "left": "`a_b * c`",
        "right": "is `x__y` used in [a][b]?\n[1, 2]",
    }


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Why?", "[to Expert 1] and [to Expert 2]"),
        ("[to Expert 1]\nWhy?", "[to Expert 2]"),
        ("to Expert 1\nWhy?\n[to Expert 2]\nHow?", "[to Expert 1]"),
        ("See [to Expert 1].\n[to Expert 2]\nHow?", "[to Expert 1]"),
    ],
)
def test_every_header_must_be_there(text: str, missing: str) -> None:
    assert parse_answer(text, TO_TWO).problem == f"it lacks the header {missing}"


def test_a_decision_needs_no_headers() -> None:
    parsed = parse_answer("Both agree.\nDecision: accept", TO_TWO)
    assert (parsed.decision, parsed.problem) == (1, None)
    assert parsed.channel_texts == {"left": "Both agree.", "right": "Both agree."}


@pytest.mark.parametrize("scale", DECISION_SCALES)
@pytest.mark.parametrize("decision", [0, 1])
@given(text=TEXTS)
def test_a_verdict_can_be_replaced(scale: str, decision: int, text: str) -> None:
    form = replace(VERIFIER, scale=find_scale(scale))
    assert form.scale is not None
    before = with_decision(text, 1 - decision, form.scale)
    after = with_decision(before, decision, form.scale)
    parsed = parse_answer(after, form)
    assert (parsed.decision, parsed.value) == (decision, 2.0 * decision - 1)
    assert split_decision(after)[0] == split_decision(before)[0]


def test_the_verdict_is_kept_in_the_words_of_the_agent() -> None:
    form = replace(VERIFIER, scale=find_scale("out_of_10"))
    parsed = parse_answer("Sure.\n**Decision:** 8 / 10.", form)
    assert (parsed.decision, parsed.value, parsed.decision_text) == (
        1,
        pytest.approx(0.6),
        "8 / 10",
    )


LAST = replace(VERIFIER, is_last=True)


@pytest.mark.parametrize(
    "line",
    [
        "\u200bDecision: accept",
        "De\u00adcision: acc\u200dept\u2060",
        "\ufeff**Decision**: accept\u200b",
        "Decision:\u00a0accept\u00a0",
        "Ｄｅｃｉｓｉｏｎ：ａｃｃｅｐｔ",
        "Decision: accept</s>",
        "Decision: accept<|im_end|>",
        "Decision: accept <|eot_id|>\n<|end_of_text|>",
        "Decision: accept<｜end▁of▁sentence｜>",
        "Decision: accept\n</s>\n\u200b\n",
        "1. Decision: accept",
        "• Decision: accept",
        "✅ Decision: accept ✅",
        "→ **Decision: accept**",
        "[Decision: accept]",
        "(Decision: accept.)",
        "| Decision: accept |",
        "> ### __Decision:__ `accept`",
        "$Decision: accept$",
    ],
)
@pytest.mark.parametrize("form", [VERIFIER, LAST])
def test_markup_markers_invisible_characters_and_stop_tokens_do_not_hide_a_decision(
    line: str, form: AnswerForm
) -> None:
    parsed = parse_answer(f"It is fine.\n\n{line}", form)
    assert (parsed.decision, parsed.problem) == (1, None)
    assert parsed.channel_texts == {"main": "It is fine."}
    assert parse_answer(f"It is fine.\n\n{line}", EARLY).problem is not None


NEAR_MISSES = [
    "Verdict: accept",
    "Final decision - accept",
    "Decision is: accept",
    "Decision = accept",
    "Decision accept",
    "My decision: accept",
    "Final answer: correct",
    "Judgement: the solution is correct.",
    "I accept the solution.",
    "I therefore reject it.",
    "So it is accepted",
    "The verdict is that the program is wrong.",
    "REJECT",
    "\\boxed{accept}",
    "Correct.",
    "The solution is correct.",
    "<decision>accept</decision>",
    "Dеcision: accept",  # The second letter is Cyrillic.
    "Decision: accept\n\nThank you both for the discussion.",
    "Decision: accept\n[END]",
    "Fine.\rDecision: accept\rThanks.",
]


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_a_last_message_that_nearly_decides_is_never_taken_for_none(text: str) -> None:
    parsed = parse_answer(f"It handles all inputs.\n{text}", LAST)
    assert parsed.problem == (
        "its last message seems to decide, but has no last line `Decision: ...`"
    )
    assert parsed.channel_texts == {}
    # An earlier message may speak of a decision, because another one follows.
    early = parse_answer(f"It handles all inputs.\n{text}", VERIFIER)
    assert (early.decision, early.problem) == (2, None)


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        ("out_of_10", "7"),
        ("out_of_10", "**7/10**"),
        ("out_of_10", "\\boxed{7}"),
        ("out_of_10", "\\[\\boxed{\\text{7/10}}\\]"),
        ("out_of_10", "<b>7</b>"),
        ("accept_reject", "<answer>yes</answer>"),
        ("out_of_10", "Score: 7"),
        ("out_of_10", "My rating is 7 out of 10."),
        ("out_of_100", "Overall I would give it an 85."),
        ("likert_5", "Undecided."),
        ("likert_5", "weakly accept"),
        ("likert_7", "Verdict: strongly reject"),
    ],
)
def test_near_misses_are_those_of_the_scale(scale: str, text: str) -> None:
    form = replace(LAST, scale=find_scale(scale))
    assert parse_answer(f"Well.\n{text}", form).problem is not None


@pytest.mark.parametrize(
    "text", ["Why?", "What does it return for n = 7?", "I need to know more about the loop."]
)
def test_a_last_message_that_does_not_decide_at_all_is_valid(text: str) -> None:
    parsed = parse_answer(text, LAST)
    assert (parsed.decision, parsed.problem) == (2, None)


@pytest.mark.parametrize(
    "line",
    [
        "Decision: accept\u2028Thanks.",
        "Decision: accept?",
        "Decision: not accept",
        "Decision: accept ❌",
        "Decision: ~~accept~~",
        "~~Decision: accept~~",
        "Decision: -7",
    ],
)
def test_a_doubtful_verdict_is_asked_again(line: str) -> None:
    assert parse_answer(f"Well.\n{line}", LAST).problem is not None


@pytest.mark.parametrize(
    "scale_line", ["Decision: -3", "Decision: .5", "Decision: 7%", "Decision: >5"]
)
def test_a_number_that_is_not_on_the_scale_is_not_rounded_to_one(scale_line: str) -> None:
    form = replace(LAST, scale=find_scale("out_of_10"))
    assert parse_answer(scale_line, form).problem is not None


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
def test_messages_are_split_at_line_feeds_only(separator: str) -> None:
    text = f"[to Expert 1]\na{separator}b\n[to Expert 2]\nc{separator}[to Expert 1] d"
    assert parse_answer(text, TO_TWO).channel_texts == {
        "left": f"a{separator}b",
        "right": f"c{separator}[to Expert 1] d",
    }
    assert parse_answer(f"a{separator}b", PROVER).channel_texts == {"main": f"a{separator}b"}
    parsed = parse_answer(f"a{separator}b\nDecision: accept", VERIFIER)
    assert parsed.channel_texts == {"main": f"a{separator}b"}


def test_lines_may_end_with_carriage_returns() -> None:
    text = "[to Expert 1]\r\nWhy?\r\n[to Expert 2]\r\nHow?\r\n**Decision: accept**\r\n"
    parsed = parse_answer(text, TO_TWO)
    assert parsed.channel_texts == {"left": "Why?", "right": "How?"}
    assert parsed.decision == 1


LONG_TEXTS = {
    "rules": "---\n" * 20_000,
    "stop tokens": "Decision: accept\n" + "</s>\n" * 20_000,
    "empty lines": "Why?" + "\n" * 100_000,
    "spaces": "Why?" + " " * 100_000 + "x",
    "brackets": "[" * 50_000,
    "headers": "[to Expert 1] why\n" * 10_000,
    "header and spaces": "[to Expert 1]" + " " * 100_000,
    "angles": "<|" * 50_000,
    "decision and spaces": "Decision:" + " " * 100_000 + "x",
    "digits": "Decision: " + "7" * 100_000,
    "words": "decision " * 20_000,
    "quotes": "\"'" * 50_000,
    "numbers": "1. " * 50_000,
    "bars": "<|" + "a" * 60 + "<|" * 50_000,
}


@pytest.mark.parametrize("text", LONG_TEXTS.values(), ids=LONG_TEXTS)
def test_the_time_of_parsing_is_linear(text: str) -> None:
    """A text that is 64 times as long may take 64 times as long, with room for noise."""

    def seconds(length: int) -> float:
        sample = text[:length]
        best = float("inf")
        for _ in range(5):
            start = process_time()
            for form in (LAST, TO_TWO, PROVER):
                parse_answer(sample, form)
            best = min(best, process_time() - start)
        return best

    # Quadratic time would give a ratio of about 4096. The floor keeps the clock's resolution out.
    assert seconds(64_000) < 64 * 8 * max(seconds(1_000), 2e-5)
