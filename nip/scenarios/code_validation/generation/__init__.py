"""Generation of datasets of correct and buggy programs with verified labels."""
