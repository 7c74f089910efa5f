"""A tokenizer whose vocabulary is the words of ``quotes``; all other text is skipped."""

from __future__ import annotations

import re
from typing import Any

from nip.scenario_base.text.agent_spec import ANONYMOUS_NAME
from nip.scenario_base.text.conversation import BEGIN, GO_ON, NO_ANSWER, SYSTEM_LABEL
from nip.scenarios.quotes.passages import NAMES, NUMBERS
from nip.scenarios.quotes.quotations import NOT_VERIFIED, VERIFIED

PADDING = "<pad>"
END = "<end>"
ROLES = ("<system>", "<user>", "<assistant>")

EVASION = "Trust me."
"""Message of a prover that quotes nothing."""

QUESTION = "Which line?"
"""Message of a verifier that does not decide yet."""

SAME = "Same."
DIFFERENT = "Different."
"""Answers to exercises in comparing."""

DECISIONS = ("Decision: reject", "Decision: accept")
"""The decision lines, by decision."""

UNSURE = "Decision: unsure"
"""A verdict that is not possible."""

QUOTATION_MARK = '"'

_SPEAKERS = ("Prover", "Verifier", "Expert 1", "Expert 2", ANONYMOUS_NAME)
_HEADERS = ("[to Expert 1]", "[to Expert 2]")
_STANCES = ("argue that the claim is wrong", "argue that the claim is correct")
_TAGS = ("<passage>", "</passage>", "<claim>", "</claim>")

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<' + message['role'] + '>' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '"
    + END
    + "' }}{% endgeneration %}{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
"""Format of a conversation; answers are marked, so that losses can be restricted to them."""


def words() -> list[str]:
    """Return the vocabulary without special tokens: phrases that are always written alike."""
    return [
        *(f"{name} has" for name in NAMES),
        *(f"number {number}" for number in NUMBERS),
        QUOTATION_MARK,
        VERIFIED,
        NOT_VERIFIED,
        EVASION,
        QUESTION,
        SAME,
        DIFFERENT,
        *DECISIONS,
        UNSURE,
        *_TAGS,
        *_STANCES,
        *(f"[{name}]" for name in _SPEAKERS),
        *_HEADERS,
        *(f"[Verifier {header[1:]}" for header in _HEADERS),
        SYSTEM_LABEL,
        BEGIN,
        GO_ON,
        NO_ANSWER,
    ]


def make_tokenizer(max_length: int) -> Any:
    """Return the tokenizer, a ``PreTrainedTokenizerFast``.

    The system prompts contain much that a tiny model cannot read. Only the words of the vocabulary
    become tokens, so that a conversation has about thirty. Decoding puts a space between tokens.

    Parameters
    ----------
    max_length : int
        Context length of the model, in tokens.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = (PADDING, END, *ROLES)
    vocabulary = {word: index for index, word in enumerate((*special, *words()))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PADDING))
    # Longer words first, because the first alternative that fits is taken.
    pattern = "|".join(re.escape(word) for word in sorted(words(), key=len, reverse=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PADDING,
        eos_token=END,
        additional_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )
