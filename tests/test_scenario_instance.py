"""Which data are named when a run says what it was trained on."""

from types import SimpleNamespace
from typing import Any

from nip.scenario_instance import (
    PureTextScenarioInstance,
    ScenarioInstance,
    TensorDictScenarioInstance,
)


def data(digest: str) -> Any:
    """Return a dataset of which only the digest is known."""
    return SimpleNamespace(fingerprint=lambda: digest)


def instance_of(cls: type[ScenarioInstance], **parts: Any) -> ScenarioInstance:
    """Return an instance whose other parts are empty."""
    return cls(**{**dict.fromkeys(cls.__dataclass_fields__), **parts})


def test_networks_learn_from_the_training_split_alone() -> None:
    instance = instance_of(
        TensorDictScenarioInstance, train_dataset=data("a"), test_dataset=data("b")
    )
    assert instance.digests() == {"train dataset": "a"}


def test_language_models_are_also_told_apart_by_their_tests_and_prompts() -> None:
    instance = instance_of(
        PureTextScenarioInstance,
        train_dataset=data("a"),
        test_dataset=data("b"),
        rules=SimpleNamespace(digest="c"),
    )
    assert instance.digests() == {"train dataset": "a", "test dataset": "b", "prompts": "c"}


def test_another_kind_of_data_is_named_by_its_datasets_if_they_have_a_fingerprint() -> None:
    instance = instance_of(ScenarioInstance, train_dataset=data("a"), test_dataset=["b"])
    assert instance.digests() == {"train dataset": "a"}
    assert instance_of(ScenarioInstance).digests() == {}
