"""Measure what an average response tree takes, by agent."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from nip.language_models.chat import ChatMessage
from nip.language_models.server.chat_request import count_prompt_tokens
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.response_tree import ResponseNode
from nip.scenario_base.text.rollout import MessageRecord, Rollout
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.average_dialogue import AgentShare
from nip.trainers.text.preference_pairs import pair_rules
from nip.trainers.text.stored_rollouts import group_by_tree


def shares_of_trees(
    instance: PureTextScenarioInstance, leaves: Sequence[Rollout]
) -> dict[str, AgentShare]:
    """Return the tokens and pairs of each agent in an average tree; leaves sorted by position."""
    trees = list(group_by_tree(leaves))
    shares = {}
    for rule in pair_rules(instance.protocol_handler):
        own = [
            message for root in trees for message in _messages(root) if message.agent == rule.agent
        ]
        sizes = []
        for root in trees:
            datapoint = instance.train_dataset[root.rollout.datapoint]
            conversation = Conversation(instance.rules, datapoint, root.rollout.seed)
            for pair in rule.draw(root):
                example = pair.preference(conversation)
                answers = [
                    ChatMessage(role="assistant", content=text)
                    for text in (example.preferred, example.non_preferred)
                ]
                sizes.append(count_prompt_tokens([*example.conversation, *answers]))
        shares[rule.agent] = AgentShare(
            prompt_tokens=sum(each.prompt_tokens for each in own) / len(trees),
            completion_tokens=sum(each.completion_tokens for each in own) / len(trees),
            example_tokens=fmean(sizes or [0]),
            selected=len(sizes) / len(trees),
        )
    return shares


def _messages(root: ResponseNode) -> Iterator[MessageRecord]:
    """Yield each message of a tree once."""
    for node in root.nodes():
        yield from (each for each in node.rollout.messages if each.round == len(node.path) - 1)
