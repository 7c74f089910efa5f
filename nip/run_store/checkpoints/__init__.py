"""Checkpoints of a run: format, folder, and retention."""
