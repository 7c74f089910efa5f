"""Impossible combinations of parameters, and options without effect."""
