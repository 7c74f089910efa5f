"""An endpoint of our own that speaks as hosted language models do, to rehearse against."""

from nip.language_models.server.app import create_app
from nip.language_models.server.options import EndpointOptions

__all__ = ["EndpointOptions", "create_app"]
