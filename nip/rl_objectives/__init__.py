"""Objectives: loss modules of reinforcement learning."""

from nip.rl_objectives.objective import Objective

__all__ = ["Objective"]
