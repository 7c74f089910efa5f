"""Pairs of responses to one dialogue, of which one is preferred, drawn from response trees."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nip.language_models.fine_tuning.datasets import Preference
from nip.parameters.trainers import TextRlParameters
from nip.protocols.handler import ProtocolHandler
from nip.protocols.rules import VERIFIER, Decision
from nip.scenario_base.text.answers.decision_scales import DecisionScale
from nip.scenario_base.text.answers.parsing import with_decision
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.response_tree import ResponseNode
from nip.scenario_base.text.rollout import MessageRecord
from nip.seeding import stable_seed
from nip.trainers.text.guess_replacement import guess_replacement_share

InvalidAnswers = Callable[[MessageRecord], Sequence[MessageRecord]]
"""Returns the invalid answers that a model gave at the turn of a message, as messages."""


@dataclass(frozen=True)
class ResponsePair:
    """Two responses of an agent to the same dialogue."""

    agent: str
    """Name of the agent."""

    node: ResponseNode
    """The dialogue before the responses."""

    preferred: ResponseNode | MessageRecord
    """The continuation whose expected reward is at least the mid-point, or a corrected verdict."""

    non_preferred: ResponseNode | MessageRecord
    """The continuation whose expected reward is below it, or an invalid answer."""

    @property
    def preferred_decision(self) -> int:
        """Decision in the preferred message: 0 (reject), 1 (accept) or 2 (none)."""
        return self._message(self.preferred).decision

    def preference(self, conversation: Conversation) -> Preference:
        """Return the training example: the dialogue as the agent sees it, and both messages."""
        return Preference(
            conversation.messages_for(self.agent, len(self.node.path), self.node.rollout.messages),
            self._message(self.preferred).text,
            self._message(self.non_preferred).text,
        )

    def _message(self, response: ResponseNode | MessageRecord) -> MessageRecord:
        return response if isinstance(response, MessageRecord) else message_of(response, self.agent)


@dataclass(frozen=True)
class VerdictCorrection:
    """Verdicts that are replaced by the true label where the verifier gives wrong ones only."""

    share: float
    """Share of such points at which a verdict is corrected."""

    scale: DecisionScale
    """How the verifier words its verdicts."""

    def corrected(self, verdict: MessageRecord, label: int) -> MessageRecord:
        """Return a message with the label, 0 (reject) or 1 (accept), as its verdict."""
        text = with_decision(verdict.text, label, self.scale)
        return replace(verdict, text=text, decision=label)


def verdict_correction(
    params: TextRlParameters, iteration: int, scale: DecisionScale
) -> VerdictCorrection | None:
    """Return how verdicts are corrected in an iteration, given by its index, from 0."""
    share = guess_replacement_share(iteration, params)
    return VerdictCorrection(share, scale) if share else None


@dataclass(frozen=True)
class PairRule:
    """How the pairs of one agent are labelled."""

    agent: str
    """Name of the agent."""

    index: int
    """Index of the agent in the protocol."""

    mid_point: float
    """Expected reward from which on a response is positive."""

    invalid_answers: InvalidAnswers | None = None
    """Reads the invalid answers of a turn, which are paired as well; None: they are not."""

    correction: VerdictCorrection | None = None
    """How verdicts are corrected where all are wrong; None: nothing is learnt there."""

    def draw(self, root: ResponseNode) -> Iterator[ResponsePair]:
        """Draw one pair at each point, the root included, where the agent has both kinds.

        Both responses are drawn uniformly, first the positive one, and then one of the negative
        ones with another text. Positive responses to which there is none are not drawn. The draw
        depends on the seed of the dialogue, the path of the node and the agent.

        With ``invalid_answers``, another pair is drawn at each point where the agent has a positive
        response and has given an invalid answer, also one after which another try was valid. The
        positive one is preferred.

        With ``correction``, a share of the points at which the agent has decided, and has no
        positive response, gives a pair as well: one of its verdicts and, preferred, the same
        message with the true label.
        """
        for node in root.nodes():
            responses = list(self.responses(node))
            positive = [child for child, value in responses if value >= self.mid_point]
            negative = [child for child, value in responses if value < self.mid_point]
            usable = [child for child in positive if self._differing(negative, child)]
            if usable:
                rng = self._generator(root, node, "preference pair")
                preferred = usable[rng.integers(len(usable))]
                others = self._differing(negative, preferred)
                yield ResponsePair(self.agent, node, preferred, others[rng.integers(len(others))])
            invalid = self.invalid(node)
            if positive and invalid:
                rng = self._generator(root, node, "invalid pair")
                preferred = positive[rng.integers(len(positive))]
                yield ResponsePair(self.agent, node, preferred, invalid[rng.integers(len(invalid))])
            if self.correction is not None and not positive:
                yield from self._corrected_pairs(self.correction, root, node, negative)

    def _corrected_pairs(
        self,
        correction: VerdictCorrection,
        root: ResponseNode,
        node: ResponseNode,
        negative: Sequence[ResponseNode],
    ) -> Iterator[ResponsePair]:
        """Draw whether one of the verdicts at a node is corrected, and yield it with the label."""
        wrong = [message_of(child, self.agent) for child in negative]
        wrong = [message for message in wrong if message.decision != Decision.CONTINUE]
        rng = self._generator(root, node, "corrected verdict")
        if wrong and rng.random() < correction.share:
            verdict = wrong[rng.integers(len(wrong))]
            right = correction.corrected(verdict, root.rollout.y)
            yield ResponsePair(self.agent, node, right, verdict)

    def responses(self, node: ResponseNode) -> Iterator[tuple[ResponseNode, float]]:
        """Yield the children of a node at which the agent moves, with its expected reward.

        Children without any leaf that is finished and valid are left out.
        """
        for child in node.children:
            expected = child.expected_rewards()
            if expected is not None and _has_message(child, self.agent):
                yield child, expected[self.index]

    def messages(self, node: ResponseNode) -> Iterator[MessageRecord]:
        """Yield the messages of the agent in the children of a node, valid or not."""
        for child in node.children:
            if _has_message(child, self.agent):
                yield message_of(child, self.agent)

    def _generator(
        self, root: ResponseNode, node: ResponseNode, purpose: str
    ) -> np.random.Generator:
        seed = stable_seed(root.rollout.seed, purpose, *node.path, self.agent)
        return np.random.default_rng(seed)

    def invalid(self, node: ResponseNode) -> list[MessageRecord]:
        """Return the invalid answers of the agent at a node; none if they are not read."""
        if self.invalid_answers is None:
            return []
        return [answer for said in self.messages(node) for answer in self.invalid_answers(said)]

    def _differing(
        self, children: Sequence[ResponseNode], other: ResponseNode
    ) -> list[ResponseNode]:
        text = message_of(other, self.agent).text
        return [child for child in children if message_of(child, self.agent).text != text]


def pair_rules(
    protocol: ProtocolHandler,
    invalid_answers: InvalidAnswers | None = None,
    correction: VerdictCorrection | None = None,
) -> list[PairRule]:
    """Return the rule of each agent, in the order of the protocol; only the verifier's corrects."""
    mid_points = protocol.reward_mid_points
    return [
        PairRule(
            agent,
            index,
            mid_points[agent],
            invalid_answers,
            correction if agent == VERIFIER else None,
        )
        for index, agent in enumerate(protocol.agent_names)
    ]


def _has_message(child: ResponseNode, agent: str) -> bool:
    return any(each.agent == agent for each in _last_round(child))


def message_of(child: ResponseNode, agent: str) -> MessageRecord:
    """Return the message of an agent in the last round of a node."""
    return next(each for each in _last_round(child) if each.agent == agent)


def _last_round(child: ResponseNode) -> list[MessageRecord]:
    return [each for each in child.rollout.messages if each.round == len(child.path) - 1]
