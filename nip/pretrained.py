"""Loading agents from folders in the layout of the Hugging Face hub."""

from nip.experiment.pretrained import build_pretrained, load_pretrained

__all__ = ["build_pretrained", "load_pretrained"]
