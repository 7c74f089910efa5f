"""Scripted models answer by a function or a file, and count tokens."""

import asyncio
from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import (
    ChatMessage,
    ChatModel,
    Completion,
    ModelSpec,
    Sampling,
    TokenUsage,
)
from nip.language_models.errors import OverloadError
from nip.language_models.provider_registry import (
    ConnectionContext,
    build_chat_model,
    check_access,
)

MESSAGES = [
    ChatMessage(role="system", content="You are a prover."),
    ChatMessage(role="user", content="Is it correct?"),
]
SCRIPT = """
from nip.language_models.chat import Completion, TokenUsage
from nip.language_models.errors import OverloadError

def echo(messages, sampling):
    return f"{messages[-1]['content']} {sampling.seed}"

async def later(messages, sampling):
    return Completion("done", "stop", TokenUsage(1, 2), "other")

def overloaded(messages, sampling):
    raise OverloadError("too much")

def broken(messages, sampling):
    return 3

def needs_more(messages, sampling, temperature):
    return ""

class Speaker:
    def __call__(self, messages, sampling):
        return "spoken"

speaker = Speaker()
not_a_function = 1
"""


def scripted(name: object) -> ChatModel:
    return build_chat_model(ModelSpec("Scripted", str(name)), ConnectionContext())


def ask(model: ChatModel, **sampling: int) -> Completion:
    return asyncio.run(model.complete(MESSAGES, Sampling(**sampling)))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "answers.py"
    path.write_text(SCRIPT)
    return path


def test_a_function_answers(script: Path) -> None:
    name = f"{script}:echo"
    expected = Completion("Is it correct? 7", "stop", TokenUsage(7, 4), name)
    assert ask(scripted(name), seed=7) == expected


def test_a_function_of_a_module_answers(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(script.parent)
    assert ask(scripted("answers:echo")).text == "Is it correct? None"


def test_a_function_may_be_awaited_and_say_more(script: Path) -> None:
    assert ask(scripted(f"{script}:later")) == Completion("done", "stop", TokenUsage(1, 2), "other")


def test_a_function_may_fail_as_a_service_would(script: Path) -> None:
    with pytest.raises(OverloadError, match="too much"):
        ask(scripted(f"{script}:overloaded"))


def test_an_invalid_return_value_is_named(script: Path) -> None:
    with pytest.raises(ParameterError, match="must return a string or a Completion, got 3"):
        ask(scripted(f"{script}:broken"))


def test_an_object_that_can_be_called_answers(script: Path) -> None:
    assert ask(scripted(f"{script}:speaker")).text == "spoken"


@pytest.mark.parametrize("function", ["needs_more", "Speaker"])
def test_a_function_with_other_arguments_is_refused_before_a_request(
    script: Path, function: str
) -> None:
    with pytest.raises(ParameterError, match="must take two arguments, the messages and"):
        check_access(ModelSpec("scripted", f"{script}:{function}"))


@pytest.mark.parametrize(
    ("source", "problem"), [("x = (", "SyntaxError"), ("1 / 0", "line 1.*ZeroDivisionError")]
)
def test_a_file_with_an_error_is_refused_before_a_request(
    tmp_path: Path, source: str, problem: str
) -> None:
    (tmp_path / "answers.py").write_text(source)
    with pytest.raises(ParameterError, match=f"cannot be loaded.*{problem}"):
        check_access(ModelSpec("scripted", f"{tmp_path}/answers.py:answer"))


def test_a_long_answer_is_cut(script: Path) -> None:
    answer = ask(scripted(f"{script}:echo"), seed=7, max_tokens=2)
    assert (answer.text, answer.finish_reason) == ("Is it", "length")
    assert answer.usage.completion_tokens == 2
    whole = ask(scripted(f"{script}:echo"), seed=7, max_tokens=4)
    assert (whole.text, whole.finish_reason) == ("Is it correct? 7", "stop")


def test_rules_answer_by_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: [{when: correct, answers: [Yes it is, No way]}]\notherwise: [What]")
    answers = {ask(scripted(path), seed=seed).text for seed in range(10)}
    assert answers == {"Yes it is", "No way"}
    assert ask(scripted(path), seed=3) == ask(scripted(path), seed=3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt-4o", "must be module:function, file.py:function or a file of rules"),
        ("no_such_module_here:answer", "cannot be imported"),
        ("no_such_file.py:answer", "does not exist"),
        ("math:sqrt", r"must take two arguments.*got sqrt\(x, /\)"),
        ("nip.seeding:no_function", "needs a function 'no_function' in 'nip.seeding'"),
        ("no_such_file.yaml", "No such file"),
    ],
)
def test_missing_settings_are_reported_before_a_request(name: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        check_access(ModelSpec("scripted", name))
    with pytest.raises(ParameterError, match=message):
        scripted(name)
