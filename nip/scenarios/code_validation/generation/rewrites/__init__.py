"""Rewrites: changes of programs that keep their behaviour."""
