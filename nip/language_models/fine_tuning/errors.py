"""What can go wrong with fine-tuning, apart from the calls themselves."""

from nip.errors import NipError


class FineTuningError(NipError, RuntimeError):
    """A job did not succeed, and the run is to stop for it; it can be gone on with."""


class FineTuningDatasetError(NipError, ValueError):
    """Examples that no model can be trained on."""
