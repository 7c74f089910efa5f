"""Compiled steps and updates learn the same as others, and are one graph each."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nip.errors import NipWarning, ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.scenario_base.compilation import Compilation
from nip.trainers.registry import build_trainer
from nip.trainers.tensor.learning import learner_building
from nip.trainers.tensor.learning.update_step import UpdateStep
from tests.experiments import make_params, make_settings
from tests.fork_server import fork_server
from tests.trainers.tensor.test_no_host_synchronisation import TRAINERS

SLOW = [
    pytest.param(scenario, kind, backend, marks=pytest.mark.slow)
    for scenario, kind, backend in (
        ("toy", "ppo_kl", "aot_eager"),
        ("toy", "reinforce_critic", "aot_eager"),
        ("image_classification", "ppo", "aot_eager"),
        ("graph_isomorphism", "ppo", "aot_eager"),
        ("graph_isomorphism", "reinforce", "aot_eager"),
        ("graph_isomorphism", "ppo", "inductor"),
    )
]


@pytest.mark.numerics
@pytest.mark.parametrize(("scenario", "kind", "backend"), [("toy", "ppo", "aot_eager"), *SLOW])
def test_several_iterations_learn_the_same(
    scenario: str, kind: str, backend: str, tmp_path: Path
) -> None:
    trainer_name, changes = TRAINERS[kind]
    job = (str(tmp_path), scenario, trainer_name, changes, backend)
    ending = fork_server().call(
        "tests.trainers.tensor.compiled_runs:compare", *job, folder=tmp_path, seconds=600
    )
    assert ending.exit_code == 0, ending.stderr
    found = ending.result
    # The step of the environments and the loss: nothing breaks a graph or is compiled again.
    assert found["num_graphs"] == 2
    assert found["breaks"] == {}
    assert found["distance"] < 1e-4
    assert len(found["metrics"]) == 3
    for one, other in zip(found["metrics"], found["compiled_metrics"], strict=True):
        # Kernels and compiled operations round differently, and steps of Adam magnify this.
        assert other == pytest.approx(one, rel=1e-3, abs=1e-4)


def test_graphs_and_accumulation_exclude_each_other() -> None:
    step = UpdateStep(num_accumulation_steps=2)
    learner_building.check_compilation(Compilation(), step)
    with pytest.raises(ParameterError, match=r"num_accumulation_steps=2 .*compile=default"):
        learner_building.check_compilation(Compilation(with_graphs=True), step)


def test_several_processes_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner_building, "current_ranks", lambda: SimpleNamespace(size=2))
    with pytest.raises(ParameterError, match=r"each of 2 processes .* settings\.compile=off"):
        learner_building.check_compilation(Compilation(), UpdateStep())


@pytest.mark.parametrize(
    ("trainer", "changes", "compile_", "message"),
    [
        (
            "spg",
            {},
            "default",
            "settings.compile='default': .*trainer='spg' differentiate twice.*settings.compile=off",
        ),
        (
            "vanilla_ppo",
            {"update_step": {"num_accumulation_steps": 2}},
            "graphs",
            r"num_accumulation_steps=2 .*compile=default",
        ),
    ],
)
def test_what_cannot_be_compiled_is_refused_by_the_checks(
    trainer: str, changes: dict[str, Any], compile_: Any, message: str, tmp_path: Path
) -> None:
    params = make_params(trainer=trainer, **changes)
    settings = make_settings(tmp_path)
    trainer = build_trainer(params, build_scenario_instance(params, settings), settings)
    # CUDA graphs need a GPU, of which the checks need nothing.
    trainer.settings = replace(settings, compile=compile_, device="cuda")
    with pytest.raises(ParameterError, match=message):
        trainer.check()


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"trainer": "solo_agent"}, "trainer='solo_agent', whose agents play no episodes"),
        (
            {"scenario": "matrix_games", "trainer": "spg", "protocol": "nip"},
            "scenario='matrix_games', whose agents are no networks",
        ),
    ],
)
def test_a_run_without_episodes_says_that_nothing_is_compiled(
    choice: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    params = make_params(**choice)
    settings = ExperimentSettings(compile="default", runs_dir=str(tmp_path), progress=False)
    trainer = build_trainer(params, build_scenario_instance(params, settings), settings)
    with pytest.warns(NipWarning, match=f"no effect on {reason}"):
        trainer.check()
