"""The built-in trainers, one file per algorithm."""
