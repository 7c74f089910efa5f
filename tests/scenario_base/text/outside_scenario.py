"""A text scenario as a user would write it: whether an answer solves a riddle."""

from pathlib import Path

from nip.parameters.text_agents import TextAgentParameters
from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.registry import register_scenario
from nip.scenario_base.text.agent_spec import DECIDE_NOW, TextAgentSpec
from nip.scenario_base.text.agent_spec_registry import register_agent_specs
from nip.scenario_base.text.datapoint import TextDatapoint, TextDataset, prover_stance_of
from nip.scenario_base.text.dialogue_rules import DialogueOptions
from nip.scenario_base.text.scenario import TextScenario

ABOUT = "You are $agent_name. $agent_stance_string\n\nRiddle: $question\nAnswer: $solution"


@register_agent_specs("riddles", "nip")
def specs(_protocol: ProtocolHandler) -> dict[str, TextAgentSpec]:
    """Let a pupil defend the answer before a teacher."""
    return {
        "prover": TextAgentSpec(shown_name="Pupil", prompt=ABOUT),
        "verifier": TextAgentSpec(
            shown_name="Teacher",
            last_turn_note=DECIDE_NOW,
            prompt=f"{ABOUT}\n\n$decision_instruction",
        ),
    }


@register_scenario("riddles", agent_parameters=TextAgentParameters)
class RiddleScenario(TextScenario):
    """A teacher decides whether the answer to a riddle is right."""

    prompts = Path(__file__).parent

    def dialogue_options(self) -> DialogueOptions:
        """Have the teacher give marks, which pay in proportion."""
        return DialogueOptions(decision_scale="out_of_10", linear_reward=True)

    def load_dataset(self, split: str) -> TextDataset:
        """Make sums."""
        numbers = range(6) if split == "train" else range(6, 9)
        return TextDataset(
            TextDatapoint(
                id=f"sum-{number}",
                question=f"What is {number} and {number}?",
                solution=(solution := str(2 * number + number % 2)),
                y=1 - number % 2,
                prover_stance=prover_stance_of(solution),
            )
            for number in numbers
        )
