"""Whatever a service does, a run ends well, or stops so that it can be gone on with."""

from pathlib import Path
from typing import Any

import pytest

from nip.language_models.errors import (
    AuthenticationError,
    LanguageModelError,
    QuotaError,
    UnknownModelError,
)
from nip.language_models.server.faults import fault_registry
from nip.trainers.text.sampling import AllRolloutsFailedError
from tests.end_to_end.rehearsals import (
    NUM_TRAIN,
    Record,
    books_of_the_endpoint,
    records,
    rehearse,
    result_of,
    share,
)
from tests.end_to_end.text_runs import everything

PASSING = [
    "cut_connection",
    "empty_choices",
    "malformed_json",
    "overload",
    "rate_limit",
    "rate_limit_ms",
    "server_error",
    "slow",
    "timeout",
]
"""Faults of some requests; the next try may get through."""

PASSING_ONCE = ["create_lost", "create_refused", "job_slow", "upload_lost"]
"""Faults of fine-tuning, of which there is too little for a share of it to mean anything."""

STOPPING: dict[str, type[LanguageModelError]] = {
    "authentication": AuthenticationError,
    "quota": QuotaError,
    "unknown_model": UnknownModelError,
}
"""Faults that no retry can mend, and the errors by which a run stops."""

OF_ANSWERS = ["content_filter", "invalid_answer", "truncated"]
"""Faults that stick to what is asked."""

OF_JOBS = ["job_cancelled", "job_failed", "job_paused"]
"""Tested in ``test_text_job_faults.py``."""


with_few_examples = pytest.mark.filterwarnings("ignore:Group .* fine-tuning examples")
"""For tests in which so many rollouts fail that too few are left to learn from."""


@pytest.fixture(scope="module")
def faultless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the experiment once without any fault."""
    runs_dir = tmp_path_factory.mktemp("faultless")
    rehearse(runs_dir)
    return everything(runs_dir)


def test_every_fault_is_tested() -> None:
    tested = [*PASSING, *PASSING_ONCE, *STOPPING, *OF_ANSWERS, *OF_JOBS]
    assert sorted(tested) == fault_registry.names()


@pytest.mark.parametrize("fault", [*PASSING, *(f"{name}?rate=1&first=1" for name in PASSING_ONCE)])
def test_a_fault_that_passes_changes_nothing(
    fault: str, tmp_path: Path, faultless: dict[str, Any]
) -> None:
    rehearse(tmp_path, fault, rehearsal={"job_polls": 1})
    assert everything(tmp_path) == faultless
    books = books_of_the_endpoint(tmp_path)
    assert books.faults[fault.partition("?")[0]] >= 1
    assert books.num_jobs == 2
    assert set(books.uploads.values()) == {1}


def test_all_passing_faults_together_change_nothing(
    tmp_path: Path, faultless: dict[str, Any]
) -> None:
    """A fifth of all requests meet one of them."""
    faults = [f"{name}?rate={0.2 / len(PASSING):.4f}" for name in PASSING]
    once = [f"{name}?rate=1&first=1" for name in PASSING_ONCE]
    rehearse(tmp_path, *faults, *once, rehearsal={"job_polls": 1})
    assert everything(tmp_path) == faultless
    books = books_of_the_endpoint(tmp_path)
    assert len(books.faults) > len(PASSING)
    assert books.num_jobs == 2


def test_a_service_that_hardly_works_leaves_failed_rollouts_but_loses_nothing(
    tmp_path: Path,
) -> None:
    """Each fault of conversations strikes a fifth of the requests, so that few get through."""
    names = [*PASSING, *OF_ANSWERS]
    settings = {
        "num_api_connection_errors": 2,
        "num_api_generation_timeouts": 2,
        "max_failed_share": 1.0,
    }
    metrics = rehearse(
        tmp_path,
        *(f"{name}?request=chat" for name in names),
        settings=settings,
        rl={"num_iterations": 1},
        text_rl={"test_scheme": "none"},
    )
    assert result_of(tmp_path)["status"] == "completed"
    stored = records(tmp_path)
    assert len(stored) == NUM_TRAIN // 2
    errors = {record["error"] for record in stored if record["status"] == "failed"}
    assert len(errors) >= 2
    check_statistics(metrics, stored)


@with_few_examples
def test_rollouts_that_the_filter_ends_are_failed_and_not_rejected(tmp_path: Path) -> None:
    metrics = rehearse(tmp_path, "content_filter", settings={"max_failed_share": 1.0})
    stored = records(tmp_path)
    assert [record["position"] for record in stored] == [*range(12), *range(12)]
    failed = [record for record in stored if record["status"] == "failed"]
    assert {record["error"] for record in failed} == {"ContentFilterError"}
    assert any(record["messages"] for record in failed)
    check_statistics(metrics, stored[NUM_TRAIN // 2 :])
    check_statistics(metrics, records(tmp_path, "test")[-12:], "test_")


def check_statistics(metrics: dict[str, float], stored: list[Record], prefix: str = "") -> None:
    """Work the main statistics out from the dialogues that came to their end."""
    completed = [record for record in stored if record["status"] == "completed"]
    num_failed = len(stored) - len(completed)
    assert 0 < num_failed < len(stored)
    assert metrics[f"{prefix}num_failed_rollouts"] == num_failed
    assert metrics[f"{prefix}failed_share"] == num_failed / len(stored)
    assert metrics[f"{prefix}num_episodes"] == len(completed)
    is_right = [record["verdict"] == record["y"] for record in completed]
    assert metrics[f"{prefix}mean_accuracy"] == pytest.approx(share(is_right))
    for y, name in enumerate(("soundness", "completeness")):
        own = [record["verdict"] == y for record in completed if record["y"] == y]
        assert metrics[f"{prefix}{name}"] == pytest.approx(share(own))
    decided = [record["verdict"] != 2 for record in completed]
    assert metrics[f"{prefix}decided_share"] == pytest.approx(share(decided))
    lengths = [len(record["rewards"]) for record in completed]
    assert metrics[f"{prefix}mean_episode_length"] == pytest.approx(sum(lengths) / len(lengths))


def test_an_invalid_answer_is_asked_for_again(tmp_path: Path) -> None:
    metrics = rehearse(tmp_path, "invalid_answer")
    assert metrics["num_failed_rollouts"] == 0
    last = records(tmp_path)[NUM_TRAIN // 2 :]
    for agent in ("prover", "verifier"):
        own = [each for record in last for each in record["messages"] if each["agent"] == agent]
        assert all(each["text"] for each in own)
        is_retried = [each.get("num_retries", 0) > 0 for each in own]
        assert metrics[f"{agent}.retry_share"] == pytest.approx(share(is_retried))
        assert metrics[f"{agent}.invalid_share"] == 0
    assert metrics["prover.retry_share"] + metrics["verifier.retry_share"] > 0


def test_a_cut_answer_is_marked(tmp_path: Path) -> None:
    metrics = rehearse(tmp_path, "truncated?rate=0.5")
    last = records(tmp_path)[NUM_TRAIN // 2 :]
    own = [each for record in last for each in record["messages"] if each["agent"] == "prover"]
    is_cut = [each.get("is_cut", False) for each in own]
    assert metrics["prover.cut_share"] == pytest.approx(share(is_cut))
    assert 0 < share(is_cut) < 1


@pytest.mark.parametrize(
    ("name", "request_kind"),
    [(name, kind) for name in STOPPING for kind in fault_registry[name].kinds],
)
def test_what_no_retry_can_mend_stops_the_run_which_can_be_gone_on_with(
    name: str, request_kind: str, tmp_path: Path, faultless: dict[str, Any]
) -> None:
    fault = f"{name}?rate=1&first=1&request={request_kind}"
    with pytest.raises(STOPPING[name]) as raised:
        rehearse(tmp_path, fault)
    result = result_of(tmp_path)
    assert result["status"] == "failed"
    assert str(raised.value) in result["error"]
    # The endpoint shows the fault only once, which is as good as having been switched off.
    rehearse(tmp_path, fault)
    assert everything(tmp_path) == faultless
    books = books_of_the_endpoint(tmp_path)
    assert set(books.generations.values()) == {1}
    assert books.num_jobs == 2


def test_a_fault_that_no_retry_can_mend_is_met_only_once(tmp_path: Path) -> None:
    with pytest.raises(QuotaError):
        rehearse(tmp_path, "quota?rate=1&request=chat", settings={"max_concurrency": 1})
    assert books_of_the_endpoint(tmp_path).num_requests == 1


def test_a_stage_of_which_nothing_came_is_played_again(
    tmp_path: Path, faultless: dict[str, Any]
) -> None:
    fault = "content_filter?rate=1&first=12"
    with pytest.raises(
        AllRolloutsFailedError, match=r"All 12 rollouts failed, [0-9]+ of them with"
    ):
        rehearse(tmp_path, fault, settings={"max_failed_share": 1.0})
    assert result_of(tmp_path)["status"] == "failed"
    rehearse(tmp_path, fault)
    assert everything(tmp_path) == faultless


def test_a_debate_with_one_prover_who_never_answers_validly_is_played_to_its_end(
    tmp_path: Path,
) -> None:
    rehearse(
        tmp_path,
        "invalid_answer?rate=1&model=mumbler",
        interaction_protocol="debate",
        debate_protocol={"max_message_rounds": 4, "sequential": False},
        agents={
            "_default": {"use_dummy_api": True},
            "prover0": {
                "use_dummy_api": True,
                "model_name": "mumbler",
                "num_invalid_generation_retries": 2,
            },
        },
        rl={"num_iterations": 1},
        settings={"max_invalid_share": 1.0},
    )
    stored = records(tmp_path)
    assert {record["status"] for record in stored} == {"completed"}
    messages = [each for record in stored for each in record["messages"]]
    mumbled = [each for each in messages if each["agent"] == "prover0"]
    spoken = [each for each in messages if each["agent"] == "prover1"]
    assert len(mumbled) == len(spoken) > 0
    for message in mumbled:
        assert message["is_invalid"]
        assert message["num_retries"] == 2
        assert message["channel_texts"] == {"prover0_channel": ""}
    for message in spoken:
        assert list(message["channel_texts"]) == ["prover1_channel"]
        assert all(message["channel_texts"].values())
    # The verdict is not the mumbler's to lose: both stances are paid as ever.
    assert {record["verdict"] for record in stored} >= {0, 1}
