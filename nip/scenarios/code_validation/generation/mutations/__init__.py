"""Mistakes that people make, put into correct programs."""
