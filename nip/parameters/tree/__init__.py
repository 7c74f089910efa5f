"""The tree of all hyper-parameters: reading, writing, comparing and documenting it."""
