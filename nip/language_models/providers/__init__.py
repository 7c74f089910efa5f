"""The ways to reach a language model that come with this package."""
