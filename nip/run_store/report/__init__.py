"""Plots of metrics and the summary of a run in the terminal."""
