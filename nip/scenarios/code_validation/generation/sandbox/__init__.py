"""Sandbox for candidate programs: processes that run them, isolated by the kernel."""
