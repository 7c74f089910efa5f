"""The image classification scenario: to which of two kinds an image belongs."""

from nip.scenario_base.data import TensorDataset
from nip.scenario_base.registry import register_scenario
from nip.scenario_base.scenario import Scenario
from nip.scenarios.image_classification.body import ImageClassificationBody
from nip.scenarios.image_classification.dataset import load_images
from nip.scenarios.image_classification.heads import (
    ImageClassificationPolicyHead,
    ImageClassificationSoloHead,
    ImageClassificationValueHead,
)


@register_scenario("image_classification")
class ImageClassificationScenario(Scenario):
    """Images with the labels 0 and 1; a message names a place in the image, a latent pixel."""

    message_key = "latent_pixel_selected"
    body = ImageClassificationBody
    policy_head = ImageClassificationPolicyHead
    value_head = ImageClassificationValueHead
    solo_head = ImageClassificationSoloHead

    def load_dataset(self, split: str) -> TensorDataset:
        """Return the labelled images of one split."""
        return load_images(self.hyper_params, self.settings, split)
