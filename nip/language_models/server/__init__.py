"""A mock of hosted language model APIs: chat completions, files and fine-tuning jobs."""

from nip.language_models.server.app import create_app
from nip.language_models.server.endpoint import EndpointOptions

__all__ = ["EndpointOptions", "create_app"]
