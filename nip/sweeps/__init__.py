"""Sweeps: many runs from one file, continued by the same command, with one budget for all."""
