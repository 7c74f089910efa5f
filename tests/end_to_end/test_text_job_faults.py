"""Effects of fine-tuning jobs that fail, are cancelled or pause."""

from pathlib import Path
from typing import Any

import pytest

from nip.errors import NipWarning
from nip.language_models.errors import FineTuningError
from tests.end_to_end.rehearsals import (
    books_of_the_endpoint,
    job_states,
    records,
    rehearse,
    result_of,
)
from tests.end_to_end.text_runs import everything

ENDED = {"job_failed": "FAILED", "job_cancelled": "CANCELLED"}
"""Faults that leave no model, and the state in which the job is stored."""

each_bad_end = pytest.mark.parametrize("fault", ENDED)


@pytest.fixture(scope="module")
def faultless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the experiment once without any fault."""
    runs_dir = tmp_path_factory.mktemp("faultless")
    rehearse(runs_dir)
    return {**everything(runs_dir), "said": said(runs_dir)}


def said(runs_dir: Path) -> list[tuple[str, ...]]:
    """Return who said what in all dialogues. The names of the models tell attempts apart."""
    return [
        (message["agent"], message["text"])
        for phase in ("train", "test")
        for record in records(runs_dir, phase)
        for message in record["messages"]
    ]


@each_bad_end
def test_a_job_without_a_model_is_tried_again(
    fault: str, tmp_path: Path, faultless: dict[str, Any]
) -> None:
    with pytest.warns(NipWarning, match="Another attempt is made"):
        metrics = rehearse(tmp_path, f"{fault}?rate=1&first=1")
    assert metrics == faultless["result"]["metrics"]
    assert said(tmp_path) == faultless["said"]
    states = job_states(tmp_path)
    assert [attempt for _, attempt, _ in states].count(1) == 1
    assert sorted(state for _, _, state in states) == sorted([ENDED[fault], *2 * ["SUCCEEDED"]])
    assert books_of_the_endpoint(tmp_path).num_jobs == 3


@each_bad_end
def test_a_job_without_a_model_can_be_done_without(fault: str, tmp_path: Path) -> None:
    with pytest.warns(NipWarning, match="The group keeps its model"):
        rehearse(tmp_path, f"{fault}?rate=1&first=1", fine_tuning={"on_failure": "skip"})
    states = {group: (attempt, state) for group, attempt, state in job_states(tmp_path)}
    assert sorted(states.values()) == [(0, state) for state in sorted([ENDED[fault], "SUCCEEDED"])]
    models = {
        (message["agent"], message["model"].startswith("ft:"))
        for record in records(tmp_path)[12:]
        for message in record["messages"]
    }
    assert models == {(group, state == "SUCCEEDED") for group, (_, state) in states.items()}


@each_bad_end
def test_a_job_without_a_model_can_stop_the_run_which_then_tries_again(
    fault: str, tmp_path: Path, faultless: dict[str, Any]
) -> None:
    def start() -> dict[str, float]:
        return rehearse(tmp_path, f"{fault}?rate=1&first=1", fine_tuning={"on_failure": "stop"})

    with pytest.raises(FineTuningError, match="The run stops, with everything saved"):
        start()
    assert result_of(tmp_path)["status"] == "failed"
    with_warning = pytest.warns(NipWarning, match="Another attempt")
    with with_warning:
        assert start() == faultless["result"]["metrics"]
    assert said(tmp_path) == faultless["said"]
    assert books_of_the_endpoint(tmp_path).num_jobs == 3


def test_when_all_attempts_fail_the_run_stops(tmp_path: Path) -> None:
    with (
        pytest.warns(NipWarning, match="Another attempt is made"),
        pytest.raises(FineTuningError, match=r"attempt 2, failed.*The run stops"),
    ):
        rehearse(tmp_path, "job_failed?rate=1")
    assert len(records(tmp_path)) == 12


def test_a_paused_job_is_waited_for(tmp_path: Path, faultless: dict[str, Any]) -> None:
    with pytest.warns(NipWarning, match="has paused the fine-tuning job"):
        rehearse(tmp_path, "job_paused?rate=1&first=1")
    assert everything(tmp_path) == {key: faultless[key] for key in everything(tmp_path)}
    assert books_of_the_endpoint(tmp_path).num_jobs == 2
