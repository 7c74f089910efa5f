"""Building the parts of an experiment with language models."""

from pathlib import Path

import pytest

import nip.experiment.text_parts
from nip.errors import DatasetError, NipError, ParameterError
from nip.experiment.text_parts import TextParts, build_text_instance, build_text_parts
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.protocols.registry import build_protocol_handler
from nip.scenario_base.text.datapoint import TextDataset
from nip.scenarios.code_validation.scenario import CodeValidationScenario
from tests.text_experiments import make_text_params

SETTINGS = ExperimentSettings(progress=False)


def parts_of(params: HyperParameters) -> TextParts:
    return build_text_parts(params, SETTINGS, build_protocol_handler(params))


def test_agents_come_in_the_order_of_the_protocol_and_groups_in_that_of_their_agents() -> None:
    agents = {
        "_default": {"use_dummy_api": True},
        "prover0": {"use_dummy_api": True, "shared_model_group": "provers"},
        "prover1": {"use_dummy_api": True, "shared_model_group": "provers"},
    }
    parts = parts_of(make_text_params(interaction_protocol="debate", agents=agents))
    assert list(parts.agents) == ["prover0", "prover1", "verifier"]
    groups = parts.shared_model_groups
    assert [(name, group.agent_names) for name, group in groups.items()] == [
        ("provers", ("prover0", "prover1")),
        ("verifier", ("verifier",)),
    ]


def test_no_data_are_read_before_the_instance_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = CodeValidationScenario.load_dataset

    def load(scenario: CodeValidationScenario, split: str) -> TextDataset:
        read.append(split)
        return original(scenario, split)

    monkeypatch.setattr(CodeValidationScenario, "load_dataset", load)
    params = make_text_params()
    parts = parts_of(params)
    assert read == []
    build_text_instance(params, SETTINGS, parts)
    assert read == ["train", "test"]


def test_parts_that_were_built_already_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    params = make_text_params()
    parts = parts_of(params)
    monkeypatch.setattr(nip.experiment.text_parts, "build_text_parts", None)
    instance = build_text_instance(params, SETTINGS, parts)
    assert instance.protocol_handler is parts.protocol
    assert instance.scenario is parts.scenario
    assert instance.rules is parts.rules
    assert instance.agents is parts.agents
    assert instance.shared_model_groups is parts.shared_model_groups


@pytest.mark.parametrize(
    ("sizes", "changes", "said"),
    [
        (
            {"train": 0, "test": 2},
            {},
            r"The train split of the dataset 'test' must have at least 1",
        ),
        ({"train": 2, "test": 0}, {}, r"The test split of the dataset 'test' must have at least 1"),
        ({"train": 2, "test": 0}, {"text_rl": {"test_scheme": "none"}}, None),
        ({"train": 1, "test": 1}, {}, None),
    ],
)
def test_a_split_without_datapoints_is_refused_where_it_is_used(
    sizes: dict[str, int], changes: dict, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = CodeValidationScenario.load_dataset
    monkeypatch.setattr(
        CodeValidationScenario, "load_dataset", lambda *given: load(*given)[: sizes[given[1]]]
    )
    params = make_text_params(**changes)
    if said is None:
        build_text_instance(params, SETTINGS)
    else:
        with pytest.raises(DatasetError, match=said):
            build_text_instance(params, SETTINGS)


def test_a_missing_dataset_is_told_before_the_agents_are_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(CodeValidationScenario, "build_agents", None)
    params = make_text_params().with_changes({"dataset": "my_programs"})
    with pytest.raises(NipError, match="my_programs"):
        build_text_parts(
            params, ExperimentSettings(data_dir=tmp_path), build_protocol_handler(params)
        )


def test_a_scenario_that_loads_nothing_is_told_what_to_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CodeValidationScenario, "load_dataset", lambda self, split: None)
    with pytest.raises(ParameterError, match=r"load_dataset of .* a TextDataset, got None"):
        build_text_instance(make_text_params(), SETTINGS)
