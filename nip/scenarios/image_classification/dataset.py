"""Loading of images as tensors, with labels and pretrained embeddings."""

import torch

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.scenario_base.data import TensorDataset
from nip.scenarios.image_classification.checks import check_images
from nip.scenarios.image_classification.embeddings import EMBEDDINGS, EmbeddingCache
from nip.scenarios.image_classification.encoders import encoders_of_agents
from nip.scenarios.image_classification.labels import label_rows
from nip.scenarios.image_classification.pixels import scale_pixels
from nip.scenarios.image_classification.sources import image_datasets, image_folder


def load_images(
    hyper_params: HyperParameters, settings: ExperimentSettings, split: str
) -> TensorDataset:
    """Load the labelled images of one split.

    Returns
    -------
    dataset : TensorDataset
        ``image`` (n, channel, height, width) from -1 to 1, and ``pretrained_embeddings/<name>``
        (n, channel, height, width) for each encoder that an agent uses.

    Raises
    ------
    DatasetError
        If a file is missing or damaged, or no image is left.
    ParameterError
        If the images are too small for the number of groups of blocks.
    """
    check_images(hyper_params, settings)
    source = image_datasets[hyper_params.dataset]
    folder = image_folder(settings, hyper_params.dataset)
    arrays = source.read(folder, split)
    kept = label_rows(arrays.classes, hyper_params.dataset_options, source, split)
    observations = {"image": scale_pixels(torch.from_numpy(arrays.images[kept.rows]))}
    rows = torch.from_numpy(kept.rows)
    cache = EmbeddingCache(
        folder / EMBEDDINGS, hyper_params.dataset, arrays.images, settings.device
    )
    for name in encoders_of_agents(hyper_params):
        features = cache.features(name, rows, ignore_cache=settings.ignore_cache)
        observations[f"{EMBEDDINGS}/{name}"] = features
    height, width = arrays.images.shape[2:]
    return TensorDataset(
        observations,
        torch.from_numpy(kept.labels),
        message_shape=latent_grid(hyper_params, height, width),
    )


def latent_grid(hyper_params: HyperParameters, height: int, width: int) -> tuple[int, int]:
    """Return height and width of the grid of latent pixels, halved by each group of blocks.

    Raises
    ------
    ParameterError
        If nothing is left of the image.
    """
    num_groups = hyper_params.image_classification.num_block_groups
    grid = height >> num_groups, width >> num_groups
    if min(grid) == 0:
        raise ParameterError(
            f"image_classification.num_block_groups={num_groups} halves the images of "
            f"{hyper_params.dataset!r}, which have {height}x{width} pixels, until nothing is "
            f"left. Set it to {min(height, width).bit_length() - 1} or less."
        )
    return grid


def latent_extent(index: int, num_cells: int, num_pixels: int) -> slice:
    """Return the image pixels to which a row, or column, of latent pixels is enlarged."""
    return slice(-(-index * num_pixels // num_cells), -(-(index + 1) * num_pixels // num_cells))
