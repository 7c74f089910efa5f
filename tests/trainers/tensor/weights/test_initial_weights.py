"""Agents that start with the weights of another run, and where these are found."""

import pytest
import torch

from nip.errors import ParameterError
from nip.run_store import RunHistory
from nip.trainers.tensor.weights import initial_weights
from nip.trainers.tensor.weights.checkpoint_source import source_folder
from nip.trainers.tensor.weights.initial_weights import load_agent_checkpoints
from nip.trainers.tensor.weights.saved_models import save_model
from tests.experiments import make_instance, make_params, make_settings, same_tensors

LOADED = {"load_checkpoint_and_parameters": True, "checkpoint_run_id": "other"}


def test_only_the_agents_that_ask_for_it_get_other_weights(tmp_path, monkeypatch):
    source = make_instance(make_params(seed=1))
    target = make_instance(make_params(seed=2, agents={"prover": LOADED}))
    save_model(tmp_path / "model", source.agents, source.normalizer, RunHistory(), 1)
    monkeypatch.setattr(initial_weights, "source_folder", lambda *_: tmp_path / "model")
    agents = target.agents.agents
    before = {name: value.clone() for name, value in agents["verifier"].state_dict().items()}
    load_agent_checkpoints(target.agents, make_settings(tmp_path))
    expected = source.agents.agents["prover"].state_dict()
    assert same_tensors(agents["prover"].state_dict(), expected)
    assert same_tensors(agents["verifier"].state_dict(), before)
    assert any(value.any() for value in expected.values() if isinstance(value, torch.Tensor))


def test_a_run_that_does_not_exist_is_refused_with_what_there_is(tmp_path):
    params = make_params(agents={"prover": LOADED}).agents["prover"]
    with pytest.raises(ParameterError, match=r"agents\.prover\.checkpoint_run_id .*'other'"):
        source_folder("prover", params, make_settings(tmp_path))
