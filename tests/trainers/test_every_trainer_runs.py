"""Behaviour of runs that every registered trainer shares."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from nip import prepare_experiment, run_experiment
from nip.errors import NipError
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.parameters import field_rules
from nip.parameters.callbacks import callback_specs
from nip.run_store import Run, read_history
from nip.trainers.core.callback_registry import callback_registry
from nip.trainers.registry import build_trainer, trainer_registry
from tests.experiments import make_settings, small_experiment
from tests.fork_server import fork_server
from tests.pictures import empty_pictures, real_pictures

TRAINERS = trainer_registry.names()


def run(folder: Path, trainer: str, run_id: str = "run", **changes) -> dict[int, dict[str, float]]:
    """Run a small experiment; return all that it logged, by iteration."""
    params = small_experiment(trainer, **changes)
    run_experiment(params, run_id=run_id, settings=make_settings(folder))
    return logged(folder / run_id)


def logged(folder: Path) -> dict[int, dict[str, float]]:
    history = read_history(folder)
    metrics: dict[int, dict[str, float]] = {}
    for name in history.names():
        for iteration, value in history.values(name):
            metrics.setdefault(iteration, {})[name] = value
    return metrics


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory) -> Path:
    """Return where the runs are that nothing has interrupted."""
    return tmp_path_factory.mktemp("straight")


@pytest.fixture(scope="module")
def straight(runs_dir) -> dict[str, dict[int, dict[str, float]]]:
    """Run every trainer once without any interruption and draw; return what they logged."""
    with real_pictures():
        return {name: run(runs_dir, name, name) for name in TRAINERS}


@pytest.mark.parametrize("trainer", TRAINERS)
def test_it_is_built_without_a_run(trainer, tmp_path):
    params, settings = small_experiment(trainer), ExperimentSettings(progress=False)
    built = build_trainer(params, build_scenario_instance(params, settings), settings)
    assert type(built) is trainer_registry[trainer]
    assert built.num_iterations > 0
    assert built.context.trainer is built


@pytest.mark.parametrize("trainer", TRAINERS)
def test_it_logs_every_iteration_and_a_test(trainer, straight):
    metrics = straight[trainer]
    assert set(metrics) == {1, 2}
    assert any(name.startswith("test_") for name in metrics[2])
    assert all(value == value for values in metrics.values() for value in values.values())


def run_all(folder: str) -> dict[str, dict[int, dict[str, float]]]:
    """Run every trainer once, in a process of its own."""
    with empty_pictures():
        return {name: run(Path(folder), name, name) for name in TRAINERS}


def test_the_same_seed_gives_the_same_numbers_whatever_the_order_of_sets(straight, tmp_path):
    # This process has a hash seed of its own.
    seed = 0 if os.environ.get("PYTHONHASHSEED") != "0" else 1
    again = fork_server(seed).call("tests.trainers.test_every_trainer_runs:run_all", str(tmp_path))
    assert again.exit_code == 0, again.stderr
    assert again.result == json.loads(json.dumps(straight))


@pytest.mark.parametrize("trainer", TRAINERS)
def test_another_seed_gives_other_numbers(trainer, straight, tmp_path):
    assert run(tmp_path, trainer, seed=4) != straight[trainer]


def run_in_two(folder: Path, trainer: str, **changes) -> dict[int, dict[str, float]]:
    """Run a small experiment which is interrupted and goes on; return all that it logged."""
    original = Run.log

    def interrupt(self, iteration, metrics):
        if iteration == 2:
            raise KeyboardInterrupt
        original(self, iteration, metrics)

    with patch.object(Run, "log", interrupt), pytest.raises(KeyboardInterrupt):
        run(folder, trainer, **changes)
    assert set(logged(folder / "run")) == {1}
    return run(folder, trainer, **changes)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_it_goes_on_to_the_same_numbers(trainer, straight, tmp_path):
    assert run_in_two(tmp_path, trainer) == straight[trainer]


WATCHED = {"solo_agent": "verifier.accuracy"}
"""A metric of training, where it is not ``mean_accuracy``."""

ALARM = {"warmup": 0, "window": 2, "action": "stop"}
"""The last iteration is the first in which there can be an alarm."""

OPTIONS = {
    "attack": {"every": 1, "num_iterations": 1, "max_datapoints": 4},
    "constant_verifier": {**ALARM, "threshold": 1.0},
    "label_leak": {**ALARM, "every": 1, "num_datapoints": 4, "max_accuracy": 1.0},
    "silent_prover": {**ALARM, "min_bits": 1e-9},
    "average_agent_weights": {"agents": ["prover0", "prover1"]},
    "profiler": {"wait": 0, "warmup": 0, "active": 1},
    "rollout_samples": {"every": 1, "num_rollouts": 2},
    "wandb": {"mode": "disabled"},
}
"""Options with which a callback has something to do in two iterations, and needs no network."""

EXTRAS = {"tensorboard": "tensorboard", "wandb": "wandb"}
"""Packages that a callback needs besides."""

TEXT_TRAINERS = ("pure_text_ei", "pure_text_grpo", "pure_text_malt")

REFUSED = {
    **{("average_agent_weights", trainer): "networks" for trainer in TEXT_TRAINERS},
    **{("rollout_samples", trainer): "transcripts" for trainer in TEXT_TRAINERS},
    ("rollout_samples", "solo_agent"): "answers alone",
    **{("best_checkpoint", trainer): "keeps weights of networks" for trainer in TEXT_TRAINERS},
    **{
        (callback, trainer): f"{callback} needs networks that play episodes"
        for callback in ("attack", "label_leak", "silent_prover")
        for trainer in (*TEXT_TRAINERS, "solo_agent")
    },
    ("constant_verifier", "solo_agent"): "constant_verifier needs networks that play episodes",
}
"""Pairs of callback and trainer that are refused, with a word of the reason."""


def chosen(callback: str, trainer: str) -> dict[str, Any]:
    """Return the entry that chooses a callback, fit for a trainer."""
    params, given = callback_specs[callback].parameters, OPTIONS.get(callback, {})
    if "monitor" in field_rules(params):
        given = {"monitor": WATCHED.get(trainer, "mean_accuracy"), **given}
    return {"name": callback, **given}


def fitting(trainer: str, *, is_observer: bool) -> list[dict[str, Any]]:
    """Return entries of all callbacks of one sort which a trainer can take."""
    return [
        chosen(name, trainer)
        for name in callback_registry.names()
        if callback_specs[name].is_observer == is_observer
        and (name, trainer) not in REFUSED
        and importlib.util.find_spec(EXTRAS.get(name, "nip")) is not None
    ]


# Two iterations leave the profiler no time to warm up.
@pytest.mark.filterwarnings("ignore:Profiler won't be using warmup")
@pytest.mark.parametrize("trainer", TRAINERS)
def test_all_that_only_look_on_change_no_number(trainer, straight, tmp_path):
    callbacks = fitting(trainer, is_observer=True)
    found = run_in_two(tmp_path, trainer, callbacks=callbacks)
    # An attack logs metrics of its own.
    own = {name for values in found.values() for name in values if name.startswith("attack_")}
    assert bool(own) == any(entry["name"] == "attack" for entry in callbacks)
    assert {
        iteration: {name: value for name, value in values.items() if name not in own}
        for iteration, values in found.items()
    } == straight[trainer]


@pytest.mark.parametrize("trainer", TRAINERS)
def test_with_all_that_step_in_it_goes_on_to_the_same_numbers(trainer, tmp_path):
    changes: dict[str, Any] = {"callbacks": fitting(trainer, is_observer=False)}
    if trainer_registry[trainer].data == "tensordict":
        # Its provers have the same networks.
        changes["protocol"] = "debate"
    once = run(tmp_path, trainer, "once", **changes)
    assert set(once) == {1, 2}
    assert run_in_two(tmp_path, trainer, **changes) == once


@pytest.mark.parametrize(("callback", "trainer"), REFUSED)
def test_a_callback_that_has_nothing_to_do_says_so(callback, trainer, tmp_path):
    with pytest.raises(NipError, match=REFUSED[callback, trainer]):
        run(tmp_path, trainer, callbacks=[chosen(callback, trainer)])


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_plan_is_made_without_leaving_anything(trainer, working_folder):
    plan = prepare_experiment(small_experiment(trainer), settings=make_settings(Path("runs")))
    assert [agent.name for agent in plan.agents] == ["prover", "verifier"]
    assert plan.num_iterations > 0
    assert plan.num_train_datapoints > 0
    assert list(working_folder.iterdir()) == []


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_run_that_is_completed_is_not_trained_again(trainer, straight, runs_dir):
    with patch.object(trainer_registry[trainer], "train", side_effect=AssertionError):
        assert run(runs_dir, trainer, trainer) == straight[trainer]
