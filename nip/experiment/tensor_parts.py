"""Building all parts of an experiment whose agents are networks."""

import torch

from nip.errors import ParameterError, PluginError
from nip.experiment.returned_parts import returned
from nip.experiment_settings import ExperimentSettings
from nip.parameters import AgentParameters, HyperParameters
from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import build_protocol_handler
from nip.scenario_base.agent import Agent
from nip.scenario_base.agents import AgentBody, AgentContext, PolicyHead, SoloHead, ValueHead
from nip.scenario_base.batch_shape import BatchShape, compute_batch_shape
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.data import TensorDataset
from nip.scenario_base.dataset_sizes import check_num_datapoints
from nip.scenario_base.environment import TensorDictEnvironment
from nip.scenario_base.normalization import ObservationNormalizer
from nip.scenario_base.registry import scenario_registry
from nip.scenario_base.row_selection import uses_fixed_shapes
from nip.scenario_base.scenario import Scenario
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.registry import trainer_registry
from nip.utils.ranks import launched_ranks


def build_tensor_instance(
    hyper_params: HyperParameters,
    settings: ExperimentSettings,
    protocol: ProtocolHandler | None = None,
    datasets: tuple[TensorDataset, TensorDataset] | None = None,
) -> TensorDictScenarioInstance:
    """Build agents, environments, and protocol and datasets (train, test) unless these are given.

    Parameters
    ----------
    hyper_params : HyperParameters
        Parameters of the experiment.
    settings : ExperimentSettings
        Folders and device.
    protocol : ProtocolHandler, optional
        The built protocol.
    datasets : tuple of TensorDataset, optional
        The loaded splits for training and test.
    """
    trainer_type = trainer_registry[hyper_params.trainer].trainer_type
    if protocol is None:
        protocol = build_protocol_handler(hyper_params)
    scenario = scenario_registry[hyper_params.scenario](hyper_params, settings)
    if not isinstance(getattr(scenario, "message_key", None), str):
        raise PluginError(
            f"scenario={hyper_params.scenario!r} names no message_key, the action that selects a "
            f"symbol. Set it in {type(scenario).__name__}, for example to 'symbol_selected'."
        )
    if datasets is None:
        datasets = _load(scenario, "train"), _load(scenario, "test")
    train_dataset, test_dataset = datasets
    learns_alone = trainer_type == "solo_agent" or hyper_params.pretrain_agents
    check_num_datapoints(hyper_params, "train", len(train_dataset), is_divided=learns_alone)
    check_num_datapoints(hyper_params, "test", len(test_dataset))
    agents = build_agents(hyper_params, scenario, protocol, train_dataset, trainer_type)
    agents.fixed_shapes = uses_fixed_shapes(
        settings.agent_rows, settings.device, agents, is_compiled=settings.compile != "off"
    )
    normalizer = ObservationNormalizer().to(settings.device)
    batch_shape = BatchShape(num_environments=1, num_steps=protocol.max_message_rounds)
    if trainer_type == "rl":
        batch_shape = compute_batch_shape(
            hyper_params.rl,
            protocol.max_message_rounds,
            len(train_dataset),
            launched_ranks().size,
        )
    environments = {
        split: TensorDictEnvironment(
            hyper_params,
            protocol,
            dataset,
            message_key=scenario.message_key,
            num_environments=batch_shape.num_environments,
            seed=stable_seed(hyper_params.seed, "environment", split),
            normalizer=normalizer,
            device=settings.device,
            fixed_shapes=agents.fixed_shapes,
        )
        for split, dataset in (("train", train_dataset), ("test", test_dataset))
    }
    return TensorDictScenarioInstance(
        scenario=scenario,
        protocol_handler=protocol,
        train_dataset=train_dataset,
        test_dataset=test_dataset,
        agents=agents.to(settings.device),
        normalizer=normalizer,
        batch_shape=batch_shape,
        train_environment=environments["train"],
        test_environment=environments["test"],
    )


def _load(scenario: Scenario, split: str) -> TensorDataset:
    return returned(scenario, "load_dataset", scenario.load_dataset(split), TensorDataset)


def build_agents(
    hyper_params: HyperParameters,
    scenario: Scenario,
    protocol: ProtocolHandler,
    dataset: TensorDataset,
    trainer_type: str,
) -> CombinedAgents:
    """Build all agents, each with its own seed.

    ``trainer_type`` is ``rl`` for policy and value heads, ``solo_agent`` for the solo head.
    """
    agents = {}
    for name in protocol.agent_names:
        params = hyper_params.agents[name]
        assert isinstance(params, AgentParameters), params
        context = AgentContext(
            hyper_params=hyper_params,
            params=params,
            agent_name=name,
            protocol=protocol,
            message_shape=dataset.message_shape,
            observation_shapes=dataset.observation_shapes,
        )
        # Modules initialise their weights from the global generator. It is seeded for each agent
        # and restored, so that the weights of an agent do not depend on the other agents.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stable_seed(hyper_params.seed, "agent", name))
            agents[name] = _build_agent(hyper_params, scenario, context, trainer_type)
    learns_alone = trainer_type == "solo_agent" or hyper_params.pretrain_agents
    if learns_alone and all(agent.solo_head is None for agent in agents.values()):
        raise ParameterError(
            f"No agent of scenario={hyper_params.scenario!r} has a solo head: random and "
            "hand-written agents are not trained alone. Let an agent learn, or choose another "
            "trainer and pretrain_agents=False."
        )
    return CombinedAgents(agents, scenario.message_key)


def _build_agent(
    hyper_params: HyperParameters, scenario: Scenario, context: AgentContext, trainer_type: str
) -> Agent:
    is_random = context.params.is_random
    body = returned(scenario, "build_body", scenario.build_body(context), AgentBody)
    if trainer_type == "solo_agent":
        solo_head = _solo_head(scenario, context)
        return Agent(context, body=body, solo_head=solo_head, is_random=is_random)
    policy_head = scenario.build_policy_head(context)
    value_head = scenario.build_value_head(context)
    own_critic = not hyper_params.rl.use_shared_body and not is_random
    return Agent(
        context,
        body=body,
        policy_head=returned(scenario, "build_policy_head", policy_head, PolicyHead),
        value_head=returned(scenario, "build_value_head", value_head, ValueHead),
        solo_head=_solo_head(scenario, context) if hyper_params.pretrain_agents else None,
        value_body=scenario.build_body(context) if own_critic else None,
        is_random=is_random,
    )


def _solo_head(scenario: Scenario, context: AgentContext) -> SoloHead | None:
    head = scenario.build_solo_head(context)
    return None if head is None else returned(scenario, "build_solo_head", head, SoloHead)
