"""Hyper-parameters of an experiment, as a tree of validated dataclasses."""

from nip.parameters.agents import (
    AgentParameters,
    AgentsParameters,
    BaseAgentParameters,
    LrFactors,
    RandomAgentParameters,
)
from nip.parameters.base_run import BaseRunParameters
from nip.parameters.callbacks import CallbackParameters, CallbackSpec, callback_specs
from nip.parameters.fields.group_annotation import GROUP_DEFAULT, Group
from nip.parameters.fields.unused_option_rule import UnusedOptionRule
from nip.parameters.local_training import LocalTrainingParameters
from nip.parameters.message_regression import MessageRegressionParameters
from nip.parameters.named_components import LossTermParameters, LossTermSpec, loss_term_specs
from nip.parameters.opponent_pool import OpponentPoolParameters
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
    ZkProtocolParameters,
)
from nip.parameters.robustness import (
    AttackParameters,
    ConstantVerifierParameters,
    LabelLeakParameters,
    SilentProverParameters,
)
from nip.parameters.scenarios.code_validation import (
    CodeValidationAgentParameters,
    CodeValidationParameters,
)
from nip.parameters.scenarios.dialogues import DialogueParameters
from nip.parameters.scenarios.graph_isomorphism import (
    GraphIsomorphismAgentParameters,
    GraphIsomorphismParameters,
)
from nip.parameters.scenarios.image_classification import (
    DatasetOptionsParameters,
    ImageClassificationAgentParameters,
    ImageClassificationParameters,
)
from nip.parameters.scenarios.quotes import QuotesParameters
from nip.parameters.scenarios.toy import ToyAgentParameters
from nip.parameters.specs import (
    ProtocolSpec,
    ScenarioSpec,
    TrainerSpec,
    protocol_specs,
    scenario_specs,
    trainer_specs,
)
from nip.parameters.text_agents import RehearsalParameters, TextAgentParameters
from nip.parameters.trainers import (
    FineTuningParameters,
    PpoParameters,
    PureTextEiParameters,
    ReinforceParameters,
    RlParameters,
    SoloAgentParameters,
    TextRlParameters,
)
from nip.parameters.training import (
    AgentOptimizerParameters,
    LrSchedulerParameters,
    OptimizerParameters,
    UpdateStepParameters,
)
from nip.parameters.tree.hyper_parameters import HyperParameters
from nip.parameters.update_schedule import (
    AlternatingPeriodicUpdateSchedule,
    ConstantUpdateSchedule,
    ContiguousPeriodicUpdateSchedule,
    DelayedUpdateSchedule,
    UpdateSchedule,
)
