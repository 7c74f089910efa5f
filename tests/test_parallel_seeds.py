"""Several seeds that train together in one process, each as a run of its own."""

import os
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from nip import run_experiment, run_parallel_seeds
from nip.errors import NipError, NipWarning, ParameterError, ResumeError
from nip.parameters import HyperParameters
from nip.run_store import Run
from nip.run_store.checkpoints.checkpoint import saved_iterations
from nip.run_store.checkpoints.checkpoint_files import read_checkpoint
from nip.run_store.reading import read_history
from nip.trainers.callbacks import Callback
from nip.trainers.rl_tensordict_base import TensorDictRlTrainer
from tests.experiments import make_params
from tests.fork_server import KILLED, fork_server

FIRST, NUM_SEEDS = 3, 3
SEEDS = range(FIRST, FIRST + NUM_SEEDS)
SIZES = {"rollouts_per_iteration": 12, "minibatch_size": 12, "num_iterations": 4}


def toy(**changes: Any) -> HyperParameters:
    return make_params(rl={**SIZES, **changes.pop("rl", {})}, seed=FIRST, **changes)


@pytest.fixture(autouse=True)
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the plots, which take most of the time of such short runs."""
    monkeypatch.setattr(Run, "_draw_learning_curve", lambda self: None)


def together(params: HyperParameters, name: str = "joint", **options: Any) -> None:
    run_parallel_seeds(params, NUM_SEEDS, run_id=name, progress=False, **options)


def alone(params: HyperParameters, seed: int, name: str = "own", **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        own = params.with_changes({"seed": seed})
    run_experiment(own, run_id=f"{name}-seed-{seed}", progress=False, **options)


def metrics(run_id: str) -> dict[tuple[str, int], float]:
    history = read_history(Path("runs") / run_id)
    return {
        (name, iteration): value
        for name in history.names()
        for iteration, value in history.values(name)
    }


def tensors(run_id: str) -> dict[str, torch.Tensor]:
    folder = max((Path("runs") / run_id / "checkpoints").iterdir())
    groups = read_checkpoint(folder).tensors
    return {
        f"{group}/{name}": tensor
        for group, of_group in groups.items()
        for name, tensor in of_group.items()
    }


def assert_close(run: str, other: str, tolerance: float) -> None:
    """Compare metrics, weights, moments and the states of all generators of two runs."""
    assert metrics(run) == pytest.approx(metrics(other), abs=tolerance, rel=tolerance)
    found, expected = tensors(run), tensors(other)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=tolerance, rtol=tolerance)


def run_until_killed(num_checkpoints: int | None) -> None:
    """Train, in a process that kills itself when it begins to write a checkpoint."""
    save, count = Run.save_checkpoint, 0

    def save_or_die(self: Run, checkpoint: Any) -> None:
        nonlocal count
        if count == num_checkpoints:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        save(self, checkpoint)

    Run.save_checkpoint = save_or_die  # type: ignore[method-assign]
    Run._draw_learning_curve = lambda self: None  # type: ignore[method-assign]
    together(toy(), checkpoint_period=2)


def test_killed_runs_resume_to_the_same_numbers_together_and_alone(working_folder: Path) -> None:
    function = f"{__name__}:run_until_killed"
    # The second checkpoint of the first seed is there, but not those of the others.
    ending = fork_server().call(function, NUM_SEEDS + 1, folder=working_folder)
    assert ending.exit_code == KILLED
    saved = [saved_iterations(Path(f"runs/joint-seed-{seed}/checkpoints")) for seed in SEEDS]
    assert saved == [[2, 4], [2], [2]]
    together(toy(), name="undisturbed", checkpoint_period=2)
    alone(toy(), FIRST + 1, name="joint", resume="must")
    together(toy(), checkpoint_period=2)
    for seed in SEEDS:
        assert_close(f"joint-seed-{seed}", f"undisturbed-seed-{seed}", 1e-5)


def test_runs_that_are_resumed_together_have_the_same_bits(working_folder: Path) -> None:
    function = f"{__name__}:run_until_killed"
    ending = fork_server().call(function, NUM_SEEDS, folder=working_folder)
    assert ending.exit_code == KILLED
    together(toy(), checkpoint_period=2)
    together(toy(), name="undisturbed", checkpoint_period=2)
    for seed in SEEDS:
        assert_close(f"joint-seed-{seed}", f"undisturbed-seed-{seed}", 0.0)


def test_a_run_that_fails_leaves_the_others_alone(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: TensorDictRlTrainer, num_iterations: int) -> None:
        if self.hyper_params.seed == FIRST + 1 and num_iterations == 2:
            raise NipError("broken")

    monkeypatch.setattr(TensorDictRlTrainer, "_take_snapshots", fail)
    warning = "1 of 3 runs have failed, those of seed 4. The others are complete."
    with pytest.raises(NipError, match="broken"), pytest.warns(NipWarning, match=warning):
        together(toy())
    statuses = ["completed", "failed", "completed"]
    for seed, status in zip(SEEDS, statuses, strict=True):
        assert f'"{status}"' in Path(f"runs/joint-seed-{seed}/result.json").read_text()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "spg": (
        {"trainer": "spg"},
        "here: the losses of trainer=spg contain the steps of the other ag",
    ),
    "solo_agent": ({"trainer": "solo_agent"}, "trainer=solo_agent does not collect"),
    "batch norm": (
        {"scenario": "image_classification", "protocol": "nip"},
        "has no stacked form",
    ),
    "past versions": (
        {"opponent_pool": {"agents": ["prover"], "snapshot_every": 1}},
        "opponent_pool.agents",
    ),
    "precision": ({"update_step": {"precision": "bfloat16"}}, "update_step.precision=bfloat16"),
    "accumulation": ({"update_step": {"num_accumulation_steps": 2}}, "num_accumulation_steps=2"),
    "loss terms": ({"loss_terms": ["l2"]}, "terms of the loss besides that of the trainer"),
    "profiler": ({"callbacks": ["profiler"]}, "a process can have the callback Profiler only once"),
    "games": ({"scenario": "matrix_games", "trainer": "spg"}, "has agents that are no networks"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_train_together_is_refused_before_anything_is_written(
    name: str, working_folder: Path
) -> None:
    changes, reason = REFUSED[name]
    with pytest.raises(ParameterError, match=reason) as caught:
        together(toy(**changes))
    assert "seed=1,2,3 --multirun" in str(caught.value)
    assert not Path("runs").exists()


def test_agents_on_all_frames_are_refused(working_folder: Path) -> None:
    with pytest.raises(ParameterError, match=r"agent_rows or settings\.compile let agents"):
        together(toy(), agent_rows="fixed")


def test_several_processes_of_one_run_are_refused(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ParameterError, match=r"torchrun has started 2\. Start it with"):
        together(toy())
    assert not Path("runs").exists()


def test_callbacks_that_act_on_steps_are_refused(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(Callback):
        def on_step_end(self, context: Any) -> None:
            raise AssertionError

    init = TensorDictRlTrainer.__init__

    def with_callback(self: TensorDictRlTrainer, *arguments: Any) -> None:
        init(self, *arguments)
        self.add_callback(Counting())

    monkeypatch.setattr(TensorDictRlTrainer, "__init__", with_callback)
    with pytest.raises(ParameterError, match="Counting acts on single steps"):
        together(toy())


@pytest.mark.parametrize("number", [0, -1, 1001, 10**18, 2.0, True, "8"])
def test_a_number_of_seeds_that_is_none_is_refused(number: Any, working_folder: Path) -> None:
    with pytest.raises(
        ParameterError, match="num_parallel_seeds must be an integer from 1 to 1000"
    ):
        run_parallel_seeds(toy(), number, progress=False)


def test_a_run_with_other_parameters_is_refused_before_any_other_begins(
    working_folder: Path,
) -> None:
    alone(toy(rl={"num_iterations": 1}), FIRST + 2, name="joint")
    with pytest.raises(ResumeError, match=r"rl\.num_iterations"):
        together(toy())
    assert [path.name for path in Path("runs").iterdir() if path.is_dir()] == ["joint-seed-5"]


def test_completed_runs_are_returned_as_they_are(working_folder: Path) -> None:
    params = toy(rl={"num_iterations": 1})
    first = run_parallel_seeds(params, 2, run_id="a", progress=False)
    again = run_parallel_seeds(params, 3, run_id="a", progress=False)
    assert [result.run_id for result in again] == ["a-seed-3", "a-seed-4", "a-seed-5"]
    assert again[:2] == first
