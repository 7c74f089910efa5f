"""Mutations: plausible mistakes that are inserted into correct programs."""
