"""Reading what a composed command line asks for, and carrying it out."""

from pathlib import Path
from typing import Any

import pytest

import nip.command_line.request
from nip.command_line.request import (
    Request,
    how_to_resume,
    how_to_resume_seeds,
    read_request,
    run_request,
)
from nip.errors import NipError
from nip.experiment.checked import CheckedExperiment
from nip.experiment.plan import ExperimentPlan

TOY = {"scenario": "toy", "dataset": "witness", "trainer": "vanilla_ppo"}


def read(**keys: Any) -> Request:
    return read_request({**TOY, **keys})


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[CheckedExperiment]:
    """Collect the experiments that would be run."""
    runs: list[CheckedExperiment] = []
    monkeypatch.setattr(
        nip.command_line.request, "run_checked", lambda experiment, on_open: runs.append(experiment)
    )
    return runs


def test_the_keys_of_the_command_line_are_no_parameters() -> None:
    request = read(
        seed=7, run_id="12", resume="must", dry_run=True, plugins=[], settings={"num_threads": 2}
    )
    assert request.dry_run is True
    experiment = request.experiment
    assert (experiment.run_id, experiment.resume) == ("12", "must")
    assert experiment.settings.num_threads == 2
    assert experiment.hyper_params.seed == 7


def test_what_is_not_given_runs_and_resumes_under_a_name_yet_to_be_made() -> None:
    request = read()
    assert request.dry_run is False
    assert (request.experiment.run_id, request.experiment.resume) == (None, "auto")


def test_several_seeds_are_runs_that_are_named_by_their_seeds() -> None:
    request = read(seed=7, run_id="a", num_parallel_seeds=2, resume="never")
    assert [each.hyper_params.seed for each in request.seeds] == [7, 8]
    assert [each.run_id for each in request.seeds] == ["a-seed-7", "a-seed-8"]
    assert {each.resume for each in request.seeds} == {"never"}
    assert read(num_parallel_seeds=1).seeds == ()


def test_seeds_without_a_name_share_a_generated_one() -> None:
    first, second = read(seed=7, num_parallel_seeds=2).seeds
    assert first.run_id is second.run_id is None
    assert str(first.generated_run_id).endswith("-seed-7")
    name = str(first.generated_run_id).removesuffix("-seed-7")
    assert second.generated_run_id == f"{name}-seed-8"


def test_the_way_to_resume_seeds_names_what_they_share() -> None:
    seeds = read(run_id="mine", num_parallel_seeds=3).seeds
    assert how_to_resume_seeds(seeds, []) == "Stopped before the run was started."
    said = how_to_resume_seeds(seeds, ["mine-seed-6198", "mine-seed-6199"])
    assert "The 2 runs so far are stored in runs/mine-seed-..." in said
    assert said.endswith("with run_id=mine")


def test_a_dry_run_of_seeds_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    run_request(read(seed=7, num_parallel_seeds=3, dry_run=True))
    assert "7 to 9, each as a run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"num_parallel_seeds": 0},
            r"^num_parallel_seeds must be an integer from 1 to 1000, got 0",
        ),
        ({"num_parallel_seeds": "2"}, r"^num_parallel_seeds must be an integer .*, got '2'"),
        ({"resume": "nevr"}, r"^resume must .* auto.*, got 'nevr'\. Did you mean 'never'\?$"),
        ({"resume": None}, r"^resume must be one of .*, got None"),
        ({"run_id": 10}, r"^run_id must be text, got 10\. Put it in quotes: YAML reads 1_0"),
        ({"run_id": True}, r"^run_id must be text, got True\."),
        ({"resume": "must"}, r"^resume=must needs the run_id of the run to resume"),
        ({"dry_run": 1}, r"^dry_run must be one of true, false, got 1"),
        ({"dry_run": "ture"}, r"^dry_run must .*, got 'ture'\. Did you mean 'true'\?$"),
    ],
    ids=str,
)
def test_a_refused_value_names_its_key(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(NipError, match=said):
        read(**keys)


def test_a_job_of_a_sweep_gets_its_own_name(runs: list[CheckedExperiment]) -> None:
    given = read_request({**TOY, "run_id": "grid"}, lambda run_id: f"{run_id}-seed-1")
    assert given.experiment.run_id == "grid-seed-1"
    run_request(given, lambda run_id: f"{run_id}-again")
    run_request(read(), lambda run_id: f"{run_id}-seed-1")
    assert [run.run_id for run in runs] == ["grid-seed-1", None]
    generated = str(runs[1].generated_run_id)
    assert generated.endswith("-seed-1") and len(generated) > len("-seed-1")


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[CheckedExperiment]:
    """Collect the experiments that a dry run builds, without building them."""
    reported: list[CheckedExperiment] = []

    def prepare(experiment: CheckedExperiment) -> ExperimentPlan:
        reported.append(experiment)
        return ExperimentPlan((), 1, 1, 2, None)

    monkeypatch.setattr(nip.command_line.request, "prepare_checked", prepare)
    return reported


def test_a_dry_run_reports_and_runs_nothing(
    runs: list[CheckedExperiment],
    reported: list[CheckedExperiment],
    capsys: pytest.CaptureFixture[str],
) -> None:
    request = read(dry_run=True)
    run_request(request)
    assert "Nothing was trained or written" in capsys.readouterr().out
    assert reported == [request.experiment]
    assert runs == []


def test_the_second_of_two_processes_reports_nothing(
    reported: list[CheckedExperiment],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    request = read(dry_run=True)
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    run_request(request)
    assert capsys.readouterr().out == ""
    assert reported == []


def test_the_way_to_resume_names_folder_and_run(tmp_path: Path) -> None:
    experiment = read(run_id="mine", settings={"runs_dir": str(tmp_path)}).experiment
    assert how_to_resume(experiment) == "Stopped before the run was started."
    (tmp_path / "mine").mkdir()
    said = how_to_resume(experiment)
    assert str(tmp_path / "mine") in said
    assert said.endswith("with run_id=mine")
