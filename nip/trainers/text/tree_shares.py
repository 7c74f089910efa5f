"""Measure what an average response tree takes, by agent."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from nip.language_models.chat import ChatMessage
from nip.language_models.server.chat_request import count_prompt_tokens
from nip.parameters import HyperParameters
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.response_tree import ResponseNode
from nip.scenario_base.text.rollout import MessageRecord, Rollout
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.average_dialogue import AgentShare
from nip.trainers.text.preference_pairs import PairRule, pair_rules, verdict_correction
from nip.trainers.text.response_advantages import groups_of, is_informative
from nip.trainers.text.stored_rollouts import group_by_tree
from nip.trainers.text.tree_shape import num_answers_of_example, pairs_invalid


def shares_of_trees(
    hyper_params: HyperParameters, instance: PureTextScenarioInstance, leaves: Sequence[Rollout]
) -> dict[str, AgentShare]:
    """Return the tokens and examples of each agent in an average tree; leaves by position."""
    trees = list(group_by_tree(leaves))
    shares = {}
    invalid_answers = _stand_ins if pairs_invalid(hyper_params) else None
    correction = verdict_correction(hyper_params.text_rl, 0, instance.rules.scale)
    for rule in pair_rules(instance.protocol_handler, invalid_answers, correction):
        own = [
            message for root in trees for message in _messages(root) if message.agent == rule.agent
        ]
        sizes = [
            count_prompt_tokens(example)
            for root in trees
            for example in _examples(hyper_params, instance, root, rule)
        ]
        shares[rule.agent] = AgentShare(
            prompt_tokens=sum(each.prompt_tokens for each in own) / len(trees),
            completion_tokens=sum(each.completion_tokens for each in own) / len(trees),
            example_tokens=fmean(sizes or [0]),
            selected=len(sizes) / len(trees),
        )
    return shares


def _examples(
    hyper_params: HyperParameters,
    instance: PureTextScenarioInstance,
    root: ResponseNode,
    rule: PairRule,
) -> Iterator[list[ChatMessage]]:
    """Yield the messages of each example of an agent in a tree: a pair, or a single response."""
    datapoint = instance.train_dataset[root.rollout.datapoint]
    conversation = Conversation(instance.rules, datapoint, root.rollout.seed)
    if num_answers_of_example(hyper_params) == 2:
        for pair in rule.draw(root):
            preference = pair.preference(conversation)
            answers = (preference.preferred, preference.non_preferred)
            yield [*preference.conversation, *map(_answer, answers)]
        return
    keeps_all = hyper_params.pure_text_grpo.baseline == "agent"
    for group in groups_of(root, rule):
        for each in group if keeps_all or is_informative(group) else ():
            said = each.node.rollout.messages
            prompt = conversation.messages_for(rule.agent, each.message.round, said)
            yield [*prompt, _answer(each.message.text)]


def _stand_ins(message: MessageRecord) -> list[MessageRecord]:
    """Return the message for each invalid answer before it, whose texts are not stored here."""
    return [message] * len(message.problems)


def _answer(text: str) -> ChatMessage:
    return ChatMessage(role="assistant", content=text)


def _messages(root: ResponseNode) -> Iterator[MessageRecord]:
    """Yield each message of a tree once."""
    for node in root.nodes():
        yield from (each for each in node.rollout.messages if each.round == len(node.path) - 1)
