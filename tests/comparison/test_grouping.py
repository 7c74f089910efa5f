"""Groups of runs that differ in nothing but their seeds."""

from pathlib import Path

import pytest

from nip.comparison.grouping import differing_parameters, group_by_hand, group_runs
from nip.comparison.runs import RunRecord, read_runs
from nip.errors import ParameterError, UnknownNameError
from nip.run_store import RunHistory
from tests.comparison.stored_runs import write_run
from tests.experiments import make_params


def record(run_id: str, **parameters) -> RunRecord:
    return RunRecord(run_id, Path(run_id), "completed", parameters, RunHistory(), {})


def members(groups) -> dict[str, list[list[str]]]:
    return {g.name: [[run.run_id for run in stratum] for stratum in g.strata] for g in groups}


def test_runs_of_one_group_differ_in_seed_only() -> None:
    runs = [
        record("a", seed=1, trainer="ppo", rl={"lr": 0.1}),
        record("b", seed=1, trainer="ppo", rl={"lr": 0.2}),
        record("c", seed=2, trainer="ppo", rl={"lr": 0.1}),
        record("d", seed=2, trainer="ppo", rl={"lr": 0.2}),
    ]
    groups = group_runs(runs)
    assert members(groups) == {"rl.lr=0.1": [["a", "c"]], "rl.lr=0.2": [["b", "d"]]}
    assert differing_parameters(groups) == {"rl.lr": (0.1, 0.2)}


def test_names_have_as_few_parameters_as_tell_the_groups_apart() -> None:
    runs = [
        record("a", trainer="ppo", rl={"lr": 0.1, "steps": 1}),
        record("b", trainer="spg", rl={"lr": 0.2, "steps": 2}),
    ]
    assert list(members(group_runs(runs))) == ["ppo", "spg"]
    runs.append(record("c", trainer="spg", rl={"lr": 0.3, "steps": 2}))
    assert list(members(group_runs(runs))) == ["rl.lr=0.1", "rl.lr=0.2", "rl.lr=0.3"]


def test_one_group_is_named_after_its_runs() -> None:
    runs = [record("gi_nip-seed-6198", seed=6198), record("gi_nip-seed-820", seed=820)]
    assert list(members(group_runs(runs))) == ["gi_nip"]
    assert list(members(group_runs([record("a", seed=1), record("b", seed=2)]))) == ["runs"]


def test_long_values_give_way_to_the_ids_of_runs() -> None:
    runs = [record(f"short-{n}", seed=n, prompt="x" * 80) for n in (1, 2)]
    runs += [record(f"long-{n}", seed=n, prompt="y" * 80) for n in (1, 2)]
    assert list(members(group_runs(runs))) == ["short", "long"]


def test_parameters_can_be_ignored() -> None:
    runs = [
        record("a", seed=1, base_run={"run_id": "x-1"}),
        record("b", seed=2, base_run={"run_id": "x-2"}),
    ]
    assert len(group_runs(runs)) == 2
    assert len(group_runs(runs, ignore=["base_run.run_id"])) == 1
    assert len(group_runs(runs, ignore=["base_run"])) == 1


def test_values_of_a_parameter_can_be_strata_of_one_group() -> None:
    runs = [
        record(f"{trainer}-{data}-{seed}", seed=seed, trainer=trainer, dataset=data)
        for trainer in ("ppo", "spg")
        for data in (("plus", "digits") if trainer == "ppo" else ("digits", "plus"))
        for seed in (1, 2)
    ]
    assert members(group_runs(runs, across=["dataset"])) == {
        "ppo": [["ppo-digits-1", "ppo-digits-2"], ["ppo-plus-1", "ppo-plus-2"]],
        "spg": [["spg-digits-1", "spg-digits-2"], ["spg-plus-1", "spg-plus-2"]],
    }
    with pytest.raises(ParameterError, match="different values of dataset"):
        group_runs(runs[:-2], across=["dataset"])
    with pytest.raises(ParameterError, match="seeds are the units"):
        group_runs(runs, across=["seed"])


def test_a_misspelt_parameter_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"'rl.ls'. Did you mean 'rl.lr'"):
        group_runs([record("a", rl={"lr": 1})], ignore=["rl.ls"])


def test_the_same_run_under_two_names_does_not_count_twice() -> None:
    with pytest.raises(ParameterError, match="'a' and 'b' have the same parameters"):
        group_runs([record("a", seed=1), record("b", seed=1)])


def test_groups_by_hand_need_runs() -> None:
    with pytest.raises(ParameterError, match="'mine' has no runs"):
        group_by_hand({"mine": []})


def test_loggers_and_versions_make_no_other_group(tmp_path) -> None:
    tree = make_params(seed=1).to_dict(stamp=True)
    logged = make_params(seed=2, callbacks=[{"name": "csv"}]).to_dict(stamp=True)
    older = {**make_params(seed=3).to_dict(), "_package_version": "0.0.9"}
    # A version that did not have this parameter yet.
    del older["opponent_pool"]
    for name, parameters in (("new", tree), ("logged", logged), ("old", older)):
        write_run(tmp_path, name, parameters, {})
    assert len(group_runs(read_runs("*", tmp_path))) == 1
