"""The pages of the viewer: one function for each address."""
