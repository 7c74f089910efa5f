"""Agents that begin with the weights which they have in another run."""

from nip.experiment_settings import ExperimentSettings
from nip.parameters import AgentParameters
from nip.run_store.checkpoints.checkpoint_folder import read_intact
from nip.scenario_base.combined_agents import CombinedAgents
from nip.trainers.tensor.weights.checkpoint_source import source_folder
from nip.trainers.tensor.weights.checkpointing import checkpoint_state
from nip.trainers.tensor.weights.saved_models import find_weights, load_agents


def load_agent_checkpoints(agents: CombinedAgents, settings: ExperimentSettings) -> None:
    """Give each agent with ``load_checkpoint_and_parameters`` its weights; leave the others.

    For a run that begins: one that goes on has its own checkpoint. The scaling of observations
    stays that of this run.

    Raises
    ------
    CheckpointError
        If the other run has no such checkpoint, or it is damaged.
    ParameterError
        If there is no such run, or its networks have other sizes.
    """
    for _, name, agent in agents:
        params = agent.context.params
        assert isinstance(params, AgentParameters), params
        if not params.load_checkpoint_and_parameters:
            continue
        folder = source_folder(name, params, settings)
        path = find_weights(folder, params.checkpoint_version)
        state = checkpoint_state(read_intact(path))
        load_agents({name: agent}, state["agents"], path)
