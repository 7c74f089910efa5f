"""What is checked before Hydra starts its jobs, and how a job finds what was checked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from nip.command_line import hydra_jobs
from nip.command_line.config_folders import ConfigFolders
from nip.command_line.flags import parse_flags
from nip.command_line.hydra_jobs import prepare
from nip.command_line.request import Request
from nip.errors import NipError, ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run_store import Run
from tests.source_files import REPOSITORY

FOLDERS = ConfigFolders(REPOSITORY / "configs")
TOY = ["scenario=toy", "dataset=witness", "trainer=vanilla_ppo"]


@pytest.fixture(autouse=True)
def offered(monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, Any]]]:
    """Collect the defaults that Hydra would start from, and forget all jobs."""
    offered: list[list[dict[str, Any]]] = []
    monkeypatch.setattr(hydra_jobs, "_checked", {})
    monkeypatch.setattr(hydra_jobs, "offer_defaults", offered.append)
    return offered


def prepared(*arguments: str) -> list[str]:
    return prepare(parse_flags([*TOY, *arguments]), FOLDERS)


def test_every_job_of_a_sweep_is_checked_and_named_by_what_it_differs_in(
    offered: list[list[dict[str, Any]]],
) -> None:
    given = ["rl.gamma=0.5", "interaction_protocol=nip,debate", "run_id=g"]
    *overrides, added = prepared(*given, "--multirun")
    assert overrides == [*TOY, *given]
    name, _, keys = added.partition("=")
    assert name == "hydra.job.config.override_dirname.exclude_keys"
    assert keys == "['dataset','rl.gamma','run_id','scenario','trainer']"
    assert [request.experiment.run_id for request in hydra_jobs._checked.values()] == [
        "g-interaction_protocol-nip",
        "g-interaction_protocol-debate",
    ]
    # Hydra itself needs the parameters of the agents of both.
    assert ["prover0" in tree["agents"] for tree in offered[0]] == [False, True]


def test_a_mistake_in_the_last_job_is_told_before_hydra_gets_anything(
    offered: list[list[dict[str, Any]]],
) -> None:
    with pytest.raises(NipError, match=r"rl\.minibatch_size .* got 99999"):
        prepared("rl.minibatch_size=16,99999", "--multirun")
    assert offered == []


def test_torchrun_does_not_start_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ParameterError, match=r"torchrun has started 2 processes"):
        prepared("seed=1,2", "--multirun")


@pytest.mark.parametrize("word", ["hydra.verbose=true", "--cfg=job"])
def test_a_sweep_needs_its_flag(word: str) -> None:
    with pytest.raises(ParameterError, match="--multirun"):
        prepared("seed=1,2", word)


def test_a_command_line_that_is_only_printed_may_be_wrong_or_unfinished(
    offered: list[list[dict[str, Any]]],
) -> None:
    for others in (["--info"], ["rl.gama=1", "--hydra-help"]):
        flags = parse_flags(["scenario=toy", *others])
        assert prepare(flags, FOLDERS) == flags.overrides
    assert [sorted(tree["agents"]) for (tree,) in offered] == [
        ["_default", "prover", "verifier"],
        [],
    ]


def test_completion_reads_the_line_that_is_being_typed(
    offered: list[list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "python run.py scenario=toy interaction_protocol=debate agents.prov"
    monkeypatch.setenv("COMP_LINE", line)
    prepare(parse_flags(["--shell-completion", "query=bash"]), FOLDERS)
    assert "prover1" in offered[0][0]["agents"]


def test_names_that_look_like_numbers_reach_hydra_in_quotes() -> None:
    *overrides, _ = prepared("run_id=1_0,007,7e12345", "seed=1_0", "--multirun")
    assert overrides[len(TOY) :] == ["run_id='1_0',007,'7e12345'", "seed=1_0"]
    run_ids = [request.experiment.run_id for request in hydra_jobs._checked.values()]
    assert run_ids == ["1_0", "007", "7e12345"]


def test_a_name_that_looks_like_a_number_is_part_of_the_names_of_the_jobs() -> None:
    prepared("run_id=1_0", "dataset=witness,cheap_talk", "--multirun")
    assert {request.experiment.run_id for request in hydra_jobs._checked.values()} == {
        "1_0-dataset-witness",
        "1_0-dataset-cheap_talk",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run_id=same,same"], r"Two jobs .* run 'same'"),
        (["run_id=same", "rl.lr=0.1,0.10"], r"Two jobs .* run 'same-lr-0\.1'"),
        (["run_id=${scenario}", "seed=1,2"], r"Two jobs .* run 'toy'.*seed=1 and .*seed=2"),
        ([f"run_id={'x' * 95}", "seed=1,123456"], r"at most 100 characters, got 102"),
        (["seed=" + ",".join(["1", "1" * 70])], r"at most 100 characters, got 11\d"),
        (
            ["run_id=mp", "seed=1,2", "num_parallel_seeds=2"],
            r"Two jobs .* train seed 2: .*seed=1 .*seed=2 ",
        ),
        (["run_id=a,b/c"], r"run_id must begin .*'b/c'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_names_of_all_jobs_are_checked_before_the_first(
    arguments: list[str], said: str, offered: list[list[dict[str, Any]]]
) -> None:
    with pytest.raises(NipError, match=said):
        prepared(*arguments, "--multirun")
    assert offered == []


def test_a_job_whose_run_has_other_parameters_is_refused_before_the_first(
    offered: list[list[dict[str, Any]]], working_folder: Path
) -> None:
    parameters = HyperParameters(scenario="toy", dataset="witness", trainer="reinforce").to_dict()
    Run.create(ExperimentSettings(), "g-seed-2", parameters).close()
    with pytest.raises(NipError, match="'g-seed-2' was started with other parameters"):
        prepared("run_id=g", "seed=1,2", "--multirun")
    assert offered == []


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Collect the requests that jobs carry out."""
    started: list[Request] = []
    monkeypatch.setattr(hydra_jobs, "run_request", lambda request, _: started.append(request))
    return started


@contextmanager
def job_of(*task: str, config_dir: Path | None = None) -> Iterator[None]:
    """Be in a job that Hydra has started with these overrides."""
    flags = ConfigFolders(FOLDERS.main, config_dir).hydra_flags()
    sources = [("hydra", "pkg", "hydra.conf"), ("main", "file", flags[1])]
    if config_dir is not None:
        sources.append(("command-line", "file", flags[3]))
    config = SimpleNamespace(
        overrides=SimpleNamespace(task=list(task)),
        job=SimpleNamespace(
            config_name="config",
            config=SimpleNamespace(override_dirname=SimpleNamespace(exclude_keys=[])),
        ),
        runtime=SimpleNamespace(
            config_sources=[
                SimpleNamespace(provider=provider, schema=schema, path=path)
                for provider, schema, path in sources
            ]
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hydra_jobs.HydraConfig, "get", lambda: config)
        yield


def test_a_job_runs_what_was_checked_once(started: list[Request]) -> None:
    prepared("seed=5", "hydra.verbose=true")
    ((key, request),) = hydra_jobs._checked.items()
    assert key == (*TOY, "seed=5")
    with job_of(*key):
        hydra_jobs._run_job(OmegaConf.create())
    assert started == [request]
    assert started[0] is request
    assert hydra_jobs._checked == {}


def test_a_job_in_a_process_of_its_own_is_composed_again(
    started: list[Request], working_folder: Path
) -> None:
    file = working_folder / "experiment" / "mine.yaml"
    file.parent.mkdir()
    file.write_text("# @package _global_\nseed: 6\n")
    with job_of(*TOY, "experiment=mine", config_dir=working_folder):
        hydra_jobs._run_job(OmegaConf.create())
    assert started[0].experiment.hyper_params.seed == 6
