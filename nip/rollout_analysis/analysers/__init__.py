"""Built-in analysers, one per module."""
