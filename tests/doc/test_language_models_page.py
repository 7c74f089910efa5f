"""What the page on language models says about answers and addresses is so."""

import yaml

from nip.language_models.answer_rules import AnswerRules
from nip.language_models.chat import ChatMessage, ModelSpec
from nip.language_models.providers.connection import find_address
from tests.doc.pages import DOC, code_blocks

PAGE = DOC / "guides" / "language_models.md"


def test_the_rules_on_the_page_answer() -> None:
    (block,) = code_blocks(PAGE, "yaml")
    rules = AnswerRules.from_dict(yaml.safe_load(block))

    def answers(text: str) -> set[str]:
        messages = [
            ChatMessage(role="system", content="You are the verifier."),
            ChatMessage(role="user", content=text),
        ]
        return {rules.answer(messages, seed) for seed in range(20)}

    assert answers("Now decide.") == {"Decision: accept", "Decision: reject"}
    assert answers("Hello.") == {"Every line does what the problem asks for."}
    assert len(answers("This is round 2.")) == 2
    assert any(answer.startswith("In round 2 I ask:") for answer in answers("This is round 2."))


def test_the_addresses_on_the_page_can_be_used() -> None:
    words = PAGE.read_text(encoding="utf-8").split("`")
    addresses = [word for word in words if word.startswith("http://localhost")]
    assert len(addresses) > 3
    for address in addresses:
        assert find_address(ModelSpec("openai", "m", address)) == address
