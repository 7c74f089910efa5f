"""Weights saved in one folder, and loaded into fresh networks."""

import os
import re
import shutil

import pytest
import torch

from nip.errors import CheckpointError, NipError, ParameterError, StorageError
from nip.parameters import RandomAgentParameters, ToyAgentParameters
from nip.run import run_experiment
from nip.run_store import RunHistory
from nip.trainers.tensor.weights.saved_models import load_model, save_model
from tests.experiments import (
    make_instance,
    make_params,
    make_settings,
    same_tensors,
    tiny_graph_agent,
)


def outputs(instance):
    """Return what every agent makes of the same observations."""
    environment = instance.test_environment.fresh_copy(7)
    state = environment.initial_state()
    actions = environment.random_actions(torch.Generator().manual_seed(7))
    state = environment.advance(state, actions).state
    observed = {name: value for name, value in state.items() if name not in ("y", "datapoint_id")}
    instance.agents.eval()
    with torch.no_grad():
        results = {name: agent(observed) for _, name, agent in instance.agents}
    return {
        f"{name}.{field}": getattr(result, field)
        for name, result in results.items()
        for field in ("message_logits", "decision_logits", "value")
        if getattr(result, field) is not None
    }


def save(folder, instance, history=None, iteration=0):
    save_model(folder, instance.agents, instance.normalizer, history or RunHistory(), iteration)


def load(folder, instance, which=None):
    return load_model(folder, instance.agents, instance.normalizer, which)


def graph_instance(data_dir, seed, **agent):
    params = make_params(
        "graph_isomorphism",
        protocol="nip",
        seed=seed,
        agents={"_default": tiny_graph_agent(**agent)},
    )
    return make_instance(params, data_dir)


@pytest.fixture
def saved(tmp_path, data_dir):
    """A model with a scaling of its own, saved, and what it gives."""
    instance = graph_instance(data_dir, seed=1)
    instance.normalizer.x_mean.fill_(0.25)
    instance.normalizer.message_std.fill_(3.0)
    history = RunHistory()
    history.update(1, {"mean_accuracy": 0.5})
    history.update(2, {"mean_accuracy": 0.75, "loss": 1 / 3})
    save(tmp_path / "model", instance, history, iteration=2)
    return tmp_path / "model", instance, history


def test_a_fresh_instance_gives_identical_outputs_after_loading(saved, data_dir):
    folder, instance, history = saved
    other = graph_instance(data_dir, seed=2)
    expected = outputs(instance)
    assert not same_tensors(outputs(other), expected)
    loaded = load(folder, other)
    assert same_tensors(outputs(other), expected)
    assert same_tensors(other.normalizer.state_dict(), instance.normalizer.state_dict())
    assert loaded.to_dict() == history.to_dict()
    assert loaded.latest("loss") == 1 / 3


def test_there_is_one_file_for_each_part_of_each_agent(saved):
    folder, _, _ = saved
    parts = [
        f"agents.{agent}.{part}.safetensors"
        for agent in ("prover", "verifier")
        for part in ("body", "policy_head", "value_head")
    ]
    others = ["manifest.json", "normalizer.safetensors", "state.json"]
    assert sorted(os.listdir(folder)) == sorted([*parts, *others])
    assert os.listdir(folder.parent) == ["model"]


def test_a_model_is_not_saved_below_a_file(saved, tmp_path, data_dir):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(StorageError, match="file is no folder"):
        save(tmp_path / "file" / "model", graph_instance(data_dir, seed=2))
    assert (tmp_path / "file").read_text() == "precious"


def test_saving_again_replaces_the_model_and_nothing_else(saved, tmp_path, data_dir):
    folder, _, _ = saved
    other = graph_instance(data_dir, seed=2)
    save(folder, other)
    again = graph_instance(data_dir, seed=3)
    assert load(folder, again).names() == []
    assert same_tensors(again.agents.state_dict(), other.agents.state_dict())
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("precious")
    with pytest.raises(ParameterError, match=r"thesis, which holds something else.*another folder"):
        save(tmp_path / "thesis", other)
    with pytest.raises(ParameterError, match="something else"):
        save(tmp_path / "thesis" / "thesis.tex", other)
    assert (tmp_path / "thesis" / "thesis.tex").read_text() == "precious"
    (tmp_path / "empty").mkdir()
    save(tmp_path / "empty", other)


def test_a_missing_folder_or_file_is_file_not_found(saved, tmp_path, data_dir):
    folder, instance, _ = saved
    with pytest.raises(FileNotFoundError, match=r"no saved weights in .*nowhere.*save_model") as e:
        load(tmp_path / "nowhere", instance)
    assert isinstance(e.value, NipError)
    (folder / "agents.verifier.body.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"verifier\.body\.safetensors"):
        load(folder, instance)


def test_other_sizes_are_refused_by_name_with_both_shapes_and_nothing_is_changed(saved, data_dir):
    folder, _, _ = saved
    wider = graph_instance(data_dir, seed=2, d_decider=6)
    before = {name: value.clone() for name, value in wider.agents.state_dict().items()}
    with pytest.raises(ParameterError) as caught:
        load(folder, wider)
    message = str(caught.value)
    assert "verifier.policy_head, tensor" in message
    assert re.search(r"\(4, (\d+)\) → \(6, \1\)", message)
    assert "verifier.body" not in message
    assert "hyper_params.yaml" in message
    assert same_tensors(wider.agents.state_dict(), before)


def test_agents_and_parts_that_are_not_there_are_refused_by_name(tmp_path):
    lonely = make_instance(make_params(trainer="solo_agent"))
    pair = make_instance(make_params(protocol="nip"))
    debaters = make_instance(make_params(protocol="debate"))
    save(tmp_path / "lonely", lonely)
    save(tmp_path / "pair", pair)
    with pytest.raises(ParameterError, match=r"verifier\.policy_head: absent"):
        load(tmp_path / "lonely", pair)
    with pytest.raises(ParameterError, match=r"agent 'prover0': not among prover, verifier"):
        load(tmp_path / "pair", debaters)
    hidden = {"verifier": ToyAgentParameters(d_hidden=5)}
    deeper = make_instance(make_params(protocol="nip", agents=hidden))
    with pytest.raises(ParameterError, match=r"verifier\.body, tensor .*: absent → \("):
        load(tmp_path / "pair", deeper)


def test_agents_that_play_at_random_are_saved_and_loaded_with_the_others(tmp_path):
    agents = {"prover": RandomAgentParameters()}
    first, second = (make_instance(make_params(agents=agents, seed=seed)) for seed in (1, 2))
    save(tmp_path / "model", first)
    load(tmp_path / "model", second)
    assert same_tensors(second.agents.state_dict(), first.agents.state_dict())


def test_a_run_and_its_checkpoints_can_be_loaded_like_a_model(tmp_path):
    params = make_params(rl={"num_iterations": 3})
    settings = make_settings(tmp_path, max_checkpoints=3)
    result = run_experiment(params, run_id="r", settings=settings)
    instance = make_instance(params)
    history = load(result.folder, instance)
    assert history.values("mean_accuracy")[-1][0] == 3
    third = {name: value.clone() for name, value in instance.agents.state_dict().items()}
    second_folder = result.folder / "checkpoints" / "iteration_000002"
    history = load(second_folder, instance)
    assert [iteration for iteration, _ in history.values("mean_accuracy")] == [1, 2]
    second = {name: value.clone() for name, value in instance.agents.state_dict().items()}
    assert not same_tensors(second, third)
    load(result.folder, instance, which=2)
    assert same_tensors(instance.agents.state_dict(), second)
    (result.folder / "checkpoints" / "best.json").write_text(
        '{"iteration": 2, "metric": "mean_accuracy", "value": 0.5}'
    )
    load(result.folder, instance, which="latest")
    assert same_tensors(instance.agents.state_dict(), third)
    load(result.folder, instance)
    assert same_tensors(instance.agents.state_dict(), second)
    with pytest.raises(CheckpointError, match=r"no checkpoint 9.*latest, best, 1, 2, 3"):
        load(result.folder, instance, which=9)
    shutil.copytree(second_folder, tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere", instance).names() == []
