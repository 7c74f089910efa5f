"""Two custom analysers: one calls a model, one computes its answer."""

from nip.protocols.handler import ProtocolHandler
from nip.rollout_analysis import (
    ComputedAnalyser,
    ModelAnalyser,
    Subject,
    register_analyser,
)


@register_analyser("prover_gives_example")
class ProverGivesExample(ModelAnalyser):
    """Whether a prover follows the program on a concrete input."""

    question = "follows the program on a concrete input"

    prompt = """A program and what $agent_name said about it are given below.

# Program

$solution

# What $agent_name said

$messages

# Question

Does $agent_name name a concrete input and say what the program does on it, step by step?

First give your reason in one sentence. Then write a last line that is exactly `Answer: yes` or
`Answer: no`."""

    def agents(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return all provers."""
        return protocol.prover_names

    def applies(self, subject: Subject) -> bool:
        """Exclude dialogues in which the prover wrote nothing."""
        return bool(subject.messages)


@register_analyser("prover_is_brief")
class ProverIsBrief(ComputedAnalyser):
    """Whether a prover respects the length limit."""

    question = "keeps to the length that it is asked for"

    def agents(self, protocol: ProtocolHandler) -> tuple[str, ...]:
        """Return all provers."""
        return protocol.prover_names

    def compute(self, subject: Subject) -> bool:
        """Count the words of the longest message."""
        limit = subject.rules.max_response_words[subject.agent]
        return all(len(message.text.split()) <= limit for message in subject.messages)
