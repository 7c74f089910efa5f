"""A plain Trainer with a scenario of its own kind of data: the example of the guide."""

import importlib.util
import re
import sys
import types
import warnings

import numpy as np
import pytest
import torch

from nip.errors import ParameterError
from nip.experiment.checks import check_experiment
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.parameters import HyperParameters, scenario_specs, trainer_specs
from nip.parameters.parameters_base import parameter_classes
from nip.run import prepare_experiment, run_experiment
from nip.run_store import Run, read_history
from nip.scenario_base.registry import scenario_registry
from nip.trainers.core.callback import Callback
from nip.trainers.core.unsaved_generators import UnsavedGenerators
from nip.trainers.registry import build_trainer, trainer_registry
from nip.trainers.trainer_base import Trainer
from tests.experiments import make_params, make_settings, make_trainer
from tests.text_experiments import make_text_params


@pytest.fixture(autouse=True)
def example(repository):
    """Load the example of the guide, and forget it afterwards."""
    path = repository / "doc" / "examples" / "new_kind_of_data.py"
    spec = importlib.util.spec_from_file_location("new_kind_of_data", path)
    module = sys.modules["new_kind_of_data"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for registry, name in (
        (scenario_registry, "lists"),
        (scenario_specs, "lists"),
        (trainer_registry, "table_reinforce"),
        (trainer_specs, "table_reinforce"),
        (parameter_classes, "TableAgentParameters"),
    ):
        registry.unregister(name)
    del sys.modules["new_kind_of_data"]


def lists(num_iterations=6, **changes):
    return HyperParameters(
        scenario="lists",
        dataset="short_lists",
        trainer="table_reinforce",
        interaction_protocol="adp",
        rl={"num_iterations": num_iterations},
        **changes,
    )


def test_it_learns_and_stores_its_metrics(tmp_path):
    result = run_experiment(lists(30, eval_every=10), run_id="r", settings=make_settings(tmp_path))
    history = read_history(result.folder)
    assert len(history.values("mean_accuracy")) == 30
    assert [n for n, _ in history.values("test_mean_accuracy")] == [10, 20, 30]
    # A descent cannot be forged, so the verifier is soon right.
    assert result.metrics["test_mean_accuracy"] == 1.0


def test_evaluations_do_not_influence_training(tmp_path):
    results = [
        run_experiment(lists(eval_every=n), run_id=f"r{n}", settings=make_settings(tmp_path))
        for n in (1, 6)
    ]
    first, second = (read_history(each.folder).values("mean_accuracy") for each in results)
    assert first == second


class PowerCut(Callback):
    def on_iteration_end(self, context):
        if context.iteration == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("period", [1, 2])
def test_killed_and_resumed_equals_uninterrupted(tmp_path, period):
    params, settings = lists(), make_settings(tmp_path, checkpoint_period=period)
    straight = run_experiment(params, run_id="straight", settings=settings)
    with Run.open(settings, "broken", params.to_dict()) as run:
        run.start()
        trainer = build_trainer(params, build_scenario_instance(params, settings), settings, run)
        trainer.add_callback(PowerCut())
        with pytest.raises(KeyboardInterrupt):
            trainer.train()
        assert run.get_state("checkpoint")["context"]["iteration"] == 3 - (3 % period)
    resumed = run_experiment(params, run_id="broken", settings=settings)
    assert resumed.metrics == straight.metrics
    histories = [read_history(each.folder).to_dict() for each in (straight, resumed)]
    assert histories[0] == histories[1]
    with Run.open(settings, "straight", params.to_dict()) as one:
        first = one.get_state("checkpoint")
    with Run.open(settings, "broken", params.to_dict()) as two:
        assert two.get_state("checkpoint") == first


def test_early_stopping_and_callbacks_work(tmp_path):
    stopping = {"name": "early_stopping", "monitor": "mean_accuracy", "threshold": 0.9}
    params = lists(100, callbacks=[{**stopping, "mode": "max"}])
    result = run_experiment(params, run_id="r", settings=make_settings(tmp_path))
    values = read_history(result.folder).values("mean_accuracy")
    assert values[-1][1] >= 0.9 > values[-2][1]
    tested = read_history(result.folder).values("test_mean_accuracy")
    assert [n for n, _ in tested] == [len(values)] != [100]


def test_state_that_json_cannot_hold_is_refused(tmp_path, example, monkeypatch):
    monkeypatch.setattr(
        example.TableTrainer,
        "state_dict",
        lambda self: {**self._base_state_dict(), "table": torch.ones(2)},
    )
    with pytest.raises(ParameterError, match=r"TableTrainer cannot be saved: state\.table.*tolist"):
        run_experiment(lists(), run_id="r", settings=make_settings(tmp_path))


def test_it_can_be_planned():
    plan = prepare_experiment(lists())
    assert [agent.name for agent in plan.agents] == ["prover", "verifier"]
    sizes = plan.num_train_datapoints, plan.num_test_datapoints, plan.num_iterations
    assert sizes == (64, 64, 7)


def test_other_kinds_of_data_are_refused_with_those_that_fit():
    message = r"'lists' is made of data of the kind 'lists'.*trainers table_reinforce, or"
    with pytest.raises(ParameterError, match=message):
        make_params().with_changes({"scenario": "lists", "dataset": "short_lists", "agents": None})
    message = r"learns from data of the kind 'lists', but scenario='toy' is made of tensors"
    with pytest.raises(ParameterError, match=message):
        HyperParameters(scenario="toy", dataset="witness", trainer="table_reinforce")


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ParameterError, match="does not learn from tensors and cannot be split"):
        check_experiment(lists(), ExperimentSettings())


AVERAGE = {"name": "average_agent_weights", "agents": ["prover", "verifier"]}


@pytest.mark.parametrize("callback", [{"name": "rollout_samples"}, AVERAGE], ids=str)
def test_callbacks_for_networks_are_refused(tmp_path, callback):
    params = lists(callbacks=[callback])
    with pytest.raises(ParameterError, match=f"'{callback['name']}'.*Leave it out"):
        run_experiment(params, run_id="r", settings=make_settings(tmp_path))
    assert not (tmp_path / "r").exists()


def test_a_scenario_that_builds_nothing_is_refused(example, monkeypatch):
    monkeypatch.setattr(example.ListScenario, "build_instance", lambda self, protocol: None)
    with pytest.raises(ParameterError, match="must return a ScenarioInstance, got None"):
        build_scenario_instance(lists(), ExperimentSettings())


COMMON = ("protocol_handler", "agents", "hyper_params", "settings", "scenario_instance", "context")
"""Attributes that every trainer has from the same place."""


def test_every_trainer_has_the_same_attributes():
    trainers = [
        make_trainer(make_params()),
        make_trainer(make_params(trainer="solo_agent")),
        make_trainer(make_text_params("pure_text_ei")),
        make_trainer(lists()),
    ]
    for trainer in trainers:
        assert all(hasattr(trainer, name) for name in COMMON)
        instance = trainer.scenario_instance
        assert trainer.protocol_handler is instance.protocol_handler
        assert trainer.agents is instance.agents
        assert instance.train_dataset is not None and instance.test_dataset is not None
        assert instance.scenario.name == trainer.hyper_params.scenario
        assert isinstance(trainer, Trainer)
    assert [trainer.device for trainer in trainers] == [torch.device("cpu")] * 2 + [None] * 2


def test_a_best_checkpoint_is_refused_because_only_the_last_is_kept():
    with pytest.raises(ParameterError, match=r"best_checkpoint keeps weights.*kind 'lists'"):
        lists(callbacks=[{"name": "best_checkpoint", "monitor": "mean_accuracy"}])


def without(*entries):
    return lambda state: {name: each for name, each in state.items() if name not in entries}


FORMS = {
    "none": (without("generator"), r"lack the state of self\.generator, so.* of TableTrainer,"),
    "nested": (lambda state: state, None),
    "text": (lambda state: {**state, "generator": repr(state["generator"])}, None),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_generator_that_is_not_saved_is_named(tmp_path, example, monkeypatch, form):
    change, message = FORMS[form]
    original = example.TableTrainer.state_dict
    monkeypatch.setattr(example.TableTrainer, "state_dict", lambda self: change(original(self)))
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        run_experiment(lists(), run_id="r", settings=make_settings(tmp_path))
    found = [str(each.message) for each in issued if "Checkpoints lack" in str(each.message)]
    assert len(found) == (message is not None)
    assert message is None or re.search(message, found[0])


def test_a_generator_of_numpy_that_is_not_saved_is_named():
    checks, trainer = UnsavedGenerators(), types.SimpleNamespace(rng=np.random.default_rng(0))
    saved = {"rng": trainer.rng.bit_generator.state}
    checks.check(trainer, saved)
    trainer.rng.random()
    checks.check(trainer, {"rng": trainer.rng.bit_generator.state})
    checks.check(trainer, {})
    trainer.rng.random()
    with pytest.warns(UserWarning, match=r"lack the state of self\.rng"):
        checks.check(trainer, saved)


def test_a_trainer_that_restores_and_saves_no_agents_is_pointed_out(tmp_path, example, monkeypatch):
    monkeypatch.delattr(example.TableTrainer, "state_dict")
    with pytest.warns(UserWarning, match="lack the agents, because TableTrainer has no state_d"):
        run_experiment(lists(), run_id="r", settings=make_settings(tmp_path))
