"""Least memory, compared with what is really allocated, and with absurd sizes."""

from typing import Any

import pytest
import torch

from nip.errors import ParameterError
from nip.experiment.checks import check_experiment
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.parameters.checks.memory import memory_needs
from tests.experiments import make_instance, make_params, tiny_graph_agent
from tests.text_experiments import make_text_params

MEMORY = 16 * 10**9


def refused(hyper_params: HyperParameters, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the message of the check on a machine of 16 GB."""
    monkeypatch.setattr("nip.experiment.checks.memory_limit", lambda: MEMORY)
    with pytest.raises(ParameterError, match=r"^There is not enough memory") as caught:
        check_experiment(hyper_params, ExperimentSettings())
    return str(caught.value)


BIG = 10**9


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"message_size": BIG}, "message_size=1000000000"),
        ({"rl": {"rollouts_per_iteration": 10**12}}, "rl.rollouts_per_iteration=1000000000000"),
        (
            {"rl": {"frames_per_batch": 10**12, "minibatch_size": 8}},
            "rl.frames_per_batch=1000000000000",
        ),
        ({"rl": {"num_test_iterations": 10**12}}, "rl.num_test_iterations=1000000000000"),
        ({"protocol": "nip", "nip_protocol": {"max_message_rounds": BIG}}, "nip_protocol.max_mess"),
        (
            {"include_linear_message_space": True, "d_linear_message_space": 10**12},
            "d_linear_message_space=1000000000000",
        ),
        ({"agents": {"prover": {"d_hidden": 10**11}}}, "agents.prover.d_hidden=100000000000"),
    ],
)
def test_absurd_sizes_are_refused_before_anything_is_built(
    changes: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert named in refused(make_params(**changes), monkeypatch)


@pytest.mark.parametrize(
    "option",
    [
        "num_gnn_layers",
        "num_transformer_layers",
        "d_transformer",
        "d_transformer_mlp",
        "d_gin_mlp",
        "num_decider_layers",
        "num_value_layers",
        "num_node_selector_layers",
    ],
)
def test_absurd_networks_are_refused(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    agents = {"verifier": tiny_graph_agent(**{option: 10**10})}
    message = refused(make_params("graph_isomorphism", agents=agents), monkeypatch)
    assert f"agents.verifier.{option}=10000000000" in message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"agents": {"prover": {"kernel_size": 10**9}}}, "agents.prover.kernel_size=1000000000"),
        ({"agents": {"prover": {"d_value": 10**9}, "_default": {}}}, "agents.prover.d_value"),
        ({"image_classification": {"num_block_groups": 10**12}}, "num_block_groups=1000000000000"),
        ({"image_classification": {"initial_num_channels": 10**9}}, "initial_num_channels=10000"),
    ],
)
def test_absurd_networks_for_images_are_refused(
    changes: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = HyperParameters(
        scenario="image_classification", dataset="test", trainer="vanilla_ppo", **changes
    )
    assert named in refused(params, monkeypatch)


def test_more_dialogues_than_can_be_paid_for_are_refused() -> None:
    params = make_text_params(rl={"num_iterations": 10**9})
    with pytest.raises(ParameterError, match=r"rl\.num_iterations=1000000000 .* at most 10000000"):
        check_experiment(params, ExperimentSettings())


def test_absurd_numbers_of_dialogues_and_rounds_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = make_text_params(rl={"rollouts_per_iteration": 10**12})
    assert "rl.rollouts_per_iteration=1000000000000" in refused(count, monkeypatch)
    rounds = make_text_params(nip_protocol={"max_message_rounds": 10**12})
    assert "nip_protocol.max_message_rounds=1000000000000" in refused(rounds, monkeypatch)


WIDE = {
    "d_gnn": 32,
    "d_gin_mlp": 64,
    "num_gnn_layers": 3,
    "num_transformer_layers": 2,
    "d_transformer": 32,
    "d_transformer_mlp": 64,
    "num_decider_layers": 5,
    "num_value_layers": 5,
    "num_node_selector_layers": 5,
}


@pytest.mark.parametrize("trainer", ["vanilla_ppo", "solo_agent"])
@pytest.mark.parametrize("agent", [{}, WIDE])
def test_the_estimate_of_networks_is_below_their_real_size(
    trainer: str, agent: dict[str, int], data_dir: Any
) -> None:
    hyper_params = make_params(
        "graph_isomorphism", trainer, agents={"_default": tiny_graph_agent(**agent)}
    )
    parts = [each for each in memory_needs(hyper_params) if not each.on_device]
    estimate = sum(each.num_bytes for each in parts if each.what != "the timetable")
    instance = make_instance(hyper_params, data_dir)
    weights = [*torch.nn.ModuleList(each for _, _, each in instance.agents).parameters()]
    # A parameter is an object in Python beside its numbers, of more than 500 bytes.
    real = sum(4 * weight.numel() + 500 for weight in weights)
    assert 0.2 * real < estimate <= real
