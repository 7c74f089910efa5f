"""Loss modules."""

from nip.rl_objectives.objective import Objective

__all__ = ["Objective"]
