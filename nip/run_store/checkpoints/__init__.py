"""Snapshots of a run, from which it resumes as if it had never stopped."""
