"""Checks of a tree: impossible combinations, and options that have no effect."""
