"""Readers and generators of the datasets of images, and the files that they need."""
