"""What is saved."""

import torch

from nip.factory import build_scenario_instance
from nip.parameters import RandomAgentParameters
from nip.run_store import Run
from nip.trainers.registry import build_trainer
from nip.trainers.tensor.weights.checkpointing import (
    agents_state_dict,
    load_agents_state_dict,
)
from tests.experiments import make_instance, make_params, make_settings, tiny_graph_agent


def test_every_part_of_every_agent_has_an_entry(data_dir):
    agents = {"prover": RandomAgentParameters(), "_default": tiny_graph_agent()}
    params = make_params(
        "graph_isomorphism", protocol="nip", agents=agents, rl={"use_shared_body": False}
    )
    state = agents_state_dict(make_instance(params, data_dir).agents)
    parts = {"body", "policy_head", "value_head"}
    assert {name: set(parts) for name, parts in state.items()} == {
        "prover": parts,
        "verifier": {*parts, "value_body"},
    }
    assert state["prover"]["body"] == {}
    assert any(name.endswith("running_mean") for name in state["verifier"]["body"])


def test_weights_come_back_into_a_fresh_instance(data_dir):
    agents, other = (
        make_instance(
            make_params("graph_isomorphism", protocol="debate", seed=seed), data_dir
        ).agents
        for seed in (1, 2)
    )
    load_agents_state_dict(other, agents_state_dict(agents))
    expected, found = agents.state_dict(), other.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_run_is_saved_at_the_end_and_then_goes_on_from_there(tmp_path):
    params = make_params(rl={"num_iterations": 3})
    settings = make_settings(tmp_path, checkpoint_period=2)
    saved = []
    with Run.open(settings, "r", params.to_dict()) as run:
        trainer = build_trainer(params, build_scenario_instance(params, settings), settings, run)
        trainer.save_checkpoint = lambda done, save=trainer.save_checkpoint: (
            saved.append(done),
            save(done),
        )
        trainer.train()
    assert saved == [2, 3]
    with Run.open(settings, "r", params.to_dict()) as run:
        trainer = build_trainer(params, build_scenario_instance(params, settings), settings, run)
        trainer.setup()
        assert trainer.context.iteration == 3
        assert trainer.is_done
        trainer.close()
