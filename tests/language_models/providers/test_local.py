"""Local models give the same completions in a batch as alone."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import ChatMessage, ChatModel, Completion, ModelSpec, Sampling
from nip.language_models.errors import (
    BadRequestError,
    ModelConnectionError,
    ModelTimeoutError,
)
from nip.language_models.provider_registry import (
    ConnectionContext,
    build_chat_model,
    check_access,
)
from tests.language_models.local_model.tiny_model import make_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny"))


def local(folder: Path, **context: float) -> ChatModel:
    return build_chat_model(ModelSpec("local", str(folder)), ConnectionContext(**context))


def conversation(text: str) -> list[ChatMessage]:
    return [
        ChatMessage(role="system", content="You are a verifier."),
        ChatMessage(role="user", content=text),
    ]


def ask_together(
    folder: Path, texts: list[str], samplings: list[Sampling], **context: float
) -> list[Completion]:
    async def run() -> list[Completion]:
        model = local(folder, **context)
        try:
            pairs = zip(texts, samplings, strict=True)
            return await asyncio.gather(
                *(model.complete(conversation(text), sampling) for text, sampling in pairs)
            )
        finally:
            await model.aclose()

    return asyncio.run(run())


TEXTS = ["Is it correct?", "def add(a, b): return a + b", "x" * 40, "Decision", "?", "a b c d"]
SAMPLINGS = [
    Sampling(temperature=0.0, max_tokens=12),
    Sampling(max_tokens=20, seed=1),
    Sampling(temperature=0.5, max_tokens=1, seed=2),
    Sampling(temperature=1.5, top_p=0.5, max_tokens=16, seed=3),
    Sampling(top_p=0.9, max_tokens=9, seed=4),
    Sampling(max_tokens=20, seed=1),
]


def test_completions_do_not_depend_on_the_rest_of_the_batch(folder: Path) -> None:
    together = ask_together(folder, TEXTS, SAMPLINGS)
    alone = ask_together(folder, TEXTS, SAMPLINGS, max_batch_size=1)
    reversed_order = ask_together(folder, TEXTS[::-1], SAMPLINGS[::-1], max_batch_size=4)
    assert together == alone == reversed_order[::-1]
    assert len({answer.text for answer in together}) == len(TEXTS)


def test_the_seed_decides(folder: Path) -> None:
    seeds = [1, 2, 3, 1]
    samplings = [Sampling(max_tokens=20, seed=seed) for seed in seeds]
    answers = ask_together(folder, ["Is it correct?"] * 4, samplings)
    assert answers[0] == answers[3]
    assert len({answer.text for answer in answers}) == 3


def test_tokens_are_counted_and_the_limit_holds(folder: Path) -> None:
    samplings = [Sampling(max_tokens=num, seed=5) for num in (1, 7)]
    short, long = ask_together(folder, ["Decision"] * 2, samplings)
    assert (short.usage.completion_tokens, short.finish_reason) == (1, "length")
    assert (long.usage.completion_tokens, long.finish_reason) == (7, "length")
    assert long.text.startswith(short.text)
    # <|system|> + the words + <|end|> + <|user|> + the word + <|end|> + <|assistant|>
    assert short.usage.prompt_tokens == long.usage.prompt_tokens > 5


def test_the_end_token_ends_an_answer(folder: Path) -> None:
    sampling = [Sampling(temperature=3.0, seed=seed) for seed in range(8)]
    answers = ask_together(folder, ["Decision"] * 8, sampling)
    ended = [answer for answer in answers if answer.finish_reason == "stop"]
    assert ended
    assert all("<|end|>" not in answer.text for answer in ended)


def test_a_stop_text_ends_an_answer_before_it(folder: Path) -> None:
    plain = [Sampling(max_tokens=20, seed=seed) for seed in range(6)]
    whole = ask_together(folder, ["Decision"] * 6, plain)
    stops = [answer.text[4:7] for answer in whole]
    assert all(stops)
    stopping = [
        replace(each, stop=(stop, "never")) for each, stop in zip(plain, stops, strict=True)
    ]
    # One row without a stop text among them, which goes on.
    together = ask_together(folder, ["Decision"] * 7, [*stopping, plain[0]])
    assert together[-1] == whole[0]
    for answer, full, stop in zip(together, whole, stops, strict=False):
        assert answer.text == full.text[: full.text.find(stop)]
        assert answer.finish_reason == "stop"
        assert answer.usage.completion_tokens < full.usage.completion_tokens


def test_only_the_conversation_that_is_too_long_is_refused(folder: Path) -> None:
    async def run() -> list[Completion | BaseException]:
        model = local(folder)
        sampling = Sampling(max_tokens=5, seed=0)
        questions = [conversation("short"), conversation("9 z" * 200)]
        try:
            return await asyncio.gather(
                *(model.complete(each, sampling) for each in questions), return_exceptions=True
            )
        finally:
            await model.aclose()

    answer, refusal = asyncio.run(run())
    assert isinstance(answer, Completion)
    assert isinstance(refusal, BadRequestError)
    assert "the context length of the model is 160" in str(refusal)


def test_an_answer_fits_into_what_is_left_of_the_context(folder: Path) -> None:
    (answer,) = ask_together(folder, ["Decision"], [Sampling(temperature=0.0, max_tokens=1000)])
    assert answer.usage.total_tokens <= 160


def test_the_event_loop_stays_free(folder: Path) -> None:
    async def run() -> int:
        model = local(folder)
        task = asyncio.create_task(model.complete(conversation("a"), Sampling(max_tokens=20)))
        num_turns = 0
        while not task.done():
            await asyncio.sleep(0.001)
            num_turns += 1
        await model.aclose()
        return num_turns

    assert asyncio.run(run()) > 5


def test_a_slow_answer_times_out_and_a_closed_model_says_so(folder: Path) -> None:
    async def run() -> BaseException | None:
        model = local(folder, timeout_s=0.02)
        with pytest.raises(ModelTimeoutError, match=r"no answer within 0\.02 s"):
            await model.complete(conversation("a"), Sampling(temperature=0.0))
        await model.aclose()
        model = local(folder)
        task = asyncio.create_task(model.complete(conversation("a"), Sampling(temperature=0.0)))
        await asyncio.sleep(0.02)
        await model.aclose()
        await asyncio.wait([task])
        return task.exception()

    assert isinstance(asyncio.run(run()), ModelConnectionError)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("", "does not exist. Download the model with: hf download"),
        ("config.json", "has no config.json"),
        ("model.safetensors", r"has no \*.safetensors. Other weight formats"),
    ],
)
def test_an_unusable_folder_is_reported_before_loading(
    folder: Path, tmp_path: Path, missing: str, message: str
) -> None:
    copy = tmp_path / "copy"
    if missing:
        shutil.copytree(folder, copy)
        (copy / missing).unlink()
    with pytest.raises(ParameterError, match=message):
        check_access(ModelSpec("local", str(copy)))


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("data/quotes_models/tiny/prover", "scripts/create_quotes_models.py tiny"),
        (
            "/my data/quotes_models/tiny/verifier",
            "scripts/create_quotes_models.py tiny --data-dir '/my data'",
        ),
    ],
)
def test_a_missing_model_that_a_script_makes_names_the_script(folder: str, command: str) -> None:
    with pytest.raises(ParameterError) as caught:
        check_access(ModelSpec("local", folder))
    assert str(caught.value).endswith(f"which does not exist. Make it with: python {command}")


def test_a_broken_folder_is_reported(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ParameterError, match="cannot be loaded"):
        ask_together(copy, ["a"], [Sampling()])


def test_a_missing_library_is_named_with_its_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r"pip install 'nip\[lm-local\]'"):
        check_access(ModelSpec("local", str(folder)))
