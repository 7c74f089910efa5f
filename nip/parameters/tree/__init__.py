"""The tree of all hyper-parameters: reading, writing, comparing, documenting."""
