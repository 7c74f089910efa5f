"""A protocol with an agent that is neither prover nor verifier, and with any rewards."""

from nip.protocols import AgentRewards, ProtocolHandler, ProtocolRules
from nip.scenario_base.text.agent_spec import DECIDE_NOW, TextAgentSpec

PROMPT = (
    "You are $agent_name. $agent_stance_string $prover_stance_string $order_string\n"
    "$decision_instruction\n<problem>\n$question\n</problem>\n<solution>\n$solution\n</solution>"
)

TRUTH = AgentRewards(decided=((1, 0), (0, 1)))


class Criticism(ProtocolHandler):
    """A prover argues, a critic that is paid for the truth comments, and the verifier decides."""

    name = "criticism"
    tables = {"critic": TRUTH}

    def make_rules(self) -> ProtocolRules:
        everybody = ("prover", "critic", "verifier")
        prover, critic, verifier = ({agent: ("main",)} for agent in everybody)
        return ProtocolRules(
            agents=everybody,
            channels={"main": everybody},
            timetables=((prover, critic, verifier),),
            max_message_rounds=3,
            rewards=self.tables,
        )


def criticism_specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    return {
        "prover": TextAgentSpec(shown_name="Prover", prompt=PROMPT),
        "critic": TextAgentSpec(shown_name="Critic", prompt=PROMPT),
        "verifier": TextAgentSpec(shown_name="Judge", prompt=PROMPT, last_turn_note=DECIDE_NOW),
    }
