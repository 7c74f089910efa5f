"""The built-in model providers."""
