"""Names for the runs of a sweep."""

import pytest

from nip.command_line.overrides import parse_overrides, single_jobs
from nip.command_line.run_names import check_seeds_of_jobs, keys_without_sweep, name_of_job
from nip.errors import ParameterError
from nip.run_store.run_id import check_run_id


def names(run_id: str, arguments: list[str]) -> list[str]:
    overrides = parse_overrides(arguments)
    not_swept = keys_without_sweep(overrides)
    return [name_of_job(run_id, parse_overrides(job), not_swept) for job in single_jobs(overrides)]


def test_a_job_is_named_by_what_it_differs_in() -> None:
    arguments = ["experiment=x", "rl.lr=0.5", "seed=1,2", "ppo.clip_epsilon=0.1,0.2"]
    assert names("grid", arguments) == [
        "grid-seed-1-clip_epsilon-0.1",
        "grid-seed-1-clip_epsilon-0.2",
        "grid-seed-2-clip_epsilon-0.1",
        "grid-seed-2-clip_epsilon-0.2",
    ]


def test_equal_last_names_are_told_apart_by_the_whole_ones() -> None:
    arguments = ["agents.prover.d=1,2", "agents.verifier.d=3"]
    assert names("g", arguments) == ["g-d-1", "g-d-2"]
    both = names("g", ["agents.prover.d=1,2", "agents.verifier.d=3,4"])
    assert both[0] == "g-agents.prover.d-1-agents.verifier.d-3"


def test_outside_a_sweep_the_name_stays() -> None:
    assert name_of_job("one", parse_overrides(["seed=1"]), []) == "one"


@pytest.mark.parametrize("run_id", ["run_id=a,b", "'run_id=x${seed}'"])
def test_a_name_that_differs_by_itself_stays(run_id: str) -> None:
    overrides = [run_id.strip("'"), "seed=1,2"]
    assert set(names("given", overrides)) == {"given"}


def test_values_of_any_kind_make_legal_names() -> None:
    for name in names("g", ["a=[1,2],[3]", "b={c: 1},null", "c='x y',-1"]):
        check_run_id(name)


def test_jobs_that_train_several_seeds_have_none_in_common() -> None:
    first = ([1, 2], ["trainer=x", "num_parallel_seeds=2", "seed=1"])
    check_seeds_of_jobs([first, ([3, 4], ["trainer=x", "num_parallel_seeds=2", "seed=3"])])
    check_seeds_of_jobs([first, ([2, 3], ["trainer=y", "num_parallel_seeds=2", "seed=2"])])
    for number, seeds in ((1, [2]), (2, [2, 3])):
        second = (seeds, ["trainer=x", f"num_parallel_seeds={number}", "seed=2"])
        with pytest.raises(ParameterError, match=r"would train seed 2: trainer=x .* and trainer=x"):
            check_seeds_of_jobs([first, second])
