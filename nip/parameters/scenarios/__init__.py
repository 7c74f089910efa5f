"""Parameters of the built-in scenarios and of their agents."""
