"""Features of images from pretrained encoders, computed once and cached under their content."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import safetensors
import torch
from jaxtyping import Float, Int, UInt8
from safetensors.torch import load_file, save
from torch import Tensor, nn

from nip.errors import DatasetError, PluginError
from nip.scenarios.image_classification.encoders import image_encoders
from nip.scenarios.image_classification.pixels import scale_pixels
from nip.seeding import stable_seed
from nip.utils.files import make_folder, regular, write_atomically

EMBEDDINGS = "pretrained_embeddings"
"""First part of the observation keys of features; the name of the encoder follows."""

BATCH_SIZE = 256
"""Number of images that are encoded, or read, at once."""

_FEATURES = "features"
_NUM_PROBES = 2


class EmbeddingCache:
    """Features of all images of one split of a dataset, on disk.

    Parameters
    ----------
    folder : Path
        Folder of the cache files.
    dataset : str
        Name of the dataset, for the weights of the encoder.
    images : ndarray
        All images of the split, in the order of the dataset.
    device : str
        Device on which they are encoded.
    """

    def __init__(
        self,
        folder: Path,
        dataset: str,
        images: UInt8[np.ndarray, "image channel height width"],
        device: str = "cpu",
    ) -> None:
        self._folder = folder
        self._dataset = dataset
        self._images = images
        self._device = device

    def features(
        self, encoder: str, rows: Int[Tensor, " kept"], *, ignore_cache: bool = False
    ) -> Float[Tensor, "kept channel height width"]:
        """Return the features of some images, computing those of all if they are not cached.

        The name of a cache file is a hash of the images, of the module and its weights, and of the
        features of the first images, so that it changes with anything that changes the features.
        """
        module = build_encoder(encoder, self._dataset).to(self._device)
        key = self._key(encoder, module)
        path = self._folder / f"{key}.safetensors"
        if ignore_cache or not path.is_file():
            make_folder(self._folder)
            features = torch.cat([self._encode(encoder, module, part) for part in self._parts()])
            metadata = {"model": encoder, "shape": json.dumps(list(features.shape))}
            metadata["dtype"] = str(features.dtype).removeprefix("torch.")
            write_atomically(path, save({_FEATURES: features}, metadata))
        return _read_rows(path, rows)

    def _parts(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self._images), BATCH_SIZE):
            yield self._images[start : start + BATCH_SIZE]

    def _key(self, encoder: str, module: nn.Module) -> str:
        digest = hashlib.sha256(f"{encoder}\n{module!r}\n{tuple(self._images.shape)}".encode())
        digest.update(self._images.tobytes())
        for name, value in sorted(module.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        probe = self._encode(encoder, module, self._images[:_NUM_PROBES])
        digest.update(probe.numpy().tobytes())
        return digest.hexdigest()[:32]

    @torch.no_grad()
    def _encode(self, encoder: str, module: nn.Module, images: np.ndarray) -> Tensor:
        pixels = scale_pixels(torch.tensor(images))
        features = module(pixels.to(self._device))
        if not isinstance(features, Tensor) or features.ndim != 4 or len(features) != len(images):
            shape = tuple(features.shape) if isinstance(features, Tensor) else type(features)
            raise PluginError(
                f"The image encoder {encoder!r} must return features of the shape (batch, channel, "
                f"height, width), got {shape} for {len(images)} images."
            )
        return features.cpu().contiguous()


def build_encoder(name: str, dataset: str) -> nn.Module:
    """Build the module of an encoder, with its weights, for evaluation.

    Raises
    ------
    UnknownNameError
        If there is no such encoder.
    DatasetError
        If its weights are missing, damaged or of another module.
    """
    encoder = image_encoders[name]
    path = encoder.weights_path(dataset)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_seed("image encoder", name))
        module = encoder.build()
    if path is not None:
        try:
            module.load_state_dict(load_file(regular(path)))
        except (safetensors.SafetensorError, OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise DatasetError(
                f"{str(path)!r} does not hold the weights of the image encoder {name!r}: {reason}"
            ) from error
    return module.eval()


def _read_rows(path: Path, rows: Tensor) -> Tensor:
    """Read some rows of the features, without having all of them in memory."""
    with safetensors.safe_open(regular(path), framework="pt") as file:
        stored = file.get_slice(_FEATURES)
        num_images, *shape = stored.get_shape()
        result = torch.empty(len(rows), *shape)
        for start in range(0, num_images, BATCH_SIZE):
            is_here = (rows >= start) & (rows < start + BATCH_SIZE)
            result[is_here] = stored[start : start + BATCH_SIZE][rows[is_here] - start].to(
                result.dtype
            )
    return result
