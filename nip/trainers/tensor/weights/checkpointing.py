"""Contents of checkpoints as nested state dicts."""

from typing import Any

from nip.run_store import Checkpoint
from nip.scenario_base.combined_agents import CombinedAgents
from nip.trainers.tensor.weights.old_checkpoints import is_old, migrated
from nip.trainers.tensor.weights.state_splitting import StateDict, join_state, split_state


def agents_state_dict(agents: CombinedAgents) -> dict[str, dict[str, Any]]:
    """Return the state dict of each part of each agent."""
    return {
        name: {part_name: part.state_dict() for part_name, part in agent.named_children()}
        for _, name, agent in agents
    }


def load_agents_state_dict(agents: CombinedAgents, state: StateDict) -> None:
    """Load what ``agents_state_dict`` returned."""
    for _, name, agent in agents:
        for part_name, part in agent.named_children():
            part.load_state_dict(state[name].get(part_name, {}))


def make_checkpoint(iteration: int, state: StateDict) -> Checkpoint:
    """Return a checkpoint that holds a state dict after a number of iterations."""
    return Checkpoint(iteration, *split_state(state))


def checkpoint_state(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the state dict of a checkpoint, also of one in the layout before format 2."""
    files, document = checkpoint.tensors, checkpoint.state
    return migrated(checkpoint) if is_old(document) else join_state(files, document)
