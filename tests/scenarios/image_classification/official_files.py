"""Tiny datasets of images in the official formats."""

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np

NUM_IMAGES = {"train": 6, "test": 4}
PREFIXES = {"train": "train", "test": "t10k"}


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write bytes as a compressed IDX file: magic number, sizes with the highest byte first."""
    header = struct.pack(">BBBB", 0, 0, 8, values.ndim) + struct.pack(
        f">{values.ndim}I", *values.shape
    )
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))


def write_mnist(folder: Path, split: str, images: np.ndarray, classes: np.ndarray) -> None:
    """Write images (n, 28, 28) and classes (n,) under the official names."""
    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder / f"{PREFIXES[split]}-images-idx3-ubyte.gz", images)
    write_idx(folder / f"{PREFIXES[split]}-labels-idx1-ubyte.gz", classes)


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    """Write a compressed archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def cifar_records(labels: list[list[int]], pixels: np.ndarray) -> bytes:
    """Return binary records: the labels of an image, then its red, green and blue plane."""
    return b"".join(
        bytes(mine) + image.astype(np.uint8).tobytes()
        for mine, image in zip(labels, pixels, strict=True)
    )


def random_pixels(num_images: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(num_images, *shape), dtype=np.uint8)
