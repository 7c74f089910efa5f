"""The life of one run, as Python callers see it."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch

import nip.factory
import nip.run
from nip import ExperimentSettings, HyperParameters, prepare_experiment, run_experiment
from nip.errors import DatasetError, ParameterError, ResumeError
from nip.run_store.run_id import check_run_id, generated_run_id
from nip.trainers.builtin.vanilla_ppo import VanillaPpoTrainer
from nip.trainers.registry import trainer_registry
from nip.trainers.trainer_base import Trainer


def toy(**changes: object) -> HyperParameters:
    rl = {
        "num_iterations": 3,
        "frames_per_batch": 64,
        "steps_per_env_per_iteration": 8,
        "minibatch_size": 24,
        "num_epochs": 3,
        "num_test_iterations": 2,
        "num_normalization_steps": 16,
    }
    return HyperParameters(
        scenario="toy", dataset="witness", trainer="vanilla_ppo", rl=rl, **changes
    )


def stored_result(run_id: str) -> dict:
    return json.loads((Path("runs") / run_id / "result.json").read_text())


def forbid_building(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(nip.factory, "build_scenario_instance", fail)


def test_a_run_gives_its_last_metrics_and_leaves_them_on_disk(working_folder: Path) -> None:
    result = run_experiment(toy(), run_id="a", progress=False)
    assert result.run_id == "a"
    assert result.folder == Path("runs/a")
    assert stored_result("a") == {"run_id": "a", "status": "completed", "metrics": result.metrics}
    assert 0 <= result.metrics["test_mean_accuracy"] <= 1


def test_a_completed_run_is_returned_without_being_built_again(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_experiment(toy(), run_id="a", progress=False)
    forbid_building(monkeypatch, AssertionError("built again"))
    assert run_experiment(toy(), run_id="a", resume="must", progress=False) == first


def test_single_settings_win_over_given_ones(working_folder: Path) -> None:
    settings = ExperimentSettings(runs_dir="elsewhere", progress=False)
    run_experiment(toy(), run_id="a", settings=settings, runs_dir="here")
    assert (working_folder / "here" / "a").is_dir()
    assert not (working_folder / "elsewhere").exists()


def test_a_misspelt_setting_is_refused(working_folder: Path) -> None:
    with pytest.raises(ParameterError, match="device"):
        run_experiment(toy(), run_id="a", devise="cpu")


def test_a_new_run_that_cannot_be_built_leaves_no_folder(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_building(monkeypatch, DatasetError("the file is broken"))
    with pytest.raises(DatasetError):
        run_experiment(toy(), run_id="a", progress=False)
    assert list(working_folder.iterdir()) == []


def test_a_failed_run_that_cannot_be_built_again_stays_as_it_was(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no luck")

    monkeypatch.setattr(VanillaPpoTrainer, "log", fail)
    with pytest.raises(ValueError, match="no luck"):
        run_experiment(toy(), run_id="a", progress=False)
    folder = working_folder / "runs/a"
    kept = ("result.json", "settings.yaml", "environment.json")
    before = [(folder / name).read_bytes() for name in kept]
    forbid_building(monkeypatch, DatasetError("the file is broken"))
    with pytest.raises(DatasetError):
        run_experiment(toy(), run_id="a", progress=False, num_threads=2)
    assert [(folder / name).read_bytes() for name in kept] == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without GPU")
def test_a_device_that_is_not_there_is_refused(working_folder: Path) -> None:
    with pytest.raises(ParameterError, match=r"settings\.device=cuda"):
        run_experiment(toy(), run_id="a", device="cuda", progress=False)
    assert list(working_folder.iterdir()) == []


def test_other_parameters_are_refused_before_anything_is_built(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_experiment(toy(), run_id="a", progress=False)
    forbid_building(monkeypatch, AssertionError("built"))
    with pytest.raises(ResumeError, match="seed: 6198 → 1"):
        run_experiment(toy(seed=1), run_id="a", progress=False)


@pytest.mark.parametrize("error", [ValueError("no luck"), KeyboardInterrupt()])
def test_a_run_that_broke_off_goes_on_to_the_same_result(
    error: BaseException, working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def log(self: Trainer, iteration: int, metrics: dict[str, float]) -> None:
        whole(self, iteration, metrics)
        if iteration == 2:
            raise error

    whole = Trainer.log
    monkeypatch.setattr(VanillaPpoTrainer, "log", log)
    with pytest.raises(type(error)):
        run_experiment(toy(), run_id="broken", progress=False, checkpoint_period=1)
    if isinstance(error, ValueError):
        assert stored_result("broken")["status"] == "failed"
        assert stored_result("broken")["error"] == "ValueError: no luck"
    else:
        assert not (working_folder / "runs/broken/result.json").exists()
    monkeypatch.undo()
    monkeypatch.chdir(working_folder)
    gone_on = run_experiment(toy(), run_id="broken", progress=False, checkpoint_period=1)
    whole_run = run_experiment(toy(), run_id="whole", progress=False)
    assert gone_on.metrics == whole_run.metrics
    assert stored_result("broken")["status"] == "completed"


def test_the_number_of_threads_is_handed_back(working_folder: Path) -> None:
    before = torch.get_num_threads()
    run_experiment(toy(), run_id="a", progress=False, num_threads=before + 1)
    assert torch.get_num_threads() == before


def test_a_run_without_a_name_gets_a_readable_one_of_its_own(working_folder: Path) -> None:
    result = run_experiment(toy(), progress=False)
    assert re.fullmatch(r"toy-nip-vanilla_ppo-\d{8}-\d{6}", result.run_id)


def test_runs_without_a_name_that_start_in_the_same_second_get_one_each(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nip.run, "new_run_id", lambda _: "generated")
    build, results, remaining = nip.run._build_trainer, [], [1, 2, 3]

    def start_another_one_meanwhile(*parts: Any) -> Any:
        trainer = build(*parts)
        if remaining:
            remaining.pop()
            results.append(run_experiment(toy(), progress=False))
        return trainer

    monkeypatch.setattr(nip.run, "_build_trainer", start_another_one_meanwhile)
    results.append(run_experiment(toy(), progress=False))
    names = {result.run_id for result in results}
    assert names == {"generated", "generated-2", "generated-3", "generated-4"}
    assert all(result.metrics == results[0].metrics for result in results)
    assert all(stored_result(name)["status"] == "completed" for name in names)


def test_a_generated_name_is_legal_whatever_the_parts_are_called() -> None:
    for parts in (["toy", "my protocol", "t"], ["x" * 90, "y", "z"], ["-", "_", "."]):
        name = generated_run_id(parts, datetime(2026, 1, 2, 3, 4, 5))
        check_run_id(f"{name}-9999")
        assert name.endswith("-20260102-030405")


def test_a_trainer_with_a_constructor_of_its_own_gets_the_run_there(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_ids = []

    class OwnConstructor(VanillaPpoTrainer):
        def __init__(self, hyper_params, scenario_instance, settings, run=None) -> None:
            super().__init__(hyper_params, scenario_instance, settings, run)
            run_ids.append(None if run is None else run.run_id)

    monkeypatch.setitem(trainer_registry._entries, "vanilla_ppo", OwnConstructor)
    first = run_experiment(toy(), run_id="a", progress=False)
    # Checked without a run, and constructed again for training.
    assert run_ids == [None, "a"]
    monkeypatch.undo()
    monkeypatch.chdir(working_folder)
    assert run_experiment(toy(), run_id="b", progress=False).metrics == first.metrics


def test_preparing_reports_the_sizes_and_leaves_nothing(working_folder: Path) -> None:
    plan = prepare_experiment(toy(agents={"prover": {"is_random": True}}))
    assert plan.rollouts is not None
    # 64 frames of 8 steps; 2 full minibatches of 24 in each of 3 epochs.
    assert (plan.rollouts.num_environments, plan.rollouts.num_steps) == (8, 8)
    assert (plan.rollouts.num_frames, plan.rollouts.num_updates) == (64, 6)
    assert plan.num_iterations == 3 + 2
    assert [(agent.name, agent.is_random) for agent in plan.agents] == [
        ("prover", True),
        ("verifier", False),
    ]
    assert plan.agents[0].total_num_weights == 0
    assert plan.agents[1].total_num_weights == sum(plan.agents[1].num_weights.values()) > 0
    assert list(working_folder.iterdir()) == []
