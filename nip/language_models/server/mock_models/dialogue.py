"""The brain that answers by rules and learns by heart."""

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
    """Answers by the rules of a file, and remembers what it was trained to say.

    Of each training example it keeps the answer under the first message of the conversation. Rules
    with ``recall: true`` give that answer whenever a conversation begins with the same message.
    """

    def __init__(self, file: str | None = None) -> None:
        super().__init__(file)
        self._rules = AnswerRules.from_file(file or DEFAULT_RULES)

    async def answer(self, request: MockRequest) -> MockAnswer:
        """Follow the first rule that fits."""
        return MockAnswer(self._rules.answer(request.messages, request.seed, request.model_data))

    def train(self, base_model_data: Any, examples: Sequence[TrainingExample], method: str) -> Any:
        """Learn the answers by heart; a later example of one conversation replaces an earlier."""
        return {
            **(base_model_data or {}),
            **{recall_key(example.messages): example.answer for example in examples},
        }
