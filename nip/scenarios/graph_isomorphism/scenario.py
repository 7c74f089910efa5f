"""The graph isomorphism scenario: whether two graphs are equal up to the order of their nodes."""

from nip.scenario_base.agent import LegalityRule
from nip.scenario_base.agents import AgentBody, AgentContext, PolicyHead, SoloHead, ValueHead
from nip.scenario_base.data import TensorDataset
from nip.scenario_base.dataset_files import dataset_folder
from nip.scenario_base.registry import register_scenario
from nip.scenario_base.scenario import Scenario
from nip.scenarios.graph_isomorphism.body import GraphIsomorphismBody
from nip.scenarios.graph_isomorphism.dataset import load_pairs
from nip.scenarios.graph_isomorphism.heads import (
    GraphIsomorphismPolicyHead,
    GraphIsomorphismSoloHead,
    GraphIsomorphismValueHead,
)
from nip.scenarios.graph_isomorphism.legality import fill_illegal_nodes
from nip.scenarios.graph_isomorphism.manual import (
    ManualGraphIsomorphismBody,
    ManualGraphIsomorphismPolicyHead,
    ManualGraphIsomorphismValueHead,
)


@register_scenario("graph_isomorphism")
class GraphIsomorphismScenario(Scenario):
    """Pairs of graphs; a message names a node of one of them."""

    message_key = "node_selected"
    body = GraphIsomorphismBody
    policy_head = GraphIsomorphismPolicyHead
    value_head = GraphIsomorphismValueHead
    solo_head = GraphIsomorphismSoloHead

    def legality(self) -> LegalityRule:
        """Return the rule for the nodes that an agent may name."""
        return fill_illegal_nodes

    def load_dataset(self, split: str) -> TensorDataset:
        """Return the pairs of one split."""
        folder = dataset_folder(
            self.settings.data_dir, "graph_isomorphism", self.hyper_params.dataset
        )
        pairs = load_pairs(folder, split)
        observations = {"adjacency": pairs.adjacency, "node_mask": pairs.node_mask}
        return TensorDataset(observations, pairs.y, pairs.message_shape)

    def build_body(self, context: AgentContext) -> AgentBody:
        """Build the body of an agent, or that of the hand-written policy."""
        if is_hand_written(context):
            return ManualGraphIsomorphismBody(context)
        return super().build_body(context)

    def build_policy_head(self, context: AgentContext) -> PolicyHead:
        """Build the policy head of an agent, or that of the hand-written policy."""
        if is_hand_written(context):
            return ManualGraphIsomorphismPolicyHead(context)
        return super().build_policy_head(context)

    def build_value_head(self, context: AgentContext) -> ValueHead:
        """Build the value head of an agent; that of the hand-written policy returns zeros."""
        if is_hand_written(context):
            return ManualGraphIsomorphismValueHead(context)
        return super().build_value_head(context)

    def build_solo_head(self, context: AgentContext) -> SoloHead | None:
        """Build the solo head of an agent; the hand-written policy has none."""
        if is_hand_written(context):
            return None
        return super().build_solo_head(context)


def is_hand_written(context: AgentContext) -> bool:
    """Return whether an agent follows the hand-written policy; random agents never do."""
    return context.params.use_manual_architecture and not context.params.is_random
