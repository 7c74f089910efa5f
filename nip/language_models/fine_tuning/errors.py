"""Errors of fine-tuning, other than failed calls."""

from nip.errors import NipError


class FineTuningError(NipError, RuntimeError):
    """A job failed and stops the run, which can be resumed."""


class FineTuningDatasetError(NipError, ValueError):
    """A fine-tuning dataset is invalid."""
