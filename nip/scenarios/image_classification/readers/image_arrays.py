"""Images of one split of a dataset, with their classes, as arrays."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8


@dataclass(frozen=True)
class ImageArrays:
    """Images and their classes, in the order of the dataset."""

    images: UInt8[np.ndarray, "image channel height width"]
    """Pixels from 0 (black) to 255."""

    classes: Int[np.ndarray, " image"]
    """Class of each image, from 0."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.classes)
