"""What is to be run: the tree of hyper-parameters."""

from nip.parameters.agents import (
    AgentParameters,
    AgentsParameters,
    LrFactors,
    RandomAgentParameters,
)
from nip.parameters.catalogue import (
    ProtocolFacts,
    ScenarioFacts,
    TrainerFacts,
    protocol_facts,
    scenario_facts,
    trainer_facts,
)
from nip.parameters.graph_isomorphism import GraphIsomorphismAgentParameters
from nip.parameters.group_annotation import GROUP_DEFAULT, Group
from nip.parameters.hyper_parameters import HyperParameters
from nip.parameters.parameters_base import (
    SubParameters,
    field_rules,
    parameter_classes,
    parameter_groups,
    register_parameter_class,
    register_parameter_group,
)
from nip.parameters.protocols import (
    CommonProtocolParameters,
    DebateProtocolParameters,
    MnipProtocolParameters,
    NipProtocolParameters,
)
from nip.parameters.toy import ToyAgentParameters
from nip.parameters.trainers import (
    PpoParameters,
    ReinforceParameters,
    RlParameters,
    SoloAgentParameters,
)
from nip.parameters.update_schedule import (
    AlternatingPeriodicUpdateSchedule,
    ConstantUpdateSchedule,
    ContiguousPeriodicUpdateSchedule,
    UpdateSchedule,
)
