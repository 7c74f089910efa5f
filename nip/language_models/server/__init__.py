"""A mock of hosted language model APIs: chat completions, files and fine-tuning jobs."""

from typing import TYPE_CHECKING

from nip.utils.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from nip.language_models.server.app import create_app
    from nip.language_models.server.endpoint import EndpointOptions

__all__ = ["EndpointOptions", "create_app"]

# The command line of this package handles signals before it imports the rest.
__getattr__ = lazy_exports(
    __name__,
    {
        "EndpointOptions": "nip.language_models.server.endpoint",
        "create_app": "nip.language_models.server.app",
    },
)
