"""Programs of a language model are extracted from answers and verified like generated ones."""

import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from nip.commands.code_validation_dataset import main
from nip.errors import ParameterError
from nip.language_models.chat import ChatMessage, Completion, ModelSpec, Sampling, TokenUsage
from nip.language_models.errors import AuthenticationError, ContentFilterError, LanguageModelError
from nip.language_models.provider_registry import ConnectionContext
from nip.language_models.server import EndpointOptions, create_app
from nip.language_models.server.mock_models.mock_model import MockAnswer, MockModel, MockRequest
from nip.language_models.server.mock_models.registry import mock_model_registry
from nip.scenarios.code_validation.generation.dataset_builder import (
    DatasetBuilderParameters,
    make_dataset,
)
from nip.scenarios.code_validation.generation.language_model_author import (
    LanguageModelAuthor,
    parse_model,
    program_in,
)
from nip.scenarios.code_validation.generation.mutations.mutants import make_mutants
from nip.scenarios.code_validation.generation.rewrites.variants import rewrite
from nip.scenarios.code_validation.generation.sandbox.isolation import MODES
from nip.scenarios.code_validation.problems.collection import choose_problems

PROBLEMS = choose_problems(["run_lengths", "days_left_in_year"])
PARAMETERS = DatasetBuilderParameters(num_datapoints=4, test_share=0.5)
GENERATION = "nip.scenarios.code_validation.generation"


@pytest.fixture(autouse=True)
def few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run programs on fewer inputs, and stop earlier, which is faster."""
    monkeypatch.setattr(f"{GENERATION}.problem_tests.NUM_GENERATED_INPUTS", 30)
    monkeypatch.setattr(f"{GENERATION}.pair_generator.MAX_FAILED_REQUESTS", 3)


def write(messages: Sequence[ChatMessage], sampling: Sampling) -> str:
    """Play a model that writes programs: every third one as asked for."""
    content = messages[-1]["content"]
    (program,) = re.findall(r"```python\n(.*?)```", content, re.DOTALL)
    generator = random.Random(sampling.seed)
    answer = rewrite(program, generator)
    if "Change it" in content:
        answer = make_mutants(program, 1, generator)[0].program
    kind = generator.randrange(3)
    if kind == 1:
        return "I am sorry, I cannot do that."
    return f"Sure!\n\n```python\n# As asked.\n{answer}```\nIs that fine?" if kind else answer


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModelSpec]:
    """Let a function play the model."""

    def play(function: Callable[..., str | Completion]) -> ModelSpec:
        monkeypatch.setattr(
            "nip.language_models.providers.scripted.load_answers", lambda _: function
        )
        return ModelSpec("scripted", "any:function")

    return play


def test_a_model_can_write_the_programs(scripted: Callable[..., ModelSpec]) -> None:
    with LanguageModelAuthor(scripted(write)) as author:
        splits = make_dataset(PROBLEMS, PARAMETERS, author=author)
        again = make_dataset(PROBLEMS, PARAMETERS, num_workers=2, author=author)
    assert splits == again
    for datapoints in splits.values():
        assert sorted(each.y for each in datapoints) == [0, 1]
        for each in datapoints:
            assert (each.origin, each.mutation) == ("language_model", None)
            assert (each.failing_input is not None) == (each.y == 0)
            assert "#" not in each.solution


def test_what_a_model_calls_buggy_is_not_believed(scripted: Callable[..., ModelSpec]) -> None:
    def write_nothing_wrong(messages: Sequence[ChatMessage], sampling: Sampling) -> str:
        (program,) = re.findall(r"```python\n(.*?)```", messages[-1]["content"], re.DOTALL)
        return rewrite(program, random.Random(sampling.seed))

    refused = pytest.raises(ParameterError, match="yield only 0 different ones")
    with LanguageModelAuthor(scripted(write_nothing_wrong)) as author, refused:
        make_dataset(PROBLEMS, PARAMETERS, author=author)


HOSTILE = (
    # Deletes all that it finds, once it has climbed out.
    """
def solve(*x):
    match print:
        case object(__globals__=names):
            names["HARMLESS_EVENTS"] = {"open", "os.remove", "import"}
            names["sys"].modules["posix"].unlink("CANARY")
""",
    # Writes more than anybody wants to read, and ends before it says so.
    """
def solve(*x):
    match print:
        case object(__globals__=names):
            while True:
                names["sys"].modules["posix"].write(1, b"x" * 10**6)
""",
    # Claims what no program can return.
    """
def solve(*x):
    match print:
        case object(__globals__=names):
            names["json"].dumps = lambda *_, **__: '{"outcomes": [["verdict", "true"]]}'
""",
    # Is too deep for being written as a text.
    "def solve(*x):\n    return " + "not " * 900 + "x\n",
)


def test_hostile_programs_neither_do_harm_nor_end_the_making(
    scripted: Callable[..., ModelSpec], tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    canary.touch()
    numbers = itertools.count()

    def write_hostile_ones(messages: Sequence[ChatMessage], sampling: Sampling) -> str:
        if (number := next(numbers)) % 3:
            return write(messages, sampling)
        return HOSTILE[number % len(HOSTILE)].replace("CANARY", str(canary))

    with LanguageModelAuthor(scripted(write_hostile_ones)) as author:
        splits = make_dataset(PROBLEMS, PARAMETERS, author=author)
    assert canary.exists()
    solutions = [each.solution for datapoints in splits.values() for each in datapoints]
    assert len(solutions) == 4
    assert not any("match print" in solution for solution in solutions)


@pytest.mark.parametrize(
    ("error", "expected"),
    [(AuthenticationError, AuthenticationError), (ContentFilterError, ParameterError)],
)
def test_an_error_ends_the_making_only_if_asking_further_is_of_no_use(
    scripted: Callable[..., ModelSpec], error: type[LanguageModelError], expected: type[Exception]
) -> None:
    def fail(*_: object) -> str:
        raise error("no")

    with LanguageModelAuthor(scripted(fail)) as author, pytest.raises(expected):
        make_dataset(PROBLEMS, PARAMETERS, num_workers=2, author=author)


def test_an_interruption_does_not_wait_for_answers(scripted: Callable[..., ModelSpec]) -> None:
    import asyncio

    async def never(*_: object) -> str:
        if not author._is_stopped:
            author.stop()
            await asyncio.sleep(600)
        raise AssertionError("asked after the end")

    with LanguageModelAuthor(scripted(never)) as author, pytest.raises(BaseException):  # noqa: B017, PT011
        make_dataset(PROBLEMS, PARAMETERS, num_workers=2, author=author)


class WritingModel(MockModel):
    """Plays the model within the local endpoint."""

    async def answer(self, request: MockRequest) -> MockAnswer:
        return MockAnswer(write(request.messages, Sampling(seed=request.seed)))

    def train(self, *_: object) -> None:
        raise NotImplementedError


@pytest.fixture
def endpoint() -> Iterator[object]:
    mock_model_registry.register("writing", WritingModel)
    yield create_app(EndpointOptions(brain="writing"))
    mock_model_registry.unregister("writing")


def test_the_local_endpoint_can_play_the_model(endpoint) -> None:
    context = ConnectionContext(rehearsal_app=endpoint)
    spec = ModelSpec("rehearsal", "gpt-4o-mini-2024-07-18")
    with LanguageModelAuthor(spec, context) as author:
        splits = make_dataset(PROBLEMS, PARAMETERS, author=author)
    assert {split: len(datapoints) for split, datapoints in splits.items()} == {
        "train": 2,
        "test": 2,
    }


def test_the_command_line_takes_a_model(
    working_folder: Path, scripted: Callable[..., ModelSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    scripted(write)
    arguments = ["mine", "--num-datapoints", "4", "--test-share", "0.5", "--workers", "1"]
    arguments += ["--problems", "run_lengths", "days_left_in_year"]
    assert main([*arguments, "--language-model", "scripted:any:function"]) == 0
    metadata = Path("data/code_validation/mine/metadata.json").read_text()
    assert '"language_model": "scripted:any:function"' in metadata
    assert '"language_model": 2' in metadata
    isolation = json.loads(metadata)["isolation"]
    assert isolation in MODES
    assert f"Programs are run in isolation '{isolation}': a" in capsys.readouterr().out
    assert main([*arguments, "--overwrite", "--language-model", "openai"]) == 2
    assert "must be provider:model" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--language-model", "opnai:gpt"]) == 2
    assert "Did you mean 'openai'?" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--base-url", "http://localhost:1/v1"]) == 2
    assert "--base-url" in capsys.readouterr().err


def test_a_budget_holds_and_answers_are_paid_once_over_several_starts(
    working_folder: Path, scripted: Callable[..., ModelSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    asked: Counter[tuple[str, int | None]] = Counter()

    def count(messages: Sequence[ChatMessage], sampling: Sampling) -> Completion:
        asked[messages[-1]["content"], sampling.seed] += 1
        # 10 cents an answer, at most 40.
        return Completion(write(messages, sampling), "stop", TokenUsage(0, 1000), "any")

    scripted(count)
    Path("prices.yaml").write_text("any:function: {prompt: 0, completion: 100}\n")
    arguments = ["mine", "--num-datapoints", "4", "--test-share", "0.5", "--workers", "1"]
    arguments += ["--problems", "run_lengths", "days_left_in_year"]
    arguments += ["--language-model", "scripted:any:function", "--prices", "prices.yaml"]
    assert main([*arguments, "--max-cost", "0.5"]) == 2
    assert "max-cost is $0.5" in capsys.readouterr().err
    # The second answer of 10 cents would leave less than 40 cents for the next one.
    assert asked.total() == 2
    assert not Path("data/code_validation/mine").exists()
    assert main([*arguments, "--max-cost", "0.55"]) == 2
    assert "spent $0.2000" in capsys.readouterr().err
    assert asked.total() == 2
    assert main([*arguments, "--max-cost", "100"]) == 0
    assert set(asked.values()) == {1}
    tokens = 1000 * asked.total()
    assert f"{tokens:,} tokens, cost ${tokens / 1e4:,.4f}" in capsys.readouterr().out
    assert not list(Path("data/code_validation/.answers").glob("*.db"))


def test_a_budget_without_a_price_or_a_model_is_refused(
    working_folder: Path, scripted: Callable[..., ModelSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    scripted(write)
    model = ["--language-model", "openai:of-mine", "--base-url", "http://localhost:1/v1"]
    assert main(["mine", *model, "--max-cost", "1"]) == 2
    error = capsys.readouterr().err
    assert "--max-cost=1 cannot be kept" in error and "'of-mine'" in error and "--prices" in error
    for option in (["--max-cost", "1.5"], ["--prices", "prices.yaml"]):
        assert main(["mine", *option]) == 2
        assert f"{option[0]} {option[1]} has no effect" in capsys.readouterr().err


def test_models_are_named_with_their_provider() -> None:
    assert parse_model("openai:ft:gpt-4o:x", "http://localhost/v1") == ModelSpec(
        "openai", "ft:gpt-4o:x", "http://localhost/v1"
    )


SOLVE = "def solve(x):\n    return x\n"


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (SOLVE, SOLVE),
        (f"```python\n{SOLVE}```", SOLVE),
        (f"First:\n```\n1 / 0\n```\nBetter:\n```py\n{SOLVE}# end\n```\nDone.", SOLVE),
        ("There is nothing to change.", None),
        ("```python\ndef other(x):\n    return x\n```", None),
        (f"```python\nimport os\n{SOLVE}```", None),
        (f"{SOLVE}x = 0x{'f' * 5000}", None),
        (f"{SOLVE}x = [{'1,' * 9000}]", None),
        (f"{SOLVE}x = {'not ' * 900}x", None),
    ],
)
def test_the_program_is_found_in_the_answer(answer: str, program: str | None) -> None:
    assert program_in(answer) == program
