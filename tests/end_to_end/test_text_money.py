"""A budget holds on the side of the service, and failures neither end a run nor pass silently."""

from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.language_models.errors import BudgetExceededError
from nip.trainers.text.stage_limits import TooManyFailuresError
from tests.command_line_process import run_command_line
from tests.end_to_end.rehearsals import (
    books_of_the_endpoint,
    records,
    rehearse,
    result_of,
)
from tests.end_to_end.text_runs import everything

FAULTS = [
    "cut_connection",
    "empty_choices",
    "malformed_json",
    "overload",
    "rate_limit",
    "rate_limit_ms",
    "server_error",
    "slow",
    "timeout",
    "content_filter",
    "invalid_answer",
    "truncated",
]
TOLERANT = {"max_failed_share": 1.0, "max_invalid_share": 1.0}


def price_file(tmp_path: Path, **prices: float) -> str:
    """Return a file with the prices of the mock model, before and after fine-tuning."""
    listed = ", ".join(f"{name}: {value}" for name, value in prices.items())
    path = tmp_path / "prices.yaml"
    path.write_text(
        "".join(f"{name}: {{{listed}}}\n" for name in ("gpt-4o-mini", "ft:gpt-4o-mini"))
    )
    return str(path)


def billed_by_the_service(runs_dir: Path, **prices: float) -> float:
    """Return the dollars for all that the service generated and trained."""
    billed = books_of_the_endpoint(runs_dir).billed
    kinds = {"prompt": "prompt_tokens", "completion": "completion_tokens"}
    kinds["training"] = "trained_tokens"
    return sum(prices[name] * billed.get(kind, 0) for name, kind in kinds.items()) / 1e6


@pytest.mark.parametrize("faults", [[], [f"{name}?rate=0.05" for name in FAULTS]])
def test_a_dollar_and_a_hundred_calls_at_once_cost_at_most_a_dollar(
    faults: list[str], tmp_path: Path
) -> None:
    # A call of a verifier or a prover costs about 15 cents, of which its prompt takes most.
    prices = {"prompt": 250.0, "completion": 400.0, "training": 300.0}
    settings = {
        "prices": price_file(tmp_path, **prices),
        "max_cost": 1.0,
        "max_concurrency": 100,
        **TOLERANT,
    }
    with pytest.raises(BudgetExceededError, match=r"max_cost is \$1"):
        rehearse(
            tmp_path,
            *faults,
            settings=settings,
            rl={"num_iterations": 1, "rollouts_per_iteration": 100},
            text_rl={"test_scheme": "none"},
        )
    spent = billed_by_the_service(tmp_path, **prices)
    assert 0 < spent <= 1.0
    result = result_of(tmp_path)
    assert result["status"] == "failed"
    if not faults:
        assert result["cost"] == pytest.approx(spent)
        assert result["tokens"] == sum(books_of_the_endpoint(tmp_path).billed.values())


def test_starting_again_does_not_spend_more_than_the_budget(tmp_path: Path) -> None:
    prices = {"prompt": 250.0, "completion": 400.0, "training": 300.0}
    settings = {"prices": price_file(tmp_path, **prices), "max_cost": 1.0, "max_concurrency": 9}
    spent = []
    for _ in range(4):
        with pytest.raises(BudgetExceededError, match=r"max_cost is \$1"):
            rehearse(tmp_path, settings=settings, rl={"rollouts_per_iteration": 100})
        spent.append(billed_by_the_service(tmp_path, **prices))
    assert max(spent) <= 1.0
    assert spent[1:] == [spent[1]] * 3
    assert result_of(tmp_path)["cost"] == pytest.approx(spent[-1])


def test_a_budget_that_jobs_would_exceed_stops_before_they_are_created(tmp_path: Path) -> None:
    prices = {"prompt": 1.0, "completion": 1.0, "training": 1000.0}
    settings = {"prices": price_file(tmp_path, **prices), "max_cost": 5.0}
    with pytest.raises(BudgetExceededError, match=r"the fine-tuning of group .* can cost up to"):
        rehearse(tmp_path, settings=settings)
    assert books_of_the_endpoint(tmp_path).num_jobs == 0
    rehearse(tmp_path, settings={**settings, "max_cost": 1000.0})
    bill = result_of(tmp_path)["bill"]
    assert bill["cost"] == pytest.approx(billed_by_the_service(tmp_path, **prices))
    assert bill["training_cost"] > 5.0
    assert bill["trained_tokens"] == books_of_the_endpoint(tmp_path).billed["trained_tokens"]


def test_a_budget_without_a_price_is_refused(tmp_path: Path) -> None:
    scripted = {"base_url": "http://localhost:1/v1", "model_name": "of-mine"}
    for prices, kind in (
        ({}, "prompt and completion"),
        ({"prompt": 1, "completion": 1}, "training"),
    ):
        path = tmp_path / "own.yaml"
        listed = ", ".join(f"{name}: {value}" for name, value in prices.items())
        path.write_text(
            f"{'of-mine' if prices else 'other'}: {{{listed or 'prompt: 1, completion: 1'}}}\n"
        )
        with pytest.raises(ParameterError, match=rf"max_cost=1 .*'of-mine' \({kind}\)"):
            rehearse(
                tmp_path,
                settings={"max_cost": 1.0, "prices": str(path)},
                agents={"_default": {**scripted, "use_dummy_api": False}},
            )
    assert not (tmp_path / "run").exists()


def test_paid_answers_without_text_are_counted(tmp_path: Path) -> None:
    prices = {"prompt": 1.0, "completion": 1.0, "training": 0.0}
    settings = {"prices": price_file(tmp_path, **prices)}
    rehearse(tmp_path, "empty_choices?request=chat", settings=settings)
    assert result_of(tmp_path)["cost"] == pytest.approx(billed_by_the_service(tmp_path, **prices))
    assert books_of_the_endpoint(tmp_path).faults["empty_choices"] > 10


def test_lasting_faults_of_five_per_cent_change_no_statistic(tmp_path: Path) -> None:
    left = []
    for name, faults in (("with", [f"{name}?rate=0.05" for name in FAULTS[:9]]), ("without", [])):
        rehearse(tmp_path / name, *faults, "authentication?rate=0.01&request=read")
        left.append(everything(tmp_path / name))
    assert left[0] == left[1]


def test_a_model_that_answers_nothing_stops_within_the_first_stage(tmp_path: Path) -> None:
    with pytest.raises(TooManyFailuresError, match=r"no answer was valid.*max_invalid_share=0.2"):
        rehearse(
            tmp_path,
            "invalid_answer?rate=1",
            every_agent={"num_invalid_generation_retries": 1},
        )
    assert result_of(tmp_path)["status"] == "failed"
    assert records(tmp_path, "test") == []
    books = books_of_the_endpoint(tmp_path)
    # The first message of each of the twelve dialogues, and those after it: no other stage.
    assert books.num_requests <= 12 * 4 * 2


def test_too_many_failures_end_with_exit_code_2_and_a_message(tmp_path: Path) -> None:
    command = [
        "experiment=cv_nip_ei_rehearsal",
        "rl.num_iterations=1",
        "rl.rollouts_per_iteration=20",
        "text_rl.test_scheme=none",
        "run_id=run",
        "settings.runs_dir=.",
        'rehearsal.faults=["content_filter?rate=0.3"]',
    ]
    stopped = run_command_line(command, tmp_path)
    assert stopped.exit_code == 2
    assert (
        "of 20 rollouts failed, which is more than settings.max_failed_share=0.2" in stopped.stderr
    )
    assert "Traceback" not in stopped.stderr
    again = run_command_line([*command, "settings.max_failed_share=0.99"], tmp_path)
    assert again.exit_code == 0
    text = " ".join(again.stdout.split())
    for words in (
        "failed_share",
        "invalid_share",
        "undecided_share",
        "Whole run",
        "cost",
        "tokens",
    ):
        assert words in text
    result = result_of(tmp_path)
    assert result["failed_share"] > 0.2
    assert result["failed_share"] == pytest.approx(result["metrics"]["failed_share"])
    assert result["undecided_share"] == result["metrics"]["undecided_share"]
