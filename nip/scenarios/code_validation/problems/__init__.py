"""Programming problems of the project's own, out of which datasets are made."""
