"""Initial weights of agents from another run."""

from nip.experiment_settings import ExperimentSettings
from nip.parameters import AgentParameters
from nip.run_store.checkpoints.checkpoint_folder import read_intact
from nip.scenario_base.combined_agents import CombinedAgents
from nip.trainers.tensor.weights.checkpoint_source import source_folder
from nip.trainers.tensor.weights.checkpointing import checkpoint_state
from nip.trainers.tensor.weights.saved_models import find_weights, load_agents


def load_agent_checkpoints(agents: CombinedAgents, settings: ExperimentSettings) -> None:
    """Load the weights of each agent with ``load_checkpoint_and_parameters``.

    Called for new runs only: a resumed run has its own checkpoint. The scaling of observations is
    not loaded.

    Raises
    ------
    CheckpointError
        If the other run has no such checkpoint, or it is damaged.
    ParameterError
        If the other run does not exist, or its networks have other sizes.
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
