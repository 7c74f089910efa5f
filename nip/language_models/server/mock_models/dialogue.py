"""The mock model ``dialogue``: answers by rules, and memorises training examples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nip.language_models.answer_rules import AnswerRules, recall_key
from nip.language_models.server.mock_models.mock_model import (
    MockAnswer,
    MockModel,
    MockRequest,
    TrainingExample,
)
from nip.language_models.server.mock_models.registry import register_mock_model

DEFAULT_RULES = Path(__file__).with_name("dialogue_rules.yaml")


@register_mock_model("dialogue")
class DialogueModel(MockModel):
    """Answers by the rules of a file, and memorises the answers it is trained on.

    Training stores the answer of each example under the first message of its conversation. Rules
    with ``recall: true`` return that answer when a conversation begins with the same message.
    """

    def __init__(self, file: str | None = None) -> None:
        super().__init__(file)
        self._rules = AnswerRules.from_file(file or DEFAULT_RULES)

    async def answer(self, request: MockRequest) -> MockAnswer:
        """Answer by the first rule that matches."""
        return MockAnswer(self._rules.answer(request.messages, request.seed, request.model_data))

    def train(self, base_model_data: Any, examples: Sequence[TrainingExample], method: str) -> Any:
        """Memorise the answers; a later example replaces an earlier one of the same key.

        With ``policy_gradient`` these are the responses whose advantage is positive.
        """
        return {
            **(base_model_data or {}),
            **{
                recall_key(example.messages): example.answer
                for example in examples
                if example.advantage is None or example.advantage > 0
            },
        }
