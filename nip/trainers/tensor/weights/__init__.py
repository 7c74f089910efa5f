"""Checkpoints, saved models and loaded weights of local networks."""
