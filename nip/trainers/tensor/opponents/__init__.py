"""Opponent pools: past versions of agents that play against the learners."""
