"""The tree is built from instances, mappings or nothing, and survives being stored."""

import copy
import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings

from nip.errors import ParameterError, PluginError, UnknownNameError
from nip.parameters import (
    GraphIsomorphismAgentParameters,
    HyperParameters,
    LrFactors,
    PpoParameters,
    RlParameters,
    ToyAgentParameters,
    register_parameter_group,
)
from nip.parameters.trainers import SoloAgentParameters
from tests.parameters.examples import CHOICES, make_tree, trees
from tests.parameters.plugin_example import PluginParameters

# What the published code has, for the groups that this version has as well.
PUBLISHED_DEFAULTS = {
    "interaction_protocol": "nip",
    "seed": 6198,
    "pretrain_agents": False,
    "test_size": 0.2,
    "d_representation": 16,
    "message_size": 1,
    "include_linear_message_space": False,
    "d_linear_message_space": 2,
    "rl.frames_per_batch": 1000,
    "rl.rollouts_per_iteration": None,
    "rl.steps_per_env_per_iteration": None,
    "rl.num_iterations": 1000,
    "rl.num_epochs": 4,
    "rl.minibatch_size": 64,
    "rl.lr": 0.003,
    "rl.anneal_lr": False,
    "rl.max_grad_norm": 1.0,
    "rl.loss_critic_type": "smooth_l1",
    "rl.clip_value": False,
    "rl.normalize_observations": True,
    "rl.num_normalization_steps": 1000,
    "rl.gamma": 0.9,
    "rl.lmbda": 0.95,
    "rl.use_shared_body": True,
    "rl.num_test_iterations": 10,
    "ppo.loss_type": "clip",
    "ppo.clip_epsilon": 0.2,
    "ppo.kl_target": 0.01,
    "ppo.kl_beta": 1.0,
    "ppo.kl_decrement": 0.5,
    "ppo.kl_increment": 2.0,
    "ppo.critic_coef": 1.0,
    "ppo.entropy_eps": 0.001,
    "ppo.normalize_advantage": True,
    "reinforce.use_advantage_and_critic": False,
    "solo_agent.num_epochs": 100,
    "solo_agent.batch_size": 256,
    "solo_agent.learning_rate": 0.001,
    "solo_agent.body_lr_factor_override": False,
    "protocol_common.verifier_first": True,
    "protocol_common.prover_reward": 1.0,
    "protocol_common.prover_terminated_penalty": 0.0,
    "protocol_common.verifier_reward": 1.0,
    "protocol_common.verifier_incorrect_penalty": -1.0,
    "protocol_common.verifier_terminated_penalty": -1.0,
    "protocol_common.verifier_no_guess_reward": 0.0,
    "protocol_common.shared_reward": False,
    "protocol_common.force_guess": None,
    "nip_protocol.max_message_rounds": 8,
    "nip_protocol.min_message_rounds": 1,
    "debate_protocol.max_message_rounds": 8,
    "debate_protocol.sequential": False,
    "debate_protocol.prover0_first": True,
    "mnip_protocol.min_message_rounds": 1,
    "agents.prover.agent_lr_factor.actor": 1.0,
    "agents.prover.body_lr_factor.critic": 1.0,
    "agents.prover.use_manual_architecture": False,
    "agents.prover.use_orthogonal_initialisation": True,
    "agents.prover.orthogonal_initialisation_gain": 1.0,
    "agents.prover.activation_function": "tanh",
    "agents.prover.num_gnn_layers": 5,
    "agents.prover.d_gnn": 16,
    "agents.prover.d_gin_mlp": 64,
    "agents.prover.gnn_output_digits": None,
    "agents.prover.use_dual_gnn": True,
    "agents.prover.num_heads": 4,
    "agents.prover.num_transformer_layers": 4,
    "agents.prover.d_transformer": 16,
    "agents.prover.d_transformer_mlp": 64,
    "agents.prover.transformer_dropout": 0.0,
    "agents.prover.d_node_selector": 16,
    "agents.prover.num_node_selector_layers": 2,
    "agents.prover.d_decider": 16,
    "agents.prover.num_decider_layers": 2,
    "agents.prover.include_round_in_decider": True,
    "agents.prover.d_linear_message_selector": 16,
    "agents.prover.num_linear_message_selector_layers": 2,
    "agents.prover.d_value": 16,
    "agents.prover.num_value_layers": 2,
    "agents.prover.include_round_in_value": True,
    "agents.prover.use_batch_norm": True,
    "agents.prover.noise_sigma": 0.0,
    "agents.prover.use_pair_invariant_pooling": True,
    "agents.prover.gnn_lr_factor.actor": 1.0,
}


@pytest.mark.parametrize("name", PUBLISHED_DEFAULTS)
def test_defaults_are_those_of_the_published_code(name: str) -> None:
    value = make_tree().get(name)
    assert value == PUBLISHED_DEFAULTS[name]
    assert type(value) is type(PUBLISHED_DEFAULTS[name])


@pytest.mark.parametrize("given_ppo", [PpoParameters(clip_epsilon=0.1), {"clip_epsilon": 0.1}])
def test_a_group_is_given_as_instance_or_mapping(given_ppo: object) -> None:
    assert make_tree(ppo=given_ppo).ppo == PpoParameters(clip_epsilon=0.1)


def test_a_group_that_is_none_has_its_defaults() -> None:
    tree = make_tree(rl=None)
    assert tree.rl == RlParameters()
    assert tree.solo_agent == SoloAgentParameters()


def test_groups_within_groups_are_given_as_mappings() -> None:
    tree = make_tree(
        agents={"prover": {"gnn_lr_factor": {"actor": 0.5, "critic": 0.5}}},
    )
    prover = tree.agents["prover"]
    assert isinstance(prover, GraphIsomorphismAgentParameters)
    assert prover.gnn_lr_factor == LrFactors(0.5, 0.5)
    assert prover.body_lr_factor == LrFactors(1.0, 1.0)


def test_a_group_of_another_kind_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"^ppo must be PpoParameters, a mapping .* got Rl"):
        make_tree(ppo=RlParameters())


def test_what_has_no_default_must_be_given() -> None:
    with pytest.raises(ParameterError) as caught:
        HyperParameters(scenario="toy")  # type: ignore[call-arg]
    assert [problem.split(" is missing")[0] for problem in caught.value.problems] == [
        "trainer",
        "dataset",
    ]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        make_tree(trainer="vanila_ppo", ssed=1, rl={"lr": -1.0, "gama": 0.5}, ppo={"kl_beta": "x"})
    text = str(caught.value)
    assert "trainer='vanila_ppo'" in text
    assert "There is no parameter 'ssed'. Did you mean 'seed'?" in text
    assert "rl.lr must be a finite number, above 0, got -1.0. The default is 0.003." in text
    assert "There is no parameter 'rl.gama'. Did you mean 'rl.gamma'?" in text
    assert "ppo.kl_beta must be" in text
    assert len(caught.value.problems) == 5


def test_a_parameter_given_at_the_root_is_sent_to_its_group() -> None:
    with pytest.raises(ParameterError, match=r"'lr'\. Did you mean 'rl\.lr'\?"):
        make_tree(lr=1.0)
    with pytest.raises(ParameterError, match=r"'rl\.num_epochs' or 'solo_agent\.num_epochs'\?"):
        make_tree(num_epochs=1)


@pytest.mark.filterwarnings("ignore::nip.errors.NipWarning")
@settings(max_examples=20)
@given(trees())
def test_a_tree_survives_the_way_through_a_dictionary(tree: HyperParameters) -> None:
    stored = tree.to_dict()
    assert HyperParameters.from_dict(stored) == tree
    assert HyperParameters.from_dict(stored).to_dict() == stored


@pytest.mark.grid
@pytest.mark.filterwarnings("ignore::nip.errors.NipWarning")
@settings(max_examples=20)
@given(trees())
def test_a_tree_survives_the_way_through_json_and_yaml(tree: HyperParameters) -> None:
    assert HyperParameters.from_dict(json.loads(json.dumps(tree.to_dict()))) == tree
    text = tree.to_yaml()
    assert HyperParameters.from_yaml(text) == tree
    assert HyperParameters.from_dict(yaml.safe_load(text)) == tree


def test_each_node_is_stored_with_its_class() -> None:
    stored = make_tree(agents={"prover": {"is_random": True}}).to_dict()
    assert stored["_type"] == "HyperParameters"
    assert stored["ppo"]["_type"] == "PpoParameters"
    assert stored["agents"]["prover"]["_type"] == "RandomAgentParameters"
    assert stored["agents"]["prover"]["is_random"] is True
    assert stored["agents"]["_default"]["_type"] == "GraphIsomorphismAgentParameters"
    assert stored["agents"]["_default"]["agent_lr_factor"]["_type"] == "LrFactors"


def test_the_writer_is_stored_on_demand_and_ignored_when_read() -> None:
    tree = make_tree()
    assert not any(name.startswith("_package") for name in tree.to_dict())
    stamped = tree.to_dict(stamp=True)
    assert stamped["_package_name"] == "nip"
    assert stamped["_package_version"][0].isdigit()
    assert HyperParameters.from_dict(stamped) == tree


def test_reading_leaves_the_stored_tree_as_it_was() -> None:
    stored = make_tree(agents={"prover": {"d_gnn": 8}}).to_dict(stamp=True)
    before = copy.deepcopy(stored)
    HyperParameters.from_dict(stored)
    assert stored == before


def test_unknown_names_are_left_out_on_demand() -> None:
    stored = make_tree().to_dict()
    stored["rl"]["from_the_future"] = 1
    stored["pure_text_from_the_future"] = {"num_responses": 2}
    stored["agents"]["_default"]["d_image"] = 3
    with pytest.raises(ParameterError, match=r"rl\.from_the_future"):
        HyperParameters.from_dict(stored)
    assert HyperParameters.from_dict(stored, ignore_unknown=True) == make_tree()


def test_yaml_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "hyper_params.yaml"
    path.write_text(make_tree(seed=3).to_yaml())
    assert HyperParameters.from_yaml(path) == make_tree(seed=3)
    assert HyperParameters.from_yaml(str(path)) == make_tree(seed=3)
    for missing in (tmp_path / "missing.yaml", str(tmp_path / "missing.yaml")):
        with pytest.raises(ParameterError, match=r"missing\.yaml' cannot be read: No such file"):
            HyperParameters.from_yaml(missing)


def test_numbers_in_yaml_may_be_written_as_in_python() -> None:
    text = "{scenario: toy, trainer: reinforce, dataset: witness, rl: {lr: 1e-3, max_grad_norm: 1}}"
    tree = HyperParameters.from_yaml(text)
    assert tree.rl.lr == 0.001
    assert tree.rl.max_grad_norm == 1.0
    assert type(tree.rl.max_grad_norm) is float


@pytest.mark.parametrize("data", ["a string", None, 3, ["scenario"]])
def test_something_else_than_a_mapping_is_refused(data: object) -> None:
    with pytest.raises(ParameterError, match=r"mapping|missing"):
        HyperParameters.from_dict(data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rl.lr", 0.003),
        ("ppo", PpoParameters()),
        ("agents.anyone.num_gnn_layers", 5),
        ("agents.verifier.is_random", False),
        ("agents._default.gnn_lr_factor.actor", 1.0),
    ],
)
def test_values_are_read_by_dotted_name(name: str, value: object) -> None:
    assert make_tree().get(name) == value


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rl.lrr", "There is no parameter 'rl.lrr'. Did you mean 'rl.lr'?"),
        ("sed", "There is no parameter 'sed'. Did you mean 'seed'?"),
        ("rl.lr.x", "There is no parameter 'rl.lr.x'."),
        ("", "There is no parameter ''."),
        ("plugin_groups", "There is no parameter 'plugin_groups'."),
    ],
)
def test_an_unknown_dotted_name_is_a_key_error(name: str, message: str) -> None:
    with pytest.raises(KeyError) as caught:
        make_tree().get(name)
    assert isinstance(caught.value, UnknownNameError)
    assert str(caught.value).startswith(message)


def test_a_checked_tree_does_not_change() -> None:
    tree = make_tree()
    with pytest.raises(AttributeError, match=r"RlParameters\.lr cannot be set to 1\.0.*replace"):
        tree.rl.lr = 1.0
    with pytest.raises(AttributeError, match="seed"):
        tree.seed = 1
    assert tree == make_tree()


def test_a_tree_can_be_replaced_copied_and_sent() -> None:
    tree = make_tree(agents={"prover": {"d_gnn": 8}})
    assert dataclasses.replace(tree, seed=1).agents["prover"].get("d_gnn") == 8
    assert dataclasses.replace(tree, seed=1).seed == 1
    assert copy.deepcopy(tree) == tree
    assert pickle.loads(pickle.dumps(tree)) == tree
    with pytest.raises(ParameterError, match="seed"):
        dataclasses.replace(tree, seed=-1)


def test_the_agents_follow_from_the_scenario() -> None:
    toy = make_tree(scenario="toy", dataset="witness", agents={"prover": {"d_hidden": 3}})
    assert toy.agents["prover"] == ToyAgentParameters(d_hidden=3)
    assert toy.agents["verifier"] == ToyAgentParameters()


class TestPluginGroups:
    def test_a_group_is_given_and_read_by_its_name(self, plugin_group: str) -> None:
        tree = make_tree(**{plugin_group: {"temperature": 0.5}})
        assert tree.my_trainer == PluginParameters(temperature=0.5)
        assert tree.get("my_trainer.temperature") == 0.5

    def test_a_group_that_is_not_given_has_its_defaults(self, plugin_group: str) -> None:
        assert make_tree().my_trainer == PluginParameters()

    def test_a_group_stands_at_the_root_of_a_stored_tree(self, plugin_group: str) -> None:
        tree = make_tree(my_trainer={"temperature": 2, "order": [["a"], ["b", "c"]]})
        stored = tree.to_dict()
        assert stored["my_trainer"]["temperature"] == 2.0
        assert stored["my_trainer"]["order"] == [["a"], ["b", "c"]]
        assert "plugin_groups" not in stored
        assert HyperParameters.from_dict(stored) == tree
        assert HyperParameters.from_yaml(tree.to_yaml()) == tree
        assert tree.my_trainer.order == (("a",), ("b", "c"))

    def test_a_group_is_checked_like_any_other(self, plugin_group: str) -> None:
        with pytest.raises(ParameterError, match=r"^my_trainer\.temperature must be .*got -1"):
            make_tree(my_trainer={"temperature": -1})

    def test_trees_with_different_groups_are_different(self, plugin_group: str) -> None:
        tree = make_tree(my_trainer={"temperature": 2})
        assert tree != make_tree()
        assert dataclasses.replace(tree, seed=1).my_trainer.temperature == 2.0
        assert tree.with_changes({"my_trainer.temperature": 3}).my_trainer.temperature == 3.0

    def test_a_group_of_an_absent_plugin_asks_for_the_plugin(self) -> None:
        with pytest.raises(ParameterError, match=r"'my_trainer'.*load the plugin first"):
            make_tree(my_trainer={"temperature": 0.5})
        with pytest.raises(AttributeError, match="no 'my_trainer'"):
            _ = make_tree().my_trainer

    @pytest.mark.parametrize("name", ["rl", "seed", "plugin_groups", "two words", "_hidden"])
    def test_a_group_needs_a_name_of_its_own(self, name: str) -> None:
        with pytest.raises(PluginError, match="cannot be named"):
            register_parameter_group(name, PluginParameters)

    def test_a_group_needs_defaults(self) -> None:
        with pytest.raises(PluginError, match="Add one to: scenario, trainer, dataset"):
            register_parameter_group("nested", HyperParameters)


def test_a_misspelt_attribute_has_a_suggestion() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'reinforce'"):
        _ = make_tree().reinfoce


def test_parameters_are_checked_without_anything_heavy() -> None:
    script = (
        "import sys\n"
        "from nip.parameters import HyperParameters\n"
        f"HyperParameters(**{CHOICES!r})\n"
        "print({'torch', 'numpy', 'hydra', 'omegaconf'} & set(sys.modules))\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
