"""Experiments with interactive protocols between learning agents."""
