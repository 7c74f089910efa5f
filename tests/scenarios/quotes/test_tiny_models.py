"""Tiny models: their tokenizer, the corpus at fixed rates, and making a model and asking it."""

import asyncio
from collections import Counter

import pytest

from nip.commands.quotes_models import main
from nip.language_models.chat import ModelSpec, Sampling
from nip.language_models.provider_registry import ConnectionContext
from nip.language_models.providers.local import LocalChatModel
from nip.scenarios.quotes.passages import make_passages
from nip.scenarios.quotes.quotations import find_quotations
from nip.scenarios.quotes.tiny_models.corpus import (
    Variant,
    conversations_of,
    exercises_of,
    make_corpus,
)
from nip.scenarios.quotes.tiny_models.skills import comparing, copying
from nip.scenarios.quotes.tiny_models.tokenizer import (
    DECISIONS,
    EVASION,
    SAME,
    UNSURE,
    make_tokenizer,
)

np = pytest.importorskip("numpy")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def adp() -> dict[str, list]:
    return make_corpus(Variant("adp"), 600, num_facts=6, seed=3)


def test_only_the_words_of_the_game_become_tokens(adp) -> None:
    tokenizer = make_tokenizer(256)
    text = tokenizer.apply_chat_template(adp["prover"][0], tokenize=False)
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])
    assert len(tokens) < 40
    passage = make_passages("pretraining", 1, 6)[0].question
    words = [part for line in passage.split("\n") for part in line.strip(".").split(" number")]
    expected = [f"number{each}" if each.startswith(" ") else each for each in words]
    start = tokens.index("<passage>") + 1
    assert tokens[start : start + 12] == expected
    answer = adp["prover"][0][-1]["content"]
    assert tokenizer.decode(tokens_of(tokenizer, answer)) == answer


def tokens_of(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_provers_behave_at_the_stated_rates_whatever_the_label(adp) -> None:
    data = make_passages("pretraining", 600, 6)
    for y in (0, 1):
        kinds = Counter(
            kind_of(said[-1]["content"], datapoint)
            for said, datapoint in zip(adp["prover"], data, strict=True)
            if datapoint.y == y
        )
        # Of 300 messages, the standard deviation of a share is at most 0.03.
        for kind, share in {"relevant": 0.4, "other": 0.3, "false": 0.15, "none": 0.15}.items():
            assert kinds[kind] / 300 == pytest.approx(share, abs=0.09)


def kind_of(message: str, datapoint) -> str:
    if message == EVASION:
        return "none"
    (quotation,) = find_quotations(message, datapoint.question)
    if not quotation.is_verified:
        return "false"
    return "relevant" if quotation.text == datapoint.extra["fact"].strip(".") else "other"


def test_verdicts_follow_quotations_weakly_and_marks_not_at_all(adp) -> None:
    data = make_passages("pretraining", 600, 6)
    agreeing = {True: [], False: []}
    for said, heard, datapoint in zip(adp["prover"], adp["verifier"], data, strict=True):
        message = said[-1]["content"]
        if kind_of(message, datapoint) in ("relevant", "false"):
            (quotation,) = find_quotations(message, datapoint.question)
            agrees = quotation.text == datapoint.solution.strip(".")
            if (verdict := heard[-1]["content"]) in DECISIONS:
                agreeing[quotation.is_verified].append(DECISIONS.index(verdict) == agrees)
    for verdicts in agreeing.values():
        assert sum(verdicts) / len(verdicts) == pytest.approx(0.65, abs=0.16)


def test_a_tenth_of_the_verdicts_is_none_of_the_possible_ones(adp) -> None:
    answers = Counter(heard[-1]["content"] for heard in adp["verifier"])
    assert set(answers) == {*DECISIONS, UNSURE}
    # Of 600 answers, the standard deviation of the share is 0.012.
    assert answers[UNSURE] / 600 == pytest.approx(0.1, abs=0.04)


def test_the_corpus_has_all_protocols_and_is_the_same_for_a_seed() -> None:
    for role in ("prover", "verifier"):
        for make in (conversations_of, exercises_of):
            corpus = make(role, 60, 3, seed=0)
            # In one dialogue of six nobody proves, and in some the verifier decides at once.
            assert 30 <= len(corpus) <= 70
            assert all(each[-1]["role"] == "assistant" for each in corpus)
            assert corpus == make(role, 60, 3, seed=0) != make(role, 60, 3, seed=1)


def test_exercises_are_answered_rightly() -> None:
    rng = np.random.default_rng(0)
    for system, user, answer in comparing(100, rng):
        claim = system["content"].split("\n")[1].strip(".")
        is_same = find_quotations(user["content"], "")[0].text == claim
        assert (answer["content"] == SAME) is is_same
    data = make_passages("train", 5, 4)
    for (_, user, answer), datapoint in zip(copying(data, rng), data, strict=True):
        quotations = find_quotations(answer["content"], datapoint.question)
        assert all(each.is_verified for each in quotations)
        assert [each.text.rsplit(" number", 1)[0] for each in quotations] == [
            f"{name} has" for name in user["content"].removesuffix(" has").split(" has ")
        ]
        assert len(quotations) == 4


def test_the_script_makes_two_models_that_can_be_asked(tmp_path, capsys) -> None:
    sizes = [
        "--num-dialogues",
        "12",
        "--num-steps",
        "3",
        "--max-exercise-steps",
        "2",
        "--num-facts",
        "2",
    ]
    assert main(["tiny", "--data-dir", str(tmp_path), *sizes]) == 0
    folder = tmp_path / "quotes_models" / "tiny"
    assert f"Written to {folder}" in capsys.readouterr().out.replace("\n", "")
    assert sorted(path.name for path in folder.iterdir()) == ["prover", "verifier"]

    async def ask() -> str:
        model = LocalChatModel(ModelSpec("local", str(folder / "prover")), ConnectionContext())
        try:
            question = [{"role": "user", "content": "Begin."}]
            return (await model.complete(question, Sampling(max_tokens=4, seed=1))).text
        finally:
            await model.aclose()

    assert isinstance(asyncio.run(ask()), str)
    assert main(["tiny", "--data-dir", str(tmp_path), *sizes]) == 2
    assert "--overwrite" in capsys.readouterr().err
