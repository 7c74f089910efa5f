"""Registry of pretrained image encoders, whose features agents see beside the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nip.errors import DatasetError
from nip.parameters import ImageClassificationAgentParameters
from nip.registry import Registry
from nip.utils.files import with_home

if TYPE_CHECKING:
    from torch import nn

    from nip.parameters import HyperParameters

ModuleBuilder = Callable[[], "nn.Module"]
"""Builds a module that maps images (batch, channel, height, width), with pixels from -1 to 1, to
features (batch, feature channel, feature height, feature width)."""


@dataclass(frozen=True)
class ImageEncoder:
    """A frozen network whose features are computed once for each image."""

    build: ModuleBuilder
    """Builds the module."""

    weights: str | None
    """Path of its weights, with ``{dataset}`` in place of the name of the dataset."""

    def weights_path(self, dataset: str) -> Path | None:
        """Return the path of the weights for a dataset; None if the module has its own.

        Raises
        ------
        DatasetError
            If the file does not exist.
        """
        if self.weights is None:
            return None
        path = with_home(self.weights.format(dataset=dataset))
        if not path.is_file():
            raise DatasetError(
                f"The weights {str(path)!r} of an image encoder do not exist. Put the safetensors "
                "file there, or give its path to register_image_encoder."
            )
        return path


image_encoders: Registry[ImageEncoder] = Registry("image encoder")
"""All image encoders by name."""


def register_image_encoder(name: str, *, weights: str | Path | None = None) -> Callable[[Any], Any]:
    """Register an image encoder, as a decorator of a module's class or of a function.

    The class, or function, is called without arguments and returns a ``torch.nn.Module``; see
    ``ModuleBuilder`` for what it computes. Its random state is seeded, so that a module without
    trained weights is the same in every process.

    Parameters
    ----------
    name : str
        Value of ``pretrained_embeddings_model`` that chooses it.
    weights : str or Path, optional
        Safetensors file that is loaded into the module. ``{dataset}`` in its path stands for the
        name of the dataset.
    """

    def decorate(build: Any) -> Any:
        image_encoders.register(
            name, ImageEncoder(build, None if weights is None else str(weights))
        )
        return build

    return decorate


def encoders_of_agents(hyper_params: HyperParameters) -> dict[str, list[str]]:
    """Return the encoders whose features agents see, in sorted order, each with the agents.

    The agents are named as in the parameters, so that ``_default`` is one of them.
    """
    found: dict[str, list[str]] = {}
    for agent_name, agent in hyper_params.agents.items():
        if not isinstance(agent, ImageClassificationAgentParameters):
            continue
        if encoder := agent.pretrained_embeddings_model:
            found.setdefault(encoder, []).append(agent_name)
    return dict(sorted(found.items()))
