"""Full-text search over the messages of all runs, by an index outside of their folders."""
