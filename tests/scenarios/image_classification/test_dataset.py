"""Datasets of images: pixels, labels, positions and grids."""

import numpy as np
import pytest
import torch

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.parameters import HyperParameters
from nip.scenarios.image_classification.dataset import latent_extent, load_images
from nip.scenarios.image_classification.pixels import scale_pixels
from nip.scenarios.image_classification.readers.find_the_plus import read_plus_split
from tests.scenarios.image_classification.official_files import random_pixels, write_mnist


def make_params(dataset="find_the_plus", **changes) -> HyperParameters:
    return HyperParameters(
        scenario="image_classification", trainer="vanilla_ppo", dataset=dataset, **changes
    )


def load(tmp_path, split="train", **changes):
    return load_images(make_params(**changes), ExperimentSettings(data_dir=str(tmp_path)), split)


def test_pixels_are_scaled_to_minus_one_and_one() -> None:
    images = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)
    torch.testing.assert_close(scale_pixels(images), torch.tensor([[[[-1.0, -0.6, 1.0]]]]))


def test_images_and_labels_stay_together(tmp_path) -> None:
    dataset = load(tmp_path, dataset_options={"max_train_size": 50})
    arrays = read_plus_split(tmp_path, "train")
    class_of = {bytes(image): class_ for image, class_ in zip(*vars(arrays).values(), strict=True)}
    pixels = ((dataset["image"] + 1) * 127.5).round().byte().numpy()
    assert len(dataset) == 50
    assert [class_of[bytes(image)] for image in pixels] == dataset["y"].tolist()


def test_official_files_are_read_from_their_folder(tmp_path) -> None:
    folder, pixels = tmp_path / "image_classification" / "kmnist", random_pixels(6, 28, 28)
    for split in ("train", "test"):
        write_mnist(folder, split, pixels, np.array([8, 2, 5, 2, 8, 8]))
    options = {"binarification_method": "select_two", "selected_classes": (2, 8)}
    dataset = load(tmp_path, dataset="kmnist", dataset_options=options)
    assert dataset["image"].shape == (4, 1, 28, 28)
    assert dataset["y"].tolist() == [0, 0, 1, 1]
    twos = {bytes(image) for image in pixels[[1, 3]]}
    assert {bytes(((i + 1) * 127.5).round().byte().numpy()) for i in dataset["image"][:2]} == twos


@pytest.mark.parametrize(("num_groups", "grid"), [(1, (14, 14)), (2, (7, 7)), (3, (3, 3))])
def test_each_group_halves_the_grid_and_rounds_down(tmp_path, num_groups, grid) -> None:
    groups = {"num_block_groups": num_groups}
    assert load(tmp_path, dataset="test", image_classification=groups).message_shape == grid


def test_too_many_groups_are_refused_with_the_largest_number(tmp_path) -> None:
    with pytest.raises(ParameterError, match=r"28x28 pixels.*to 4 or less"):
        load(tmp_path, dataset="test", image_classification={"num_block_groups": 5})
    assert load(
        tmp_path, dataset="test", image_classification={"num_block_groups": 4}
    ).message_shape == (1, 1)


@pytest.mark.parametrize("changes", [{}, {"message_size": 3}, {"interaction_protocol": "debate"}])
@pytest.mark.parametrize("num_rounds", [3, 5])
def test_shapes_follow_the_protocol_in_the_same_data_folder(tmp_path, changes, num_rounds) -> None:
    """No file depends on T, C or P, so changing them cannot find data of another shape."""
    protocol = changes.get("interaction_protocol", "nip")
    rounds = {f"{protocol}_protocol": {"max_message_rounds": num_rounds}}
    rl = {"rollouts_per_iteration": 2, "frames_per_batch": None, "minibatch_size": 2}
    params = make_params("test", rl=rl, **changes, **rounds)
    settings = ExperimentSettings(data_dir=str(tmp_path), progress=False)
    instance = build_scenario_instance(params, settings)
    state = instance.train_environment.initial_state()
    channels = 2 if protocol == "debate" else 1
    shape = (2, num_rounds, channels, params.message_size, 14, 14)
    assert state["message_history"].shape == shape
    assert not list(tmp_path.iterdir())


def test_a_latent_pixel_covers_the_pixels_to_which_it_is_enlarged() -> None:
    for num_pixels, num_cells in ((28, 3), (24, 6), (7, 3), (5, 5)):
        cells = torch.arange(float(num_cells)).view(1, 1, -1)
        enlarged = torch.nn.functional.interpolate(cells, num_pixels)[0, 0]
        for index in range(num_cells):
            extent = latent_extent(index, num_cells, num_pixels)
            assert (enlarged == index).nonzero().flatten().tolist() == list(range(num_pixels))[
                extent
            ]
