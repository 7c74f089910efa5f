"""Parameters of image classification: agents, grids of messages, and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from nip.parameters.fields.outside_names import PLAIN_TEXT
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.parameters_base import SubParameters, register_parameter_class
from nip.parameters.scenarios.network_sizes import LAYER, Sizes, head_sizes, network_needs
from nip.parameters.scenarios.pooled_heads import PooledHeadParameters
from nip.parameters.types import ActivationType, Count, CountOrZero
from nip.utils.memory_limit import MemoryNeed

MAX_GROUPS = 60
"""Number of doublings after which sizes are no longer computed exactly."""


@register_parameter_class
@dataclass
class ImageClassificationAgentParameters(PooledHeadParameters):
    """A convolutional network on the image and the pixels named in messages, and heads on top."""

    activation_function: ActivationType = "tanh"
    """Activation function of the convolutional network and of all heads."""

    building_block_type: Literal["conv2d", "residual_basic"] = "conv2d"
    """Blocks of the network: one convolution, or the basic block of residual networks."""

    num_blocks_per_group: Count = 2
    """Number of blocks in each group, before its pooling."""

    kernel_size: Count = 3
    """Width of the convolution kernels."""

    stride: Count = 1
    """Stride of the first convolution of each group; a larger one makes it coarser and faster."""

    glimpse_radius: CountOrZero | None = None
    """Distance in latent pixels from a named one up to which the image is visible; None: any."""

    image_pooling: Literal["mean", "max", "named"] = "mean"
    """Represent an image by the mean or maximum of its latent pixels, or the mean of named ones."""

    include_coordinates: bool = False
    """Give row and column of each pixel as inputs; convolutions do not know where they are."""

    pretrained_embeddings_model: Annotated[str | None, PLAIN_TEXT] = None
    """Registered image encoder whose features the agent sees beside the image; None: none."""

    pretrained_embedding_channels: Count = 64
    """Number of channels to which these features are reduced."""

    d_latent_pixel_selector: Count = 16
    """Hidden width of the head that chooses a latent pixel as message."""

    num_latent_pixel_selector_layers: Count = 2
    """Number of linear layers of that head; fewer than 2 count as 2."""

    unused_rules: ClassVar = (
        *PooledHeadParameters.unused_rules,
        UnusedOptionRule(
            ("pretrained_embedding_channels",),
            "unless pretrained_embeddings_model names an encoder",
            lambda agent, _: agent.pretrained_embeddings_model is None,
        ),
    )

    def memory_needs(
        self, at: Callable[[str], str], hyper_params: SubParameters
    ) -> Iterator[MemoryNeed]:
        """State the sizes of the networks."""
        yield from network_needs(self, at, hyper_params, self._sizes(at, hyper_params))

    def _sizes(self, at: Callable[[str], str], hyper_params: SubParameters) -> Iterator[Sizes]:
        options = hyper_params.get("image_classification")
        # Each group doubles the channels; beyond this number of groups no memory is enough.
        width = options.initial_num_channels << min(options.num_block_groups, MAX_GROUPS)
        kernels = self.num_blocks_per_group * self.kernel_size**2 * width * (width // 2)
        groups = options.num_block_groups - 1
        yield (
            "the convolutional network",
            (
                ".num_blocks_per_group",
                ".kernel_size",
                "image_classification.num_block_groups",
                "image_classification.initial_num_channels",
            ),
            kernels + LAYER * (self.num_blocks_per_group + groups),
        )
        yield (
            "the representation",
            ("image_classification.initial_num_channels", "d_representation"),
            width * hyper_params.get("d_representation"),
        )
        yield from head_sizes(self, at, hyper_params, "latent_pixel_selector")

    @classmethod
    def construct_test_params(cls) -> Self:
        """Return the smallest valid network: one layer of each kind, all widths 1."""
        return cls(
            num_blocks_per_group=1,
            kernel_size=1,
            pretrained_embedding_channels=1,
            d_latent_pixel_selector=1,
            num_latent_pixel_selector_layers=1,
            d_decider=1,
            num_decider_layers=1,
            d_linear_message_selector=1,
            num_linear_message_selector_layers=1,
            d_value=1,
            num_value_layers=1,
        )


@register_parameter_class
@dataclass
class ImageClassificationParameters(SubParameters):
    """The grid of latent pixels from which messages are chosen, and the width of the networks."""

    num_block_groups: Count = 1
    """Number of groups of blocks, each of which halves height and width of the image."""

    initial_num_channels: Count = 16
    """Number of channels before the first group; each group doubles it."""


@register_parameter_class
@dataclass
class DatasetOptionsParameters(SubParameters):
    """How the classes of a dataset of images become the labels 0 and 1."""

    binarification_method: Literal["merge", "select_two", "random"] = "merge"
    """Give labels to two halves of the classes, to two classes, or to each image at random."""

    selected_classes: tuple[CountOrZero, CountOrZero] | None = None
    """The two classes that are kept, label 0 first; None: those of the dataset, mostly 0 and 1."""

    binarification_seed: CountOrZero | None = None
    """Seed of ``merge`` and ``random``; None: that of the dataset, mostly 0."""

    make_balanced: bool = True
    """Leave out images of the more frequent label until both are equally frequent."""

    max_train_size: Count | None = None
    """Maximum number of images for training, balanced with ``make_balanced``; None: all."""

    unused_rules: ClassVar = (
        UnusedOptionRule(
            ("selected_classes",),
            "unless dataset_options.binarification_method='select_two'",
            lambda options, _: options.binarification_method != "select_two",
        ),
        UnusedOptionRule(
            ("binarification_seed",),
            "with dataset_options.binarification_method='select_two'",
            lambda options, _: options.binarification_method == "select_two",
        ),
    )

    def find_problems(self, at: Callable[[str], str]) -> Iterator[str]:
        """Require two different classes, and a training image of each label."""
        chosen = self.selected_classes
        if chosen is not None and chosen[0] == chosen[1]:
            yield (
                f"{at('selected_classes')} must be two different classes, got {list(chosen)}. "
                "Change one of them."
            )
        if self.make_balanced and self.max_train_size == 1:
            yield (
                f"{at('max_train_size')} must be at least 2 with {at('make_balanced')}=True, which "
                "keeps as many images of each label, got 1. Raise it."
            )
