"""The mock models answer as specified, and use what they were trained on."""

import asyncio
import json
from pathlib import Path

import pytest

from nip.errors import ParameterError, UnknownNameError
from nip.language_models.chat import ChatMessage, Completion, Sampling, TokenUsage
from nip.language_models.errors import BadRequestError
from nip.language_models.server.mock_models import (
    MockAnswer,
    MockModel,
    MockRequest,
    TrainingExample,
    build_mock_model,
    check_mock_model,
    mock_model_registry,
    register_mock_model,
)
from tests.language_models.server.clients import ask, text_of, use

RULES = """
rules:
  - when: capital
    recall: true
    answers: [Paris, Rome]
otherwise: [No idea.]
"""


def request(text: str, seed: int = 0, data=None) -> MockRequest:
    return MockRequest("m", [ChatMessage(role="user", content=text)], Sampling(), seed, data)


def example(text: str, answer: str) -> TrainingExample:
    return TrainingExample((ChatMessage(role="user", content=text),), answer)


def answer(model: MockModel, *arguments) -> str:
    return asyncio.run(model.answer(request(*arguments))).text


def test_the_built_in_mock_models() -> None:
    assert mock_model_registry.names() == ["dialogue", "echo", "local"]


def test_dialogue_follows_rules_and_memorises_training_examples(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    model = build_mock_model("dialogue", str(path))
    text = "The capital?"
    assert {answer(model, text, seed) for seed in range(9)} == {"Paris", "Rome"}
    assert answer(model, "The weather?") == "No idea."
    data = model.train(None, [example(text, "Bern"), example("The weather?", "Rain")], "supervised")
    assert json.loads(json.dumps(data)) == data
    assert answer(model, text, 0, data) == "Bern"
    # A rule without recall, or none at all, recalls nothing.
    assert answer(model, "The weather?", 0, data) == "No idea."
    later = model.train(data, [example(text, "Oslo")], "supervised")
    assert answer(model, text, 0, later) == "Oslo" and len(later) == 2


def test_the_default_rules_decide_with_the_requested_words() -> None:
    model = build_mock_model("dialogue")
    texts = {answer(model, "`Decision: guilty` or `Decision: free`.", seed) for seed in range(9)}
    assert {text.splitlines()[-1] for text in texts} == {"Decision: guilty", "Decision: free"}
    assert "Decision" not in answer(model, "What do you think?")


def test_a_custom_mock_model_can_be_registered() -> None:
    @register_mock_model("shouting")
    class ShoutingModel(MockModel):
        async def answer(self, request: MockRequest) -> MockAnswer:
            return MockAnswer(request.messages[-1]["content"].upper())

        def train(self, base_model_data, examples, method):
            return base_model_data

    try:
        assert use(lambda client, _: text_of(client), brain="shouting") == "HELLO"
    finally:
        mock_model_registry.unregister("shouting")


def test_unknown_models_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'echo'"):
        check_mock_model("ecko")
    for name, file in (("echo", "x"), ("local", None), ("local", str(tmp_path))):
        with pytest.raises(ParameterError):
            check_mock_model(name, file)
    check_mock_model("dialogue")


class FakeModel:
    """Replaces a model in a folder, which would need torch."""

    def __init__(self) -> None:
        self.asked: list[Sampling] = []
        self.is_closed = False

    async def complete(self, messages, sampling: Sampling) -> Completion:
        self.asked.append(sampling)
        if messages[-1]["content"] == "too long":
            raise BadRequestError("The conversation is too long.")
        return Completion("generated", "length", TokenUsage(), "folder")

    async def aclose(self) -> None:
        self.is_closed = True


def test_local_generates_with_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nip.language_models.server.mock_models import local

    model = FakeModel()
    monkeypatch.setattr(local, "check_access", lambda spec: None)
    monkeypatch.setattr(local, "build_chat_model", lambda spec, context: model)

    async def work(client, endpoint):
        import openai

        choice = (await ask(client, seed=5, temperature=0.5)).choices[0]
        with pytest.raises(openai.BadRequestError, match="too long"):
            await ask(client, "too long")
        with pytest.raises(ParameterError, match="cannot be trained"):
            endpoint.mock_model.train(None, [], "supervised")
        return choice

    choice = use(work, brain="local", brain_file=str(tmp_path))
    assert (choice.message.content, choice.finish_reason) == ("generated", "length")
    assert model.asked[0] == Sampling(temperature=0.5, seed=5)
    assert model.is_closed
