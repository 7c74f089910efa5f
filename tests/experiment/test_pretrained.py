"""Agents in the layout of the Hugging Face hub: saved, and built again without their run."""

import json

import pytest
import torch

from nip.errors import CheckpointError, ParameterError
from nip.pretrained import build_pretrained, load_pretrained
from nip.trainers.tensor.weights.pretrained_agents import PretrainedAgent, save_pretrained
from tests.experiments import make_instance, make_params, tiny_graph_agent

AGENTS = ("prover0", "prover1", "verifier")


@pytest.fixture
def params():
    return make_params(
        "graph_isomorphism", protocol="debate", agents={"_default": tiny_graph_agent(d_decider=6)}
    )


@pytest.fixture
def saved(params, data_dir, tmp_path):
    instance = make_instance(params, data_dir)
    instance.normalizer.x_mean.fill_(0.5)
    instance.agents.eval()
    save_pretrained(tmp_path, instance.agents, instance.normalizer, params)
    return instance


def observations(instance):
    """Return what agents read after one round: not scaled, and scaled."""
    environment = instance.test_environment.fresh_copy(3)
    state = environment.initial_state()
    actions = environment.random_actions(torch.Generator().manual_seed(3))
    scaled = environment.advance(state, actions).state
    plain = {**scaled, "x": scaled["message_history"], "message": scaled["message_history"][:, 0]}
    return plain, scaled


def assert_same_output(found, expected):
    for field in ("message_logits", "decision_logits", "value"):
        values = getattr(found, field), getattr(expected, field)
        assert values == (None, None) or torch.equal(*values), field


def test_an_agent_without_its_run_says_the_same_of_what_is_not_scaled(saved, tmp_path):
    plain, scaled = observations(saved)
    assert not torch.equal(plain["x"], scaled["x"])
    for _, name, agent in saved.agents:
        loaded = load_pretrained(tmp_path / name)
        assert not loaded.training
        with torch.no_grad():
            assert_same_output(loaded(plain), agent(scaled))


def test_the_hub_mixin_reads_the_folders(saved, tmp_path, capsys):
    hub = pytest.importorskip("huggingface_hub")

    class HubAgent(PretrainedAgent, hub.PyTorchModelHubMixin):
        def __init__(self, **config):
            built = build_pretrained(config)
            super().__init__(built.agent, built.normalizer)

    loaded = HubAgent.from_pretrained(tmp_path / "verifier")
    expected = load_pretrained(tmp_path / "verifier").state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.state_dict().items())


def test_there_is_a_folder_for_each_agent_with_the_names_of_the_hub(saved, params, tmp_path):
    assert sorted(path.name for path in tmp_path.iterdir() if path.name in AGENTS) == list(AGENTS)
    for name in AGENTS:
        files = sorted(path.name for path in (tmp_path / name).iterdir())
        assert files == ["config.json", "model.safetensors"]
        config = json.loads((tmp_path / name / "config.json").read_text())
        assert config["agent_name"] == name
        assert config["message_shape"] == [2, 4]
        assert config["hyper_params"]["agents"]["_default"]["d_decider"] == 6
        assert config["hyper_params"]["scenario"] == "graph_isomorphism"
        assert config["hyper_params"]["interaction_protocol"] == "debate"


def test_agents_that_answer_alone_can_be_saved_too(tmp_path):
    params = make_params(trainer="solo_agent")
    instance = make_instance(params)
    save_pretrained(tmp_path, instance.agents, instance.normalizer, params)
    assert load_pretrained(tmp_path / "verifier").agent.solo_head is not None


def test_a_folder_that_is_incomplete_or_does_not_fit_is_refused(saved, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nobody cannot be read as an agent.*one agent"):
        load_pretrained(tmp_path / "nobody")
    config = tmp_path / "verifier" / "config.json"
    config.write_text(config.read_text().replace('"d_decider": 6', '"d_decider": 5'))
    with pytest.raises(ParameterError, match=r"(?s)does not match config\.json.*size mismatch"):
        load_pretrained(tmp_path / "verifier")
    (tmp_path / "verifier" / "model.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match="cannot be read as an agent"):
        load_pretrained(tmp_path / "verifier")
