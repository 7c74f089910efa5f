"""A peer review of programs: a claim, a critique, a reply, and a decision."""

from nip.protocols import ProtocolHandler, ProtocolRules, register_protocol
from nip.scenario_base.text.agent_spec import DECIDE_NOW, TextAgentSpec
from nip.scenario_base.text.agent_spec_registry import register_agent_specs

PROVER_PROMPT = """
You are $agent_name. A solution to a programming problem, written in Python, is reviewed. In the end
Editor accepts it as correct, or rejects it as wrong.

$agent_stance_string $prover_stance_string

$order_string Keep each message within $max_response_words words.

<problem>
$question
</problem>

<solution>
$solution
</solution>
"""

VERIFIER_PROMPT = """
You are $agent_name. You judge a solution to a programming problem, written in Python, after you
have read what Author and Reviewer have to say about it.

$agent_stance_string $prover_stance_string

$order_string Keep your message within $max_response_words words.

$decision_instruction

<problem>
$question
</problem>

<solution>
$solution
</solution>
"""


@register_protocol("peer_review")
class PeerReviewProtocol(ProtocolHandler):
    """An author defends a solution against a reviewer, and writes the last message."""

    def make_rules(self) -> ProtocolRules:
        """Return the rules of the protocol."""
        everybody = ("prover0", "prover1", "verifier")
        reviewer, author, editor = ({agent: ("main",)} for agent in everybody)
        return ProtocolRules(
            agents=everybody,
            channels={"main": everybody},
            timetables=((author, reviewer, author, editor),),
            max_message_rounds=4,
            prover_goals={"prover0": 0, "prover1": 1},
        )


@register_agent_specs("code_validation", "peer_review")
def peer_review_specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Return the names and prompts of the agents."""
    return {
        "prover0": TextAgentSpec(
            shown_name="Reviewer", stance=0, last_turn_note="", prompt=PROVER_PROMPT
        ),
        "prover1": TextAgentSpec(shown_name="Author", stance=1, prompt=PROVER_PROMPT),
        "verifier": TextAgentSpec(
            shown_name="Editor", last_turn_note=DECIDE_NOW, prompt=VERIFIER_PROMPT
        ),
    }
