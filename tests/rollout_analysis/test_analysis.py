"""Answers to one question: attempts, findings, and what is stored."""

import asyncio

import numpy as np
import pytest

from nip.errors import ParameterError
from nip.language_models.chat import Completion, ModelSpec, TokenUsage
from nip.language_models.errors import BadRequestError, LanguageModelError, ModelTimeoutError
from nip.rollout_analysis.analyser import Analyser, ComputedAnalyser, ModelAnalyser
from nip.rollout_analysis.analysis import NUM_SEEDS, UNREADABLE, Analysis, model_of
from tests.rollout_analysis.subjects import subject_of
from tests.scenario_base.text.dialogues import PLAN

MODEL = ModelSpec("openai", "judge")


class Asks(ModelAnalyser):
    name = "asks"
    question = "is right"
    prompt = "Is $agent_name right about $question?"

    def agents(self, protocol):
        return protocol.prover_names


class NeverApplies(Asks):
    name = "never"

    def applies(self, subject):
        return False


class Computes(ComputedAnalyser):
    name = "computes"
    question = "has spoken"

    def agents(self, protocol):
        return protocol.prover_names

    def compute(self, subject):
        return bool(subject.messages)


class ScriptedEngine:
    """Returns the given answers, or raises them, and keeps the calls."""

    def __init__(self, *answers: str | LanguageModelError) -> None:
        self.answers = list(answers)
        self.calls = []

    async def complete(self, call):
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, LanguageModelError):
            raise answer
        return Completion(answer, "stop", TokenUsage(1, 1), "judge")


def analysis_of(analyser: Analyser) -> Analysis:
    return Analysis(analyser, subject_of("prover"), MODEL, seed=7)


def answer(analyser: Analyser, engine: ScriptedEngine):
    return asyncio.run(analysis_of(analyser).answer(engine))


@pytest.mark.parametrize("value", [None, "no", 0])
def test_an_answer_that_is_no_bool_is_refused(monkeypatch, value):
    monkeypatch.setattr(Computes, "compute", lambda _self, _subject: value)
    message = f"compute of the analyser 'computes' must return True, False, got {value!r}"
    with pytest.raises(ParameterError, match=message):
        answer(Computes(), ScriptedEngine())
    monkeypatch.setattr(Asks, "read", lambda _self, _answer: "yes")
    with pytest.raises(ParameterError, match=r"read of the analyser 'asks' .* or None, got 'yes'"):
        answer(Asks(), ScriptedEngine("yes"))


def test_an_answer_of_numpy_counts(monkeypatch):
    monkeypatch.setattr(Computes, "compute", lambda _self, _subject: np.bool_(True))
    assert answer(Computes(), ScriptedEngine()).finding == "yes"


def test_a_readable_answer_takes_one_call():
    engine = ScriptedEngine("It is.\nAnswer: yes")
    row = answer(Asks(), engine)
    assert (row.finding, row.answer, row.num_retries) == ("yes", "It is.\nAnswer: yes", 0)
    assert (row.model, row.agent, row.place) == (
        "openai:judge",
        "prover",
        ("train", 1, PLAN.position, "prover"),
    )
    (call,) = engine.calls
    assert call.messages[0]["content"].startswith("Is prover right about ")
    assert call.key == f"{analysis_of(Asks()).key}/0"
    assert 0 <= call.sampling.seed < NUM_SEEDS


def test_an_unreadable_answer_is_asked_again_with_another_seed_and_key():
    engine = ScriptedEngine("Well.", "Answer: no")
    row = answer(Asks(), engine)
    assert (row.finding, row.num_retries) == ("no", 1)
    first, second = engine.calls
    assert second.messages[-2:] == [
        {"role": "assistant", "content": "Well."},
        {"role": "user", "content": UNREADABLE},
    ]
    assert first.sampling.seed != second.sampling.seed
    assert second.key.endswith("/1")


def test_four_unreadable_answers_make_it_unknown():
    row = answer(Asks(), ScriptedEngine("a", "b", "c", "d"))
    assert (row.finding, row.answer, row.num_retries) == ("unknown", "d", 3)


def test_a_refused_call_makes_it_unknown_and_a_timeout_is_raised():
    row = answer(Asks(), ScriptedEngine(BadRequestError("too long")))
    assert (row.finding, row.answer) == ("unknown", "BadRequestError: too long")
    with pytest.raises(ModelTimeoutError):
        answer(Asks(), ScriptedEngine(ModelTimeoutError("late")))


def test_without_a_model_nothing_is_called():
    engine = ScriptedEngine()
    assert answer(Computes(), engine).finding == "no"
    assert answer(NeverApplies(), engine).finding == "not_applicable"
    assert not engine.calls
    assert (model_of(Computes(), MODEL), model_of(Asks(), MODEL)) == ("", "openai:judge")
    assert not analysis_of(NeverApplies()).needs_model
    assert analysis_of(Asks()).needs_model


def test_a_lone_surrogate_in_an_answer_is_replaced():
    # SQLite could not store it.
    row = answer(Asks(), ScriptedEngine("\ud800\nAnswer: yes"))
    assert row.answer == "\N{REPLACEMENT CHARACTER}\nAnswer: yes"
    row = answer(Asks(), ScriptedEngine(BadRequestError("\ud800")))
    assert row.answer == "BadRequestError: \N{REPLACEMENT CHARACTER}"
