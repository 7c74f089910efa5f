"""What is missing is reported before any image is read."""

import pytest

from nip.errors import DatasetError, ParameterError, UnknownNameError
from nip.experiment.checks import check_experiment
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.scenarios.image_classification.encoders import image_encoders, register_image_encoder
from nip.scenarios.image_classification.sources import image_datasets, register_image_dataset


def check(tmp_path, dataset="find_the_plus", **changes):
    params = HyperParameters(
        scenario="image_classification", trainer="vanilla_ppo", dataset=dataset, **changes
    )
    check_experiment(params, ExperimentSettings(data_dir=str(tmp_path)))


@pytest.mark.parametrize("dataset", ["mnist", "cifar10", "svhn"])
def test_missing_files_are_named(tmp_path, dataset) -> None:
    with pytest.raises(DatasetError, match=f"{tmp_path}/image_classification/{dataset}"):
        check(tmp_path, dataset)


@pytest.mark.parametrize("dataset", ["digits", "find_the_plus", "test"])
def test_other_datasets_need_no_files(tmp_path, dataset) -> None:
    check(tmp_path, dataset)


def test_an_unknown_dataset_is_refused_with_a_suggestion(tmp_path) -> None:
    with pytest.raises(ParameterError, match="Did you mean 'mnist'"):
        check(tmp_path, "minst")


def test_a_class_that_does_not_exist_is_refused(tmp_path) -> None:
    options = {"binarification_method": "select_two", "selected_classes": (0, 10)}
    with pytest.raises(ParameterError, match=r"numbered from 0 to 9, got \[0, 10\]"):
        check(tmp_path, "digits", dataset_options=options)


@pytest.mark.parametrize(
    ("agents", "named"),
    [
        (["verifier"], ["verifier"]),
        (["prover", "verifier"], ["prover", "verifier"]),
        (["_default", "prover"], ["_default"]),
    ],
)
def test_an_unknown_encoder_is_refused_with_the_agents_that_have_it(tmp_path, agents, named):
    with pytest.raises(UnknownNameError) as caught:
        check(tmp_path, agents={name: {"pretrained_embeddings_model": "resnet"} for name in agents})
    options = " and ".join(f"agents.{name}.pretrained_embeddings_model" for name in named)
    assert str(caught.value).startswith(f"{options}='resnet': There is no image encoder 'resnet'")


def test_missing_weights_of_an_encoder_are_reported(tmp_path) -> None:
    register_image_encoder("frozen", weights=tmp_path / "{dataset}.safetensors")(lambda: None)
    try:
        with pytest.raises(DatasetError, match=r"find_the_plus\.safetensors' .* do not exist"):
            check(tmp_path, agents={"prover": {"pretrained_embeddings_model": "frozen"}})
    finally:
        image_encoders.unregister("frozen")


def test_a_registered_dataset_can_be_chosen(tmp_path) -> None:
    register_image_dataset("mine", num_classes=3)(lambda folder, split: None)
    try:
        check(tmp_path, "mine")
    finally:
        image_datasets.unregister("mine")
