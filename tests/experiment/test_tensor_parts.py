"""Building the parts of an experiment with networks; tests/test_factory.py has what they are."""

import pytest

import nip.experiment.tensor_parts
from nip.errors import DatasetError, ParameterError, PluginError
from nip.experiment.tensor_parts import build_tensor_instance
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.protocols.registry import build_protocol_handler
from nip.scenario_base.batch_shape import BatchShape
from nip.scenario_base.data import TensorDataset
from nip.scenario_instance import TensorDictScenarioInstance
from nip.scenarios.toy import ToyScenario
from nip.utils.ranks import Ranks
from tests.experiments import make_params

SETTINGS = ExperimentSettings(progress=False)


def built(hyper_params: HyperParameters) -> TensorDictScenarioInstance:
    return build_tensor_instance(hyper_params, SETTINGS)


def test_a_protocol_that_was_compiled_already_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    params = make_params(protocol="debate")
    protocol = build_protocol_handler(params)
    monkeypatch.setattr(nip.experiment.tensor_parts, "build_protocol_handler", None)
    instance = build_tensor_instance(params, SETTINGS, protocol)
    environments = (instance.train_environment, instance.test_environment)
    assert instance.protocol_handler is protocol
    assert all(environment.protocol is protocol for environment in environments)
    assert list(instance.agents.agents) == ["prover0", "prover1", "verifier"]


def test_a_trainer_without_rollouts_has_one_environment_whatever_the_batch() -> None:
    rounds = {"max_message_rounds": 5, "min_message_rounds": 1}
    params = make_params(
        trainer="solo_agent",
        protocol="nip",
        nip_protocol=rounds,
        rl={"rollouts_per_iteration": None, "frames_per_batch": 64},
    )
    instance = built(params)
    assert instance.batch_shape == BatchShape(num_environments=1, num_steps=5)
    assert instance.train_environment.num_environments == 1
    assert instance.test_environment.num_environments == 1


def test_the_environments_are_those_of_all_processes_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nip.experiment.tensor_parts, "launched_ranks", lambda: Ranks(size=2))
    instance = built(make_params(rl={"rollouts_per_iteration": 6}))
    assert instance.batch_shape.num_environments == 6
    assert instance.train_environment.num_environments == 6
    assert instance.test_environment.num_environments == 6
    with pytest.raises(ParameterError, match="5 environments cannot be divided by 2 processes"):
        built(make_params(rl={"rollouts_per_iteration": 5}))


@pytest.mark.parametrize(
    ("sizes", "changes", "said"),
    [
        (
            {"train": 0, "test": 9},
            {},
            r"The train split .*'witness' must have at least 1 .* got none",
        ),
        (
            {"train": 9, "test": 0},
            {},
            r"The test split .*'witness' must have at least 1 .* got none",
        ),
        ({"train": 1, "test": 9}, {"trainer": "solo_agent"}, r"at least 2 .* trainer='solo_agent'"),
        ({"train": 1, "test": 9}, {"pretrain_agents": True}, r"at least 2 .* pretrain_agents=True"),
        ({"train": 2, "test": 1}, {"trainer": "solo_agent"}, None),
        ({"train": 1, "test": 1}, {}, None),
    ],
)
def test_a_split_with_too_few_datapoints_is_refused(
    sizes: dict[str, int], changes: dict, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = ToyScenario.load_dataset

    def few(scenario: ToyScenario, split: str) -> TensorDataset:
        whole = load(scenario, split)
        kept = {name: value[: sizes[split]] for name, value in whole.observations.items()}
        return TensorDataset(kept, whole.y[: sizes[split]], whole.message_shape)

    monkeypatch.setattr(ToyScenario, "load_dataset", few)
    params = make_params(**changes)
    if said is None:
        built(params)
    else:
        with pytest.raises(DatasetError, match=said):
            built(params)


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("load_dataset", "a TensorDataset"),
        ("build_body", "an AgentBody"),
        ("build_policy_head", "a PolicyHead"),
        ("build_value_head", "a ValueHead"),
    ],
)
def test_a_scenario_that_returns_nothing_is_told_what_to_return(
    method: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToyScenario, method, lambda self, argument: None)
    with pytest.raises(ParameterError, match=f"{method} of scenario='toy' .* {wanted}, got None"):
        built(make_params())


@pytest.mark.parametrize("name", ["body", "policy_head", "value_head", "message_key"])
def test_a_scenario_that_does_not_name_a_part_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(ToyScenario, name)
    with pytest.raises(PluginError, match=rf"scenario='toy' names no {name},.*ToyScenario"):
        built(make_params())
