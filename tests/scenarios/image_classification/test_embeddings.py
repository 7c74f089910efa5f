"""Features of encoders are computed once, cached by content, and stay with their images."""

import json
from itertools import count

import pytest
import safetensors
import torch
from safetensors.torch import save_file
from torch import nn

from nip.errors import DatasetError, PluginError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.scenarios.image_classification import embeddings
from nip.scenarios.image_classification.dataset import load_images
from nip.scenarios.image_classification.embeddings import EmbeddingCache, build_encoder
from nip.scenarios.image_classification.encoders import image_encoders, register_image_encoder
from tests.scenarios.image_classification.official_files import random_pixels

IMAGES = random_pixels(7, 1, 4, 4)


class Doubling(nn.Module):
    """Twice the pixels, in two channels, and a count of the images that it was given."""

    num_images = 0

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, images):
        Doubling.num_images += len(images)
        return self.factor * images.expand(-1, 2, -1, -1)


@pytest.fixture
def doubling(monkeypatch):
    monkeypatch.setattr(Doubling, "num_images", 0)
    register_image_encoder("doubling")(Doubling)
    yield
    image_encoders.unregister("doubling")


def test_features_are_those_of_the_chosen_rows(tmp_path, doubling, monkeypatch) -> None:
    monkeypatch.setattr(embeddings, "BATCH_SIZE", 3)
    rows = torch.tensor([6, 0, 3, 3])
    found = EmbeddingCache(tmp_path, "test", IMAGES).features("doubling", rows)
    expected = 2 * (torch.from_numpy(IMAGES)[rows] / 127.5 - 1).expand(-1, 2, -1, -1)
    torch.testing.assert_close(found, expected)


def test_they_are_computed_once(tmp_path, doubling) -> None:
    probes = 2
    for _ in range(3):
        EmbeddingCache(tmp_path, "test", IMAGES).features("doubling", torch.arange(7))
    assert Doubling.num_images == 7 + 3 * probes
    EmbeddingCache(tmp_path, "test", IMAGES).features(
        "doubling", torch.arange(7), ignore_cache=True
    )
    assert Doubling.num_images == 2 * 7 + 4 * probes


def test_the_file_describes_itself(tmp_path, doubling) -> None:
    EmbeddingCache(tmp_path, "test", IMAGES).features("doubling", torch.arange(7))
    (path,) = tmp_path.iterdir()
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata == {
        "model": "doubling",
        "shape": json.dumps([7, 2, 4, 4]),
        "dtype": "float32",
    }


def test_other_images_weights_or_code_are_cached_apart(tmp_path, doubling, monkeypatch) -> None:
    def features(images=IMAGES):
        return EmbeddingCache(tmp_path, "test", images).features("doubling", torch.arange(7))

    number, found = count(1), [features()]
    other = IMAGES.copy()
    other[6, 0, 0, 0] ^= 1
    found.append(features(other))
    assert len(list(tmp_path.iterdir())) == next(number) + 1
    monkeypatch.setattr(Doubling, "forward", lambda self, images: self.factor * images + 1)
    found.append(features())
    assert len(list(tmp_path.iterdir())) == next(number) + 1
    assert found[2].shape != found[0].shape
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize("dataset", ["first", "second"])
def test_weights_are_those_of_the_dataset(tmp_path, dataset) -> None:
    for factor, name in enumerate(("first", "second"), start=3):
        save_file({"factor": torch.tensor(float(factor))}, tmp_path / f"{name}.safetensors")
    register_image_encoder("stored", weights=tmp_path / "{dataset}.safetensors")(Doubling)
    try:
        assert build_encoder("stored", dataset).factor == {"first": 3, "second": 4}[dataset]
    finally:
        image_encoders.unregister("stored")


def test_weights_of_another_module_are_refused(tmp_path) -> None:
    save_file({"scale": torch.ones(())}, tmp_path / "w.safetensors")
    register_image_encoder("wrong", weights=tmp_path / "w.safetensors")(Doubling)
    try:
        with pytest.raises(DatasetError, match=r"w\.safetensors.*factor"):
            build_encoder("wrong", "test")
    finally:
        image_encoders.unregister("wrong")


def test_a_module_without_weights_is_the_same_in_every_process() -> None:
    register_image_encoder("random")(lambda: nn.Conv2d(1, 2, 3))
    try:
        before = torch.random.get_rng_state()
        first = build_encoder("random", "test")
        torch.rand(3)
        assert torch.equal(first.weight, build_encoder("random", "test").weight)
        torch.random.set_rng_state(before)
        assert not first.training
    finally:
        image_encoders.unregister("random")


def test_features_without_places_are_refused(tmp_path) -> None:
    register_image_encoder("flat")(nn.Flatten)
    try:
        with pytest.raises(PluginError, match=r"'flat' must return .* got \(2, 16\)"):
            EmbeddingCache(tmp_path, "test", IMAGES).features("flat", torch.arange(7))
    finally:
        image_encoders.unregister("flat")


def test_agents_see_the_features_of_their_images(tmp_path, doubling) -> None:
    params = HyperParameters(
        scenario="image_classification",
        trainer="vanilla_ppo",
        dataset="find_the_plus",
        agents={"prover": {"pretrained_embeddings_model": "doubling"}},
        dataset_options={"max_train_size": 20},
    )
    dataset = load_images(params, ExperimentSettings(data_dir=str(tmp_path)), "train")
    found = dataset["pretrained_embeddings/doubling"]
    torch.testing.assert_close(found, 2 * dataset["image"].expand(-1, 2, -1, -1))
