"""Base classes and shared parts of scenarios: data, environment and agents."""
